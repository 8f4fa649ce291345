/** The details of a recording, a conference or a request. Values in, elements out. */

import { action, h, head, headers, pairs, section, text, timeOf } from "./dom.js";
import { KINDS, short, span, stages, verdict, visible } from "./explain.js";

const STATES = { done: "", now: "now", failed: "failed", expected: "expected", none: "not asked for" };

export function recordingDetail({ recording, request, callbacks, conference }) {
  const steps = stages({ recording, request, callbacks, conference });
  return [
    head(
      recording.conference_name,
      `Recording ${recording.recording_id}`,
      conference?.live && action("End the conference", "end", recording.conference_name, { class: "primary" }),
    ),
    section(
      "Time line",
      h(
        "ol",
        { class: "steps", "data-testid": "steps" },
        steps.map((step) =>
          h(
            "li",
            { class: step.state },
            h(
              "div",
              { class: "head" },
              h("b", {}, step.name),
              step.state === "done" ? timeOf(step.at) : h("span", { class: "state" }, STATES[step.state]),
            ),
            h("p", {}, step.text),
          ),
        ),
      ),
    ),
    recording.ended_at &&
      section(
        `Audio, ${span((recording.duration_ms ?? 0) / 1000)}`,
        h("audio", {
          controls: true,
          preload: "none",
          src: new URL(recording.url).pathname,
          "data-keep": true,
          "data-testid": "audio",
          "aria-label": "The recorded audio",
        }),
      ),
    section(
      "Callbacks and requests",
      h(
        "div",
        { class: "buttons" },
        request && action(`Start, ${request.status ?? "no response"}`, "show", `requests/${request.id}`),
        callbacks.map((each) =>
          action(
            `${KINDS[each.kind]}, attempt ${each.attempt}: ${verdict(each).label}`,
            "show",
            `deliveries/${each.id}`,
          ),
        ),
      ),
    ),
    section(
      "Fields",
      pairs("", {
        conference: visible(recording.conference_name),
        api_id: recording.api_id,
        format: recording.file_format,
        call_uuid: recording.call_uuid,
        url: recording.url,
        callback: recording.callback_url ? `${recording.callback_method} ${recording.callback_url}` : "not asked for",
        transcript: recording.transcription_url
          ? `${recording.transcription_method} ${recording.transcription_url}`
          : "not asked for",
      }),
    ),
  ];
}

export function conferenceDetail(conference) {
  return [
    head(
      conference.name,
      conference.live ? "The conference is open." : "The conference has ended.",
      conference.live && action("End the conference", "end", conference.name, { class: "primary" }),
    ),
    section("Fields", pairs("", { conference: visible(conference.name), executed_starts: conference.executed_starts })),
    section(
      "Time line",
      h(
        "ol",
        { class: "steps", "data-testid": "steps" },
        h(
          "li",
          { class: "done" },
          h("div", { class: "head" }, h("b", {}, "Planned"), timeOf(conference.opened_at)),
          h("p", {}, "The conference is open."),
        ),
        h(
          "li",
          { class: "expected" },
          h("div", { class: "head" }, h("b", {}, "Sent"), h("span", { class: "state" }, "expected")),
          h("p", {}, "Expected: a start, which is a POST to the conference's Record resource."),
        ),
      ),
    ),
  ];
}

export function requestDetail(request, { recording }) {
  return [
    head(
      `Request ${request.id}: ${request.operation ?? "unknown address"}`,
      h("bdi", {}, short(visible(request.conference_name ?? ""))),
      recording && action("Show the recording", "show", `recordings/${recording.recording_id}`),
    ),
    section(
      "Response",
      h(
        "p",
        {
          class: `verdict ${request.status === null || request.status >= 400 ? "bad" : "ok"}`,
          "data-testid": "verdict",
        },
        request.status === null ? "The connection was ended without a response." : `Answered ${request.status}.`,
      ),
      request.fault && h("p", { class: "hint" }, `A fault changed this request: ${request.fault}.`),
      text("Body", request.response_body),
      headers(request.response_headers),
    ),
    section(
      "Request",
      text("Address", `${request.method} ${request.path}${request.query && "?"}${request.query}`),
      headers(request.headers),
      text("Body", request.body),
    ),
  ];
}

/** The details of an entry that the log does not have. */
export const missingDetail = (name) => [
  head(name, "It is not in the log any more."),
  section(
    "Why",
    h("p", {}, "The log keeps the latest entries only, and a reset or a restart of the emulator empties it."),
  ),
];
