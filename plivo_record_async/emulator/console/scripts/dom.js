/** Elements. What comes from outside becomes text and attribute values here, never markup. */

import { clockTime, short, visible } from "./explain.js";

/** Build an element. An attribute whose value is null, undefined or false is left out; so is such a child. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Build an element of SVG. */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat());
  return element;
}

/** Change the children of an element into the given ones, and keep what is the same: focus, playback, typed text. */
export function morph(parent, children) {
  children = children.map((child) => (typeof child === "string" ? document.createTextNode(child) : child));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  morphChildren(parent, children);
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

function morphChildren(parent, children) {
  const keyed = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let here = parent.firstChild;
  for (const next of [...children]) {
    const key = next.dataset?.key;
    const found = key === undefined ? here : keyed.get(key);
    if (found && found.nodeName === next.nodeName && found.dataset?.key === key) {
      if (found === here) here = here.nextSibling;
      else parent.insertBefore(found, here);
      morphNode(found, next);
    } else {
      parent.insertBefore(next, here);
    }
  }
  while (here) {
    const after = here.nextSibling;
    here.remove();
    here = after;
  }
}

function morphNode(node, next) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.nodeValue !== next.nodeValue) node.nodeValue = next.nodeValue;
    return;
  }
  if (node.isEqualNode(next)) return;
  for (const { name } of [...node.attributes]) {
    if (name !== "open" && !next.hasAttribute(name)) node.removeAttribute(name); // the reader opened the details
  }
  for (const { name, value } of next.attributes) {
    if (name !== "open" && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  if (!node.hasAttribute("data-keep")) morphChildren(node, next.childNodes);
}

/** A time as an element that shows hours, minutes, seconds and milliseconds, and says the date when asked. */
export function timeOf(iso) {
  if (!iso) return null;
  const milliseconds = String(new Date(iso).getUTCMilliseconds()).padStart(3, "0");
  return h("time", { datetime: iso, title: `${iso} (UTC)` }, clockTime(iso), h("small", {}, `.${milliseconds}`));
}

/** A part of a section: a title, perhaps with a button that copies a text, and the content. */
export const part = (title, content, copied) =>
  content &&
  h(
    "div",
    { class: "part" },
    (title || copied !== undefined) &&
      h(
        "div",
        { class: "head" },
        title,
        copied !== undefined && action("Copy", "copy", copied, { class: "quiet", "aria-label": `Copy: ${title}` }),
      ),
    content,
  );

/** A text of any length that can be copied. */
export const text = (title, value) => (value ? part(title, h("pre", { tabindex: "0" }, value), value) : null);

/** Names and values. */
export const pairs = (title, values) => {
  const entries = Object.entries(values ?? {});
  return entries.length
    ? part(
        title,
        h(
          "dl",
          { class: "pairs" },
          entries.flatMap(([name, value]) => [
            h("dt", {}, name),
            value === ""
              ? h("dd", {}, h("small", {}, "(empty)"))
              : h("dd", { tabindex: String(value).length > 200 ? 0 : null }, String(value)),
          ]),
        ),
      )
    : null;
};

/** Headers are many and rarely the reason, so they are folded. */
export const headers = (values) => {
  const count = Object.keys(values ?? {}).length;
  return count
    ? h("details", {}, h("summary", {}, `${count} header${count === 1 ? "" : "s"}`), pairs("", values))
    : null;
};

/** A section with the parts that are not empty; null if all are. */
export const section = (title, ...children) => {
  const shown = children.flat().filter(Boolean);
  return shown.length ? h("section", { "aria-label": title, "data-key": title }, h("h3", {}, title), shown) : null;
};

/** The head of the details, with buttons. */
export const head = (title, under, ...buttons) =>
  h(
    "header",
    {},
    h("div", {}, h("h2", {}, h("bdi", {}, short(visible(title)))), h("p", { class: "hint" }, under)),
    h("div", { class: "buttons" }, buttons, action("Close", "close", "")),
  );

/** A button that does something: see actions.js. */
export const action = (label, name, id, attributes = {}) =>
  h("button", { type: "button", "data-do": name, "data-id": id, "data-testid": name, ...attributes }, label);
