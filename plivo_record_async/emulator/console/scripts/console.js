/** The console of the emulator: it connects what is known, what is shown, and what the reader does. */

import { ACTIONS, FORMS, close, say } from "./actions.js";
import { World } from "./data.js";
import { tokenMatches } from "./delivery.js";
import { h } from "./dom.js";
import { FAULT_TARGETS, renderFaultForm } from "./faults.js";
import { TABS, render } from "./render.js";

const $ = (id) => document.getElementById(id);

const PAUSE_MS = 100; // between two drawings, however many events arrive

const world = new World(() => renderSoon(PAUSE_MS));
const view = { tab: "recordings", selected: null, filter: "", choice: "all", page: 0, checks: {} };
let timer = null;

/** Draw the page after a pause, or in the next frame of the screen. */
function renderSoon(pause = 0) {
  if (timer !== null && pause > 0) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    timer = null;
    requestAnimationFrame(() => render(world, view));
  }, pause);
}

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    say(`That did not work. ${error.message}`);
  }
  renderSoon();
}

/** Show what the address says: `#/deliveries/12` is callback 12. */
function readAddress() {
  if (location.hash && !location.hash.startsWith("#/")) return; // the link that skips to the content
  const [tab, id] = location.hash.slice(2).split("/");
  const known = TABS.includes(tab) ? tab : "recordings";
  if (known !== view.tab) Object.assign(view, { tab: known, filter: "", choice: "all", page: 0 });
  $("filter").value = view.filter;
  const before = view.selected;
  view.selected = id ? readId(id) : null;
  if (view.selected !== before) view.checks = {}; // the fields are new too
  render(world, view);
  const covers = matchMedia("(max-width: 900px)").matches; // the details are shown instead of the list
  if (view.selected !== null && view.selected !== before && covers) $("detail").focus();
}

function readId(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // somebody has changed the address by hand
  }
}

/** Compare the text or the auth token that the reader has typed with the shown delivery. */
async function check(name, value) {
  const { checks } = view;
  if (name === "compare") checks.compared = value.trim();
  else checks.token = value ? await tokenMatches(world.deliveries.get(Number(view.selected)), value) : null;
}

document.addEventListener("click", ({ target }) => {
  const tab = target.closest('[role="tab"]');
  if (tab) location.hash = `/${tab.id.slice("tab-".length)}`;
  const button = target.closest("[data-do]");
  if (button) attempt(() => ACTIONS[button.dataset.do](button.dataset.id, view, world));
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(() => FORMS[event.target.id](event.target));
});

document.addEventListener("input", ({ target }) => {
  const { id, name, value } = target;
  if (id === "filter") Object.assign(view, { filter: value, page: 0 });
  else if (id === "show") Object.assign(view, { choice: value, page: 0 });
  else if (target.form?.id === "fault") renderFaultForm();
  else if (target.form?.id === "check") return void attempt(() => check(name, value));
  renderSoon();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && view.selected !== null) return close(view);
  const group = event.target.closest('[role="tablist"], #list');
  const [back, forward] = group?.id === "list" ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
  if (!group || ![back, forward].includes(event.key)) return;
  const buttons = [...group.querySelectorAll("button")];
  const next = buttons[buttons.indexOf(event.target) + (event.key === forward ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
  if (group.id !== "list") next.click();
});

window.addEventListener("hashchange", readAddress);
setInterval(() => renderSoon(), 1000); // the clock, the quota's window, and the length of recordings that run
$("fault-on").replaceChildren(...Object.entries(FAULT_TARGETS).map(([value, label]) => h("option", { value }, label)));
renderFaultForm();
readAddress();
world.follow();
