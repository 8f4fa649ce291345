/** The tab of faults and clock: what can be done to requests and callbacks, a fault in words, and the forms. */

import { action, h, morph } from "./dom.js";
import { short, span } from "./explain.js";

/** What a fault can happen to. */
export const FAULT_TARGETS = {
  start: "start requests",
  stop: "stop requests",
  get: "requests for one recording or conference",
  list: "requests for a list",
  delete: "delete requests",
  transcribe: "requests for a transcript",
  media: "requests for a file",
  api: "all requests except for files",
  any: "all requests",
  callback: "callbacks",
};

const RANDOMLY = { randomly: "Something at random" };

/** For requests and for callbacks: each action of the control API, in words. */
const FAULT_ACTIONS = {
  request: {
    status: "Answer with a status",
    reset_before_execution: "Reset the connection, do not execute",
    reset_after_execution: "Execute, then reset the connection",
    stall: "Never answer",
    cut: "Cut the response in its middle",
    delay: "Answer late",
    ...RANDOMLY,
  },
  callback: {
    drop: "Do not send it",
    duplicate: "Send it twice",
    delay: "Send it late",
    unsigned: "Send it without a signature",
    reorder: "Send it after the next one",
    ...RANDOMLY,
  },
};

/** The arguments that an action has besides those that all have. */
const FAULT_FIELDS = {
  status: ["status", "retry_after", "executed"],
  stall: ["executed"],
  delay: ["seconds"],
  randomly: ["rate"],
};

/** A fault as one sentence. */
export function faultText(fault) {
  const { on, conference, times, do: what } = fault;
  const action = FAULT_ACTIONS[on === "callback" ? "callback" : "request"][what].toLowerCase();
  const details = {
    status: `${fault.status}${fault.executed ? ", executed" : ", not executed"}`,
    delay: span(fault.seconds ?? 0),
    randomly: `with a probability of ${fault.rate}`,
  };
  const where = conference ? ` in ${short(conference)}` : "";
  const often = times === null ? "until it is cleared" : times === 1 ? "once" : `${times} times`;
  return `${FAULT_TARGETS[on]}${where}, ${often}: ${action}${what in details ? ` (${details[what]})` : ""}`;
}

const $ = (id) => document.getElementById(id);

/** Show the faults that are set, and whether the clock can be moved. */
export function renderControls(world) {
  const virtual = world.clock?.mode === "virtual";
  const rows = [...world.faults.values()].map((fault) =>
    h(
      "li",
      { "data-key": fault.id },
      h("span", {}, faultText(fault)),
      action("Clear", "clear-fault", fault.id, { "aria-label": `Clear: ${faultText(fault)}` }),
    ),
  );
  const none = h("p", { class: "hint" }, "None. Every request and callback goes well.");
  morph(
    $("faults"),
    rows.length ? [h("ol", { class: "faults" }, rows), action("Clear all", "clear-faults", "")] : [none],
  );
  $("clock-hint").textContent = virtual
    ? "The clock of this emulator is virtual: it moves only by this."
    : "The clock of this emulator cannot be moved. Start the emulator with --clock virtual to move it.";
  const steps = { "+ 1 min": 60, "+ 5 min": 300, "+ 1 h": 3600 };
  morph(
    $("quick"),
    Object.entries(steps).map(([label, seconds]) =>
      action(label, "advance", seconds, { disabled: !virtual, "data-testid": "advance-by" }),
    ),
  );
  for (const element of $("advance").elements) element.disabled = !virtual;
}

/** Offer the actions and arguments that belong to what is chosen in the form. */
export function renderFaultForm() {
  const form = $("fault");
  const { on, do: what } = form.elements;
  const actions = FAULT_ACTIONS[on.value === "callback" ? "callback" : "request"];
  const chosen = what.value in actions ? what.value : Object.keys(actions)[0];
  what.replaceChildren(...Object.entries(actions).map(([value, label]) => h("option", { value }, label)));
  what.value = chosen;
  for (const field of form.querySelectorAll("[data-field]")) {
    field.hidden = !(FAULT_FIELDS[chosen] ?? []).includes(field.dataset.field);
    field.querySelector("input").disabled = field.hidden;
  }
}

/** The body of the request that sets the fault of the form. */
export function readFaultForm(form) {
  const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  for (const field of ["status", "seconds", "rate", "times"]) if (field in given) given[field] = Number(given[field]);
  return "executed" in given ? { ...given, executed: true } : given;
}
