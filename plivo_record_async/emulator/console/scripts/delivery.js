/** The details of one attempt to deliver a callback, and the comparison of its signature with an application's. */

import { action, h, head, headers, pairs, part, section, text, timeOf } from "./dom.js";
import { KINDS, advice, short, verdict, visible } from "./explain.js";

export function deliveryDetail(attempt, { siblings, secure, checks }) {
  const { tone, text: said } = verdict(attempt);
  const why = advice(attempt);
  return [
    head(
      `${KINDS[attempt.kind]}: attempt ${attempt.attempt}`,
      attempt.conference_name ? h("bdi", {}, short(visible(attempt.conference_name))) : attempt.api_id,
      action("Send again", "replay", attempt.id, { class: "primary" }),
      action("Send twice", "duplicate", attempt.id),
    ),
    section(
      "Verdict",
      h("p", { class: `verdict ${tone}`, "data-testid": "verdict" }, said),
      h("p", { class: "called mono", "data-testid": "called" }, `${attempt.method} ${attempt.url}`),
      why.length
        ? h(
            "div",
            { class: "advice", "data-testid": "advice" },
            h("p", {}, why[0]),
            why.length > 1 &&
              h(
                "ol",
                {},
                why.slice(1).map((each) => h("li", {}, each)),
              ),
          )
        : null,
      retry(attempt),
    ),
    section("The response of your receiver", text("Body", attempt.response_body), headers(attempt.response_headers)),
    attempt.signed && section("Compare with your application", checker(attempt, secure, checks)),
    section("What was signed", signed(attempt)),
    section(
      "What was sent",
      text("Request", `${attempt.method} ${attempt.url}`),
      pairs("Fields", attempt.fields),
      headers(attempt.headers),
      text("Body", attempt.body),
    ),
    siblings.length > 1 &&
      section(
        "All attempts of this callback",
        h(
          "div",
          { class: "buttons" },
          siblings.map((each) =>
            action(
              `${KINDS[each.kind]}${each.replay_of ? ", sent again" : ""}, attempt ${each.attempt}: ` +
                verdict(each).label,
              "show",
              `deliveries/${each.id}`,
              { "aria-current": each === attempt ? "true" : null },
            ),
          ),
        ),
      ),
  ];
}

/** The header that carries the signature; of a V2 callback it is another one. */
const signatureOf = ({ headers }) => headers["x-plivo-signature-v3"] ?? headers["x-plivo-signature-v2"];

const NEVER_RETRIED = ["broke_off", "total_timeout", "invalid_url"];

function retry(attempt) {
  if (attempt.state !== "failed") return null;
  if (attempt.next_attempt_at)
    return h(
      "p",
      { class: "hint", "data-testid": "retry" },
      "The next attempt follows at ",
      timeOf(attempt.next_attempt_at),
      ".",
    );
  return h(
    "p",
    { class: "hint", "data-testid": "retry" },
    NEVER_RETRIED.includes(attempt.failure)
      ? "No further attempt follows: such a failure is never retried."
      : "No further attempt follows. The fragment of the callback URL decides that: rc is how many retries there are, " +
          "and rp after which failures.",
  );
}

function signed(attempt) {
  if (!attempt.signed) return h("p", {}, "This callback was sent without a signature.");
  return [
    h(
      "p",
      { class: "hint" },
      "The signature is the HMAC-SHA256 of this text, with the auth token as its key, in base64. The text is the " +
        "URL, the sorted fields of the form, a full stop and the nonce.",
    ),
    text("URL", attempt.url),
    text("Text", attempt.signed),
    text("Signature", signatureOf(attempt)),
  ];
}

function checker(attempt, secure, { compared, token }) {
  return h(
    "form",
    { class: "check-box", id: "check" },
    h(
      "label",
      { "data-key": `compare-${attempt.id}` },
      "The URL or the text that your application verified",
      h("textarea", {
        name: "compare",
        spellcheck: "false",
        "data-keep": true,
        "data-testid": "compare",
      }),
    ),
    compared ? comparison(attempt, compared) : null,
    secure &&
      h(
        "label",
        { "data-key": `token-${attempt.id}` },
        "The auth token of your application",
        h("input", {
          name: "token",
          type: "password",
          autocomplete: "off",
          "data-keep": true,
          "data-testid": "token",
        }),
      ),
    token === null || token === undefined
      ? null
      : h(
          "p",
          { class: `verdict ${token ? "ok" : "bad"}`, "data-testid": "token-verdict" },
          token
            ? "This token makes the same signature: the token is not the reason."
            : "This token makes another signature: your application has another auth token than this emulator.",
        ),
  );
}

function comparison(attempt, given) {
  const expected =
    given.length > attempt.url.length && given.includes(attempt.signed.slice(-12)) ? attempt.signed : attempt.url;
  const found = difference(expected, given);
  if (!found) return h("p", { class: "verdict ok", "data-testid": "comparison" }, "They are the same.");
  return h(
    "div",
    { "data-testid": "comparison" },
    h("p", { class: "verdict bad" }, "They differ here:"),
    part("Signed", h("pre", {}, found.before, h("mark", { class: "good" }, found.expected || "∅"), found.after)),
    part("Your application", h("pre", {}, found.before, h("mark", {}, found.actual || "∅"), found.after)),
  );
}

/** The first place where two texts differ, with what surrounds it; null if they are the same. */
export function difference(expected, actual) {
  if (expected === actual) return null;
  let start = 0;
  while (start < expected.length && expected[start] === actual[start]) start += 1;
  let end = 0;
  const most = Math.min(expected.length, actual.length) - start;
  while (end < most && expected[expected.length - 1 - end] === actual[actual.length - 1 - end]) end += 1;
  return {
    before: expected.slice(Math.max(0, start - 40), start),
    expected: expected.slice(start, expected.length - end),
    actual: actual.slice(start, actual.length - end),
    after: expected.slice(expected.length - end, expected.length - end + 40),
  };
}

/** Whether an auth token makes the signature of an attempt. */
export async function tokenMatches(attempt, token) {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(token), algorithm, false, ["sign"]);
  const digest = await crypto.subtle.sign("HMAC", key, encoder.encode(attempt.signed));
  const made = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return signatureOf(attempt).split(",").includes(made);
}
