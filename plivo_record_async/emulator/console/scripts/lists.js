/** The lists of the three logs: which entries are shown, and one row for each. */

import { h, svg, timeOf } from "./dom.js";
import { KINDS, short, span, stages, summary, verdict, visible } from "./explain.js";

const row = (kind, id, current, ...cells) =>
  h(
    "li",
    { "data-key": id },
    h(
      "button",
      {
        type: "button",
        class: `row-${kind}`,
        "data-do": "show",
        "data-id": `${kind}/${id}`,
        "data-testid": "row",
        "aria-current": current ? "true" : null,
      },
      cells,
    ),
  );

const chip = ({ tone, label }) => h("span", { class: `chip ${tone}` }, label);

const name = (title, under) =>
  h("span", { class: "name" }, h("b", {}, h("bdi", {}, short(visible(title)))), under && h("small", {}, short(under)));

const rejected = (entry) => entry.state === "failed" || entry.state === "dropped";

/** For each tab: the choices of the filter, the text that it searches, and the row of an entry. */
export const LISTS = {
  recordings: {
    captions: () => [
      h("span", {}, "Conference"),
      h(
        "span",
        { class: "track" },
        h("b", {}, "Stages"),
        ["Planned", "Sent", "Accepted", "Recording", "Recorded", "Transcribed"].map((stage) => h("span", {}, stage)),
      ),
      h("span", {}, "State"),
      h("span", { class: "end" }, "Started"),
    ],
    choices: { all: "All", running: "Running", ended: "Ended" },
    matches: (entry, choice) => (choice === "running") === !entry.ended_at && !entry.conference,
    searched: (entry) => [entry.conference_name, entry.recording_id, entry.api_id],
    id: (entry) => entry.recording_id ?? `~${entry.conference_name}`,
    row(entry, current, world, now) {
      if (!entry.recording_id) {
        return row(
          "recordings",
          this.id(entry),
          current,
          name(entry.conference_name, "No recording yet"),
          track([
            { name: "Planned", state: "done" },
            { name: "Sent", state: "expected" },
          ]),
          chip({ tone: "", label: "Open" }),
          h("span", { class: "end" }, timeOf(entry.opened_at)),
        );
      }
      const steps = stages(world.storyOf(entry));
      const length = entry.ended_at
        ? span((entry.duration_ms ?? 0) / 1000)
        : span((now - Date.parse(entry.started_at)) / 1000);
      return row(
        "recordings",
        this.id(entry),
        current,
        name(entry.conference_name, `${entry.file_format}, ${length}, ${entry.recording_id}`),
        track(steps),
        chip(summary(steps)),
        h("span", { class: "end" }, timeOf(entry.started_at)),
      );
    },
  },
  deliveries: {
    captions: () => ["Sent", "Response", "Callback", "Attempt"].map((each) => h("span", {}, each)),
    choices: { all: "All", rejected: "Not accepted", accepted: "Accepted" },
    matches: (entry, choice) => (choice === "rejected" ? rejected(entry) : entry.state === "delivered"),
    searched: (entry) => [entry.conference_name, entry.url, entry.api_id, KINDS[entry.kind]],
    id: (entry) => String(entry.id),
    row(entry, current) {
      return row(
        "deliveries",
        entry.id,
        current,
        timeOf(entry.time),
        chip(verdict(entry)),
        name(entry.conference_name || KINDS[entry.kind], `${KINDS[entry.kind]}, ${entry.method} ${entry.url}`),
        h("span", { class: "end", title: "Attempt" }, h("span", { class: "sr" }, "Attempt "), `#${entry.attempt}`),
      );
    },
  },
  requests: {
    captions: () => ["Received", "Method", "Request", "Response"].map((each) => h("span", {}, each)),
    choices: { all: "All", errors: "Errors", faults: "Changed by a fault" },
    matches: (entry, choice) =>
      choice === "faults" ? Boolean(entry.fault) : entry.status === null || entry.status >= 400,
    searched: (entry) => [entry.method, entry.path, entry.conference_name, String(entry.status)],
    id: (entry) => String(entry.id),
    row(entry, current) {
      const tone = entry.status === null || entry.status >= 400 ? "bad" : "ok";
      return row(
        "requests",
        entry.id,
        current,
        timeOf(entry.time),
        h("span", { class: "method mono" }, entry.method),
        name(entry.conference_name || entry.path, entry.path),
        chip({ tone, label: `${entry.status ?? "No response"}${entry.fault ? ", fault" : ""}` }),
      );
    },
  },
};

function track(steps) {
  const said = steps
    .filter(({ state }) => state !== "none")
    .map(({ name: stage, state }) => `${stage}: ${state}`)
    .join(", ");
  return h(
    "span",
    { class: "track", title: said },
    steps.map(({ state }) => h("i", { class: state })),
    h("span", { class: "sr" }, said),
  );
}

const PLIVOS_WINDOW = { limit: null, per: 5 }; // shown without a quota, because Plivo counts in such windows

/** The requests in each of the last 60 seconds, and those that count in the window of the quota, if there is one. */
export function quotaWindow(requests, quota, now) {
  const { limit, per } = quota ?? PLIVOS_WINDOW;
  const ages = [];
  for (const { operation, status, time } of requests.reverse()) {
    const age = Math.max(0, (now - Date.parse(time)) / 1000);
    if (age >= 60) break;
    if (operation !== "media" && status !== 429) ages.push(age);
  }
  const used = ages.filter((age) => age < per).length;
  const bars = Array.from({ length: 60 }, () => 0);
  for (const age of ages) bars[59 - Math.floor(age)] += 1;
  const most = Math.max(10, ...bars);
  const oldest = Math.max(0, ...ages.filter((age) => age < per));
  return {
    used,
    per,
    shown: h(
      "div",
      { class: "window", "data-testid": "window" },
      h(
        "p",
        {},
        h("b", {}, limit === null ? `${used}` : `${used} of ${limit}`),
        ` requests in the last ${per} s${limit === null ? ", no quota" : ""}.`,
        used && limit !== null ? ` The oldest leaves the window in ${(per - oldest).toFixed(1)} s.` : "",
      ),
      svg(
        "svg",
        { viewBox: "0 0 240 34", role: "img", "aria-label": "Requests in each of the last 60 seconds" },
        bars.map((count, index) =>
          svg("rect", {
            x: index * 4,
            y: 32 - (count / most) * 32,
            width: 3,
            height: 2 + (count / most) * 32,
            rx: 1,
            class: index >= 60 - per ? "inside" : "before",
          }),
        ),
      ),
    ),
  };
}
