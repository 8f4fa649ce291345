/** What the entries of the logs mean, in words, and times in words. Pure: values in, values out. */

export const KINDS = { response: "Asynchronous response", recording: "Recording ended", transcription: "Transcript" };

/** The verdict of a delivery attempt: a tone (ok, bad, wait), a short label and a sentence. */
export function verdict(attempt) {
  const { state, status, failure, error } = attempt;
  if (state === "waiting") return { tone: "wait", label: "Waiting", text: "The attempt waits for its time." };
  if (state === "sending") return { tone: "wait", label: "On its way", text: "Your receiver has not answered yet." };
  if (state === "dropped")
    return { tone: "bad", label: "Not sent", text: "A fault dropped this callback: it was never sent." };
  if (state === "delivered")
    return { tone: "ok", label: `Accepted ${status}`, text: `Your receiver accepted it: it answered ${status}.` };
  if (status === null)
    return { tone: "bad", label: "No response", text: `Your receiver did not answer: ${error}.` };
  if (failure === "broke_off")
    return {
      tone: "bad",
      label: `Broke off (${status})`,
      text: `Your receiver answered ${status}, but the response broke off before its end.`,
    };
  return { tone: "bad", label: `Rejected ${status}`, text: `Your receiver did not accept it: it answered ${status}.` };
}

const SIGNATURE = [
  "Receivers usually answer this if they compute another signature. There are three possible reasons:",
  "The URL. Behind a proxy or a tunnel an application often sees another scheme, host, port or path than the one " +
    "that was called. Paste it under “Compare” to see the difference.",
  "The auth token. It must be the one of this emulator. Check it there too.",
  "The fields. All fields of the form are signed, decoded and sorted by name, with the empty ones.",
];

const UNREACHABLE =
  "Check that host and port are the ones that this machine can reach: inside a container, localhost is the " +
  "container itself.";
const LIMITS = "The fragment of the callback URL sets the limits: ct, rt and tt, in milliseconds.";

/** What to check if there was no complete response, by the kind of the failure. */
const FAILURES = {
  refused: `Nothing listens at this address. Check that the receiver runs. ${UNREACHABLE}`,
  unreachable: `The network does not lead to this address. ${UNREACHABLE}`,
  connect_timeout:
    "The receiver did not accept the connection in time, so your application has not seen this callback. A " +
    `firewall or a wrong address is the usual reason. ${UNREACHABLE} ${LIMITS}`,
  dns:
    "The name of the host cannot be resolved. Check its spelling, and that this machine knows the name: a name of " +
    "a container network is known only inside that network.",
  tls:
    "The TLS connection failed. SSL_CERT_FILE names the certificates that the emulator trusts. A receiver without " +
    "TLS needs a URL with http.",
  read_timeout: `The receiver took too long. Respond first and do slow work afterwards. ${LIMITS}`,
  total_timeout: `The time for all attempts is over. Respond first and do slow work afterwards. ${LIMITS}`,
  reset:
    "The receiver or a proxy reset the connection before it responded. Its own log may say why, for example a crash.",
  disconnected: "The receiver closed the connection without a response. Its own log may say why, for example a crash.",
  invalid_response: "The response is not HTTP. Often the port is that of another service, or it expects https.",
  invalid_url: "The URL cannot be called. Check how your application builds it.",
  broke_off:
    "The receiver or a proxy closed the connection too early, or the body is shorter than its Content-Length. The " +
    "receiver's own log may say why.",
};

/** What to check, as sentences, given how the receiver answered. */
export function advice(attempt) {
  const { state, status, failure, method, signed } = attempt;
  if (state !== "failed") return [];
  if (failure in FAILURES) return [FAILURES[failure]];
  if (status === null) return ["There was no response. The receiver's own log may say why."];
  if (status < 400)
    return [
      "The response is a redirect, and Plivo's callbacks are not redirected. Often a slash is missing at the end " +
        "of the path, or the application redirects http to https.",
    ];
  if ((status === 401 || status === 403) && !signed)
    return [
      "This callback carries no signature that your receiver could check: a fault or the dialect left it out. A " +
        "receiver is right to reject it.",
    ];
  if (status === 401 || status === 403) return SIGNATURE;
  if (status === 404)
    return [
      "Nothing is served at this path. Compare it with the route in your application, with the slash at its end " +
        "and any prefix that a proxy removes.",
    ];
  if (status === 405)
    return [`The route exists but does not accept ${method}. The start can choose the method with callback_method.`];
  if (status === 400 || status === 415 || status === 422)
    return [
      method === "GET"
        ? "The fields are in the query. The application expects them elsewhere."
        : "The fields are a form (application/x-www-form-urlencoded). An application that expects JSON rejects it.",
      "The body of the response, below, may name the field.",
    ];
  if (status >= 500) return ["The application failed. The reason is in its own log at this time."];
  return ["The body of the response, below, may say why."];
}

