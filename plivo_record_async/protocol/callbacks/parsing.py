"""From a callback's request to a verified event.

``parse_callback`` verifies first, then reads. Its two halves stand by themselves: `verify_callback` looks at URL,
headers and body and knows nothing of events, `events.read_event` sees only what was verified. The tracker's receiver
uses the halves, because it keeps what ``parse_callback`` refuses.
"""

from __future__ import annotations

from plivo_record_async.errors import MalformedCallbackError, SignatureMismatchError
from plivo_record_async.protocol.callbacks.events import read
from plivo_record_async.protocol.callbacks.signatures import (
    AuthTokens,
    Headers,
    find_match,
    read_claim,
    read_content_type,
    signed_texts,
    split_url,
)
from plivo_record_async.protocol.callbacks.urlencoded import Pairs, read_pairs
from plivo_record_async.protocol.callbacks.verified import VerifiedCallback
from plivo_record_async.protocol.models import CallbackEvent, HttpMethod, UnknownCallback

__all__ = ["FORM", "believe", "called_url", "parse_callback", "read_form", "verify_callback"]

FORM = "application/x-www-form-urlencoded"
"""The type of the bodies that Plivo sends."""


def parse_callback(
    method: str,
    url: str,
    headers: Headers,
    body: bytes,
    *,
    auth_tokens: AuthTokens,
    expected_url: str | None = None,
    expected_method: HttpMethod | None = None,
    conference_name: str | None = None,
    allow_v2: bool = False,
) -> CallbackEvent:
    """Verify a callback, then make the event that it tells of.

    A signature of version 3 covers the names and values of a request run together, so whoever captured one genuine
    callback can present the same text under another method, query or form. Pass what you know of the callback in
    ``expected_url``, ``expected_method`` and ``conference_name``: it leaves one reading. Without them, a callback
    whose text could also be read as another event is not believed.
    https://docs.plivo.com/docs/voice/concepts/signature-validation/

    Args:
        method: The request's method, ``GET`` or ``POST``.
        url: The public URL that Plivo called, with its query: scheme, host, port and path as they were given to
            Plivo. Behind a proxy that ends TLS the request's own URL is another one. With GET the fields are in
            its query; with POST its query is signed too, but says nothing of the event.
        headers: The request's header fields, names in any case; Django's ``request.META`` too.
        body: The request's body, a form.
        auth_tokens: The auth token of the account or subaccount, or all of them; during a rotation, old and new.
        expected_url: The URL that was given to Plivo, with or without its fragment. The signature is then checked
            against it instead of ``url``; the query of a GET must begin with its query. If None, against ``url``.
        expected_method: The method that was asked of Plivo; what comes by the other one is not believed. If None,
            either is.
        conference_name: The name of the conference. An event that has another one, in whatever spelling, is not
            believed. If None, any name is.
        allow_v2: Accept a signature of version 2 where there is none of version 3. It covers neither the query
            nor the body, so whoever captures one can say anything with it.

    Returns:
        An `ApiResponse`, `RecordingEnded` or `TranscriptionEnded`; or an `UnknownCallback` with the reason, if the
        signature is good, but what it signs is no event that can be believed.

    Raises:
        SignatureMissingError: The request is not signed, or not with version 3.
        SignatureMismatchError: It was signed with another token, for another URL, or was changed on its way.
        MalformedCallbackError: It cannot be verified, because it is no form or its URL holds a ``#``; or a field's
            name was cut up differently from how Plivo sent it.
        ConfigurationError: ``auth_tokens`` holds no token, or an empty one.
        ValueError: ``expected_url`` is no absolute http(s) URL, or ``expected_method`` neither GET nor POST.
        TypeError: The headers are no texts, or the body is not bytes.
    """
    callback = verify_callback(
        method,
        url,
        headers,
        body,
        auth_tokens=auth_tokens,
        expected_url=expected_url,
        expected_method=expected_method,
        allow_v2=allow_v2,
    )
    return believe(callback, conference_name=conference_name)


