/** What the buttons and forms do. Each is one request of the control API, or a change of what is shown. */

import { call, readAll } from "./data.js";
import { h } from "./dom.js";
import { span } from "./explain.js";
import { readFaultForm } from "./faults.js";

const $ = (id) => document.getElementById(id);
const SHOWN_MS = 5000;
let hiding;

/** Show a message for some seconds; screen readers read it. */
export function say(text) {
  $("message").replaceChildren(h("p", {}, text));
  clearTimeout(hiding);
  hiding = setTimeout(() => $("message").replaceChildren(), SHOWN_MS);
}

const conferencePath = (name) => `/conferences/${encodeURIComponent(name)}`;

/** Show an entry of a tab; its address can be shared. */
function show(tab, id) {
  location.hash = id === undefined ? `/${tab}` : `/${tab}/${encodeURIComponent(id)}`;
}

const replay = (id) => call("POST", `/deliveries/${id}/replay`);

/** Hide the details, and go back to the row that was shown in them. */
export function close(view) {
  const row = document.querySelector('#list [aria-current="true"]');
  show(view.tab);
  requestAnimationFrame(() => (row?.isConnected ? row : $("panel")).focus());
}

/** The actions of buttons, by the value of `data-do`. */
export const ACTIONS = {
  async show(id) {
    const slash = id.indexOf("/");
    show(id.slice(0, slash), id.slice(slash + 1));
  },
  async close(_id, view) {
    close(view);
  },
  async page(id, view) {
    view.page = Number(id);
  },
  async copy(text) {
    await navigator.clipboard.writeText(text);
    say("Copied.");
  },
  async end(name) {
    await call("POST", `${conferencePath(name)}/end`);
    say("The conference has ended, and its callbacks are being delivered.");
  },
  async replay(id, _view, world) {
    const sent = await replay(id);
    world.addDelivery(sent);
    show("deliveries", sent.id);
    say("The callback is being sent again. This is the new attempt.");
  },
  async duplicate(id) {
    await Promise.all([replay(id), replay(id)]);
    say("The callback is being sent twice.");
  },
  async "clear-fault"(id) {
    await call("DELETE", `/faults/${id}`);
    say("The fault is cleared.");
  },
  async "clear-faults"() {
    await call("DELETE", "/faults");
    say("All faults are cleared.");
  },
  async advance(seconds) {
    await call("POST", "/clock/advance", { seconds: Number(seconds) });
    say(`The clock moved by ${span(Number(seconds))}.`);
  },
  async reset(_id, view) {
    if (!confirm("Forget every conference, recording, request, callback and fault?")) return;
    await call("POST", "/reset");
    show(view.tab);
    say("The emulator has forgotten everything.");
  },
  async export() {
    const text = JSON.stringify(await readAll(), null, 2);
    const link = h("a", { href: URL.createObjectURL(new Blob([text])), download: "plivo-emulator.json" });
    link.click();
    URL.revokeObjectURL(link.href);
    say("Everything is exported.");
  },
};

/** The actions of forms, by their ids. */
export const FORMS = {
  async check() {}, // it compares while the reader types
  async open(form) {
    await call("POST", conferencePath(form.elements.name.value));
    form.reset();
    say("The conference is open.");
  },
  async advance(form) {
    await ACTIONS.advance(form.elements.seconds.value);
  },
  async fault(form) {
    await call("POST", "/faults", readFaultForm(form));
    say("The fault is set.");
  },
};