/** The attempt that decides whether callbacks were accepted: the last one that is over. */
export const decisive = (attempts) =>
  attempts
    .filter(({ state }) => ["delivered", "failed", "dropped"].includes(state))
    .sort(({ at: one }, { at: other }) => (one > other) - (one < other))
    .at(-1);

/** Whether a callback was sent and not accepted, and no further attempt follows. */
export const isRejected = (attempt) => attempt?.state === "failed" && !attempt.next_attempt_at;

/** The six stages of a recording; state is done, now, failed, expected or none. */
export function stages({ recording, request, callbacks, conference }) {
  const of = (kind) => callbacks.filter((each) => each.kind === kind);
  const { opened_at: opened = recording.started_at } = conference ?? {};
  const planned = opened < recording.started_at ? opened : recording.started_at; // it may have been opened again
  const responses = [...Map.groupBy(of("response"), (each) => each.api_id).values()]; // of the start and of stops
  const refused = responses.map(decisive).find(isRejected);
  const lost = request !== null && (request.status === null || request.status >= 300);
  return [
    stage("Planned", "done", planned, "The conference is open."),
    stage("Sent", "done", request?.time ?? recording.started_at, "The start arrived."),
    stage(
      "Accepted",
      lost || refused ? "failed" : "done",
      request?.time ?? recording.started_at,
      accepted(request, lost) + (refused ? ` An asynchronous response: ${verdict(refused).text}` : ""),
      lost ? "Response lost" : refused && verdict(refused).label,
    ),
    stage(
      "Recording",
      recording.ended_at ? "done" : "now",
      recording.started_at,
      recording.ended_at ? `It ran for ${span((recording.duration_ms ?? 0) / 1000)}.` : "It is running.",
    ),
    delivered("Recorded", recording, recording.callback_url, of("recording"), "the end of the recording"),
    delivered("Transcribed", recording, recording.transcription_url, of("transcription"), "the transcript"),
  ];
}

const stage = (name, state, at, text, label = name) => ({ name, state, at: at ?? null, text, label });

function accepted(request, lost) {
  if (!request) return "The start was answered. Its request is no longer in the log.";
  if (request.status === null)
    return "The connection was cut before a response: the start was executed, and the client cannot know it.";
  return lost
    ? `The start was executed, but it was answered ${request.status}: the client cannot know it.`
    : `The start was answered ${request.status}.`;
}

function delivered(name, recording, url, attempts, what) {
  if (!url) {
    const ended = name === "Recorded" && recording.ended_at;
    return stage(
      name,
      ended ? "done" : "none",
      ended || null,
      ended
        ? "It ended. No callback was asked for."
        : name === "Recorded"
          ? "No callback was asked for."
          : "No transcript was asked for.",
    );
  }
  if (!recording.ended_at)
    return stage(name, "expected", null, `Expected: a callback with ${what}, after the end of the conference.`);
  const newest = attempts.at(-1);
  if (!newest) return stage(name, "now", null, `Expected now: a callback with ${what}.`);
  const last = decisive(attempts);
  if (last?.state === "delivered")
    return stage(name, "done", last.at, `Your receiver accepted the callback with ${what}.`);
  if (newest.state === "waiting" || newest.state === "sending")
    return stage(name, "now", newest.time, verdict(newest).text);
  if (last.next_attempt_at) return stage(name, "now", last.at, `${verdict(last).text} The next attempt follows.`);
  return stage(name, "failed", last.at, `${verdict(last).text} No further attempt follows.`, verdict(last).label);
}

/** One line about a recording: a tone and a label. */
export function summary(list) {
  const failed = list.find((each) => each.state === "failed");
  if (failed) return { tone: "bad", label: failed.label };
  const now = list.findLast((each) => each.state === "now");
  if (now) return { tone: "wait", label: now.name === "Recording" ? "Recording" : "Delivering" };
  return { tone: "ok", label: list.findLast((each) => each.state === "done").name };
}

const pad = (number, length = 2) => String(number).padStart(length, "0");

/** The time of day in UTC, as in the emulator's log. */
export function clockTime(iso) {
  const date = new Date(iso);
  return `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
}

/** A length of time in words of at most two units. */
export function span(seconds) {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** The beginning of a text that may have any length. */
export const short = (text) => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

const INVISIBLE = /[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/gu;
const escaped = (character) => `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`;

/** A name in which every character can be seen: quoted if it has such ones or spaces at its ends. */
export function visible(name) {
  const shown = name.replace(INVISIBLE, escaped);
  return shown !== name || shown !== shown.trim() ? `"${shown}"` : shown;
}