def believe(callback: VerifiedCallback, *, conference_name: str | None = None) -> CallbackEvent:
    """Make the event of a verified callback; the argument and the results are those of `parse_callback`.

    Raises:
        MalformedCallbackError: The name of a field was cut up differently from how Plivo sent it.
    """
    reading = read(callback, conference_name=conference_name)
    if reading.recut is not None:
        raise MalformedCallbackError(reading.recut)
    event = reading.event
    name = getattr(event, "conference_name", None)
    if conference_name is not None and name not in {None, conference_name}:
        reason = f"it tells of the conference {name!r:.80}, not of {conference_name!r:.80}"
        return UnknownCallback(raw=event.raw, reason=reason)
    return event


def verify_callback(
    method: str,
    url: str,
    headers: Headers,
    body: bytes,
    *,
    auth_tokens: AuthTokens,
    expected_url: str | None = None,
    expected_method: HttpMethod | None = None,
    allow_v2: bool = False,
) -> VerifiedCallback:
    """Verify a callback and hand out what it holds; the arguments and errors are those of `parse_callback`."""
    called, issued = called_url(method, url, expected_url)
    if expected_method not in {None, "GET", "POST"}:
        raise ValueError(f"expected_method must be GET or POST, not {expected_method!r}")
    claim = read_claim(headers, allow_v2=allow_v2)
    if "." in claim.nonce:  # what is signed ends with a dot and the nonce: the end of a form could pose as one
        raise MalformedCallbackError(f"a nonce of Plivo's holds no dot: {claim.nonce!r:.80}")
    form = read_form(headers, body)
    try:
        texts = signed_texts(claim, method, called, form)
        asked: Pairs = [] if method.upper() == "POST" else read_pairs(split_url(called)[2])
    except ValueError as error:
        raise MalformedCallbackError(str(error)) from error
    match = find_match(claim, texts, auth_tokens)
    if match is None or asked[: len(issued)] != issued:
        raise SignatureMismatchError(
            f"no signature in {', '.join(claim.signatures)} fits this URL, these fields and the given auth tokens; "
            "explain_signature() shows what was compared"
        )
    # As with the official SDKs the query of a GET wins where a name is in its form too, so that is not signed.
    named = {name for name, _ in asked}
    return VerifiedCallback(
        method="POST" if method.upper() == "POST" else "GET",
        issued=issued,
        fields=[*asked[len(issued) :], *[pair for pair in form if pair[0] not in named]],
        unsigned=[pair for pair in form if pair[0] in named] if named else [],
        signed_text=match.text,
        nonce=claim.nonce,
        url_is_pinned=expected_url is not None,
        expected_method=expected_method,
    )


def called_url(method: str, url: str, expected_url: str | None) -> tuple[str, Pairs]:
    """Return the URL that the signature must be for, and with which pairs the query of a GET must begin.

    Args:
        method: The request's method.
        url: The URL of the request.
        expected_url: The URL that was given to Plivo. If None, the URL is the request's.

    Raises:
        MalformedCallbackError: The URL of the request holds a ``#``.
        ValueError: ``expected_url`` is no absolute http(s) URL.
    """
    if "#" in url:
        raise MalformedCallbackError(f"the request's URL holds a '#', and what is behind it is not signed: {url!r:.80}")
    if expected_url is None:
        return url, []
    origin, path, query = split_url(expected_url)
    if method.upper() != "GET":
        return f"{origin}{path}?{query}", []
    return f"{origin}{path}?{url.partition('?')[2]}", read_pairs(query)


def read_form(headers: Headers, body: object) -> Pairs:
    """Return the names and values in a form; bytes that are not UTF-8 become U+FFFD, as in the official SDKs.

    Raises:
        MalformedCallbackError: The body is something other than a form. How Plivo would sign that, JSON for
            one, is not documented, so it cannot be verified. Or it holds more names than any callback.
        TypeError: The body is not bytes.
    """
    if not isinstance(body, bytes | bytearray):
        raise TypeError(f"body must be the bytes of the request's body, not {type(body).__name__}")
    if not body:
        return []
    content_type = read_content_type(headers)
    if content_type is not None and content_type.partition(";")[0].strip().lower() != FORM:
        raise MalformedCallbackError(f"a body of {content_type!r:.80} cannot be verified; Plivo sends {FORM}")
    try:
        return read_pairs(body.decode(errors="replace"))
    except ValueError as error:
        raise MalformedCallbackError(str(error)) from error
