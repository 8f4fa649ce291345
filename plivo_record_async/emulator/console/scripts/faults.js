/** The tab of faults and clock: what can be done to requests and callbacks, a fault in words, and the forms. */

import { action, h, morph } from "./dom.js";
import { span } from "./explain.js";

/** For requests and for callbacks: each action of the control API, in words. */
export const FAULT_ACTIONS = {
  request: {
    status: "Answer with a status",
    reset_before_execution: "Reset the connection, do not execute",
    reset_after_execution: "Execute, then reset the connection",
    stall: "Never answer",
    cut: "Cut the response in its middle",
    delay: "Answer late",
  },
  callback: {
    drop: "Do not send it",
    duplicate: "Send it twice",
    delay: "Send it late",
    unsigned: "Send it without a signature",
    reorder: "Send it after the next one",
  },
};

/** The arguments that an action has besides those that all have. */
export const FAULT_FIELDS = { status: ["status", "retry_after", "executed"], delay: ["seconds"] };

/** A fault as one sentence. */
export function faultText(fault) {
  const { on, conference, times } = fault;
  const kind = on === "callback" ? "callback" : "request";
  const what = (FAULT_ACTIONS[kind][fault.do] ?? fault.do).toLowerCase();
  const how = fault.do === "status" ? `: ${fault.status}` : fault.do === "delay" ? ` by ${span(fault.seconds)}` : "";
  const which =
    on === "callback" || on === "any"
      ? `${times} ${kind}${times === 1 ? "" : "s"}`
      : `${times} ${kind}${times === 1 ? "" : "s"} “${on}”`;
  return `Next ${which}${conference ? ` in ${conference}` : ""}: ${what}${how}`;
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
    : "The clock of this emulator is real. Start it with --clock virtual to move it.";
  const steps = { "+ 1 min": 60, "+ 5 min": 300, "+ 1 h": 3600 };
  morph(
    $("quick"),
    Object.entries(steps).map(([label, seconds]) => action(label, "advance", seconds, { disabled: !virtual })),
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
  for (const field of ["status", "seconds", "times"]) if (field in given) given[field] = Number(given[field]);
  return "executed" in given ? { ...given, executed: true } : given;
}
