"""Verify the request of a callback and return its event.

`parse_callback` does this in two steps: `verify_callback` checks the URL, the headers and the body, and
`events.interpret` reads the fields that were verified. The tracker's receiver uses the two steps separately, because it
keeps callbacks that `parse_callback` rejects.
"""

from __future__ import annotations

from plivo_record_async.errors import MalformedCallbackError, SignatureMismatchError
from plivo_record_async.protocol.callbacks.events import interpret
from plivo_record_async.protocol.callbacks.signatures import (
    AuthTokens,
    Headers,
    SignatureHeaders,
    find_match,
    read_content_type,
    read_signature_headers,
    signed_texts,
    split_url,
)
from plivo_record_async.protocol.callbacks.urlencoded import Pairs, read_pairs
from plivo_record_async.protocol.callbacks.verified import VerifiedCallback
from plivo_record_async.protocol.models import CallbackEvent, HttpMethod, UnknownCallback

__all__ = [
    "FORM",
    "called_url",
    "decode_form",
    "event_of",
    "parse_callback",
    "read_form",
    "verify_callback",
    "verify_fields",
]

FORM = "application/x-www-form-urlencoded"
"""The content type of the bodies that Plivo sends."""


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
    """Verify a callback and return the event that it reports.

    A signature of version 3 covers the names and values of a request as one text without separators. An attacker who
    captured a genuine callback can present the same text under another method, query or form. Pass everything that you
    know about the callback in ``expected_url``, ``expected_method`` and ``conference_name``, so that only one reading
    of the text is possible. Without these arguments, a callback whose text could also report another event is not
    trusted. https://docs.plivo.com/docs/voice/concepts/signature-validation/

    Args:
        method: The method of the request: ``GET`` or ``POST``.
        url: The public URL that Plivo called, with its query. Its scheme, host, port and path must be those that were
            given to Plivo; behind a proxy that terminates TLS, they differ from those of the request. The query of a
            GET contains the fields. The query of a POST is signed too, but contains no field of the event.
        headers: The headers of the request, with names in any case, or Django's ``request.META``.
        body: The body of the request. The body of a POST is a form.
        auth_tokens: The auth token of the account or subaccount, or several tokens. During a rotation, pass the old and
            the new one.
        expected_url: The URL that was given to Plivo, with or without its fragment. The signature is checked against it
            instead of ``url``, and the query of a GET must begin with its query. If None, the signature is checked
            against ``url``.
        expected_method: The ``callback_method`` that was given to Plivo. A callback with the other method is not
            trusted. If None, both methods are accepted.
        conference_name: The name of the conference. An event with another name is not trusted. If None, every name is
            accepted.
        allow_v2: Whether to accept a signature of version 2 if the request has none of version 3. Version 2 covers
            neither the query nor the body, so an attacker who captures a signature can change both.

    Returns:
        An `ApiResponse`, `RecordingEnded` or `TranscriptionEnded`. If the signature is valid but the callback cannot be
        trusted as one of these events, an `UnknownCallback` with the reason.

    Raises:
        SignatureMissingError: The request has no signature of an accepted version.
        SignatureMismatchError: The request was signed with another token or for another URL, or it was changed after it
            was signed.
        MalformedCallbackError: The request cannot be verified, because its body is not a form or its URL contains
            ``#``; or a name was split from its value in another place than by Plivo.
        ConfigurationError: ``auth_tokens`` is empty or contains an empty token.
        ValueError: ``expected_url`` is not an absolute http(s) URL, or ``expected_method`` is neither GET nor POST.
        TypeError: The headers are not texts, or the body is not bytes.
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
    return event_of(callback, conference_name=conference_name)


def event_of(callback: VerifiedCallback, *, conference_name: str | None = None) -> CallbackEvent:
    """Return the event that a verified callback reports.

    Args:
        callback: The verified callback.
        conference_name: The name of the conference. If None, every name is accepted.

    Returns:
        The event, as `parse_callback` returns it.

    Raises:
        MalformedCallbackError: A name was split from its value in another place than by Plivo.
    """
    interpretation = interpret(callback, conference_name=conference_name)
    if interpretation.shifted_name is not None:
        raise MalformedCallbackError(interpretation.shifted_name)
    event = interpretation.event
    name = getattr(event, "conference_name", None)
    if conference_name is not None and name not in {None, conference_name}:
        reason = f"it reports the conference {name!r:.80}, not {conference_name!r:.80}"
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
    """Verify the signature of a callback.

    Args:
        method: The method of the request.
        url: The public URL that Plivo called, with its query.
        headers: The headers of the request.
        body: The body of the request.
        auth_tokens: The auth tokens with which the request may have been signed.
        expected_url: The URL that was given to Plivo. If None, the signature is checked against ``url``.
        expected_method: The ``callback_method`` that was given to Plivo. It becomes an attribute of the result and is
            not checked here.
        allow_v2: Whether to accept a signature of version 2 if the request has none of version 3.

    Returns:
        The fields of the callback, and what is known about their signature.

    Raises:
        SignatureMissingError: The request has no signature of an accepted version.
        SignatureMismatchError: No signature matches.
        MalformedCallbackError: The request cannot be verified.
        ConfigurationError: ``auth_tokens`` is empty or contains an empty token.
        ValueError: ``expected_url`` is not an absolute http(s) URL, or ``expected_method`` is neither GET nor POST.
        TypeError: The headers are not texts, or the body is not bytes.
    """
    called, issued = called_url(method, url, expected_url)
    if expected_method not in {None, "GET", "POST"}:
        raise ValueError(f"expected_method must be GET or POST, not {expected_method!r}")
    signature_headers = read_signature_headers(headers, allow_v2=allow_v2)
    return verify_fields(
        method,
        called,
        signature_headers,
        read_form(headers, body),
        auth_tokens=auth_tokens,
        issued=issued,
        url_is_pinned=expected_url is not None,
        expected_method=expected_method,
    )


def verify_fields(
    method: str,
    url: str,
    signature_headers: SignatureHeaders,
    form: Pairs,
    *,
    auth_tokens: AuthTokens,
    issued: Pairs = (),
    url_is_pinned: bool = False,
    expected_method: HttpMethod | None = None,
) -> VerifiedCallback:
    """Verify the signature of a callback whose headers and form were read already.

    Args:
        method: The method of the request.
        url: The URL that must have been signed, with its query.
        signature_headers: The signature headers of the request.
        form: The decoded fields of the body.
        auth_tokens: The auth tokens with which the request may have been signed.
        issued: The pairs with which the query of a GET must begin.
        url_is_pinned: Whether ``url`` was given to Plivo.
        expected_method: The ``callback_method`` that was given to Plivo. It becomes an attribute of the result and is
            not checked here.

    Returns:
        The fields of the callback, and what is known about their signature.

    Raises:
        SignatureMismatchError: No signature matches.
        MalformedCallbackError: The request cannot be verified.
        ConfigurationError: ``auth_tokens`` is empty or contains an empty token.
    """
    if "." in signature_headers.nonce:  # a dot separates form and nonce, so a part of the form could become the nonce
        raise MalformedCallbackError(f"the nonce must not contain a dot: {signature_headers.nonce!r:.80}")
    is_post = method.upper() == "POST"
    try:
        texts = signed_texts(signature_headers, method, url, form)
        query_pairs: Pairs = [] if is_post else read_pairs(split_url(url)[2])
    except ValueError as error:
        raise MalformedCallbackError(str(error)) from error
    match = find_match(signature_headers, texts, auth_tokens)
    if match is None or [*query_pairs[: len(issued)]] != [*issued]:
        raise SignatureMismatchError(
            f"no signature in {', '.join(signature_headers.signatures)} matches this URL, these fields and the given "
            "auth tokens; explain_signature() shows what was compared"
        )
    # As in the official SDKs, the query of a GET has precedence. Pairs of its form with the same names are not signed.
    named = {name for name, _ in query_pairs}
    return VerifiedCallback(
        method="POST" if is_post else "GET",
        issued=issued,
        fields=[*query_pairs[len(issued) :], *[pair for pair in form if pair[0] not in named]],
        unsigned=[pair for pair in form if pair[0] in named] if named else [],
        signed_text=match.text,
        nonce=signature_headers.nonce,
        url_is_pinned=url_is_pinned,
        expected_method=expected_method,
    )


def called_url(method: str, url: str, expected_url: str | None) -> tuple[str, Pairs]:
    """Return the URL that must have been signed, and the pairs with which the query of a GET must begin.

    Args:
        method: The method of the request.
        url: The URL of the request.
        expected_url: The URL that was given to Plivo. If None, the URL of the request is returned, and no pairs.

    Raises:
        MalformedCallbackError: The URL of the request contains ``#``.
        ValueError: ``expected_url`` is not an absolute http(s) URL.
    """
    if "#" in url:
        raise MalformedCallbackError(f"the request's URL has a '#', and what follows it is not signed: {url!r:.80}")
    if expected_url is None:
        return url, []
    origin, path, query = split_url(expected_url)
    if method.upper() != "GET":
        return f"{origin}{path}?{query}", []
    return f"{origin}{path}?{url.partition('?')[2]}", read_pairs(query)


def read_form(headers: Headers, body: object) -> Pairs:
    """Return the names and values in the body of a request.

    Bytes that are not UTF-8 become U+FFFD, as in the official SDKs.

    Args:
        headers: The headers of the request.
        body: The body of the request.

    Returns:
        The pairs. There are none if the body is empty.

    Raises:
        MalformedCallbackError: The body is not a form, or it has too many names. Another content type, such as JSON,
            cannot be verified, because Plivo does not document how it would sign it.
        TypeError: The body is not bytes.
    """
    if not isinstance(body, bytes | bytearray):
        raise TypeError(f"body must be bytes, not {type(body).__name__}")
    if not body:
        return []
    content_type = read_content_type(headers)
    if content_type is not None and content_type.partition(";")[0].strip().lower() != FORM:
        raise MalformedCallbackError(f"a body of {content_type!r:.80} cannot be verified; Plivo sends {FORM}")
    return decode_form(body)


def decode_form(body: bytes | bytearray) -> Pairs:
    """Return the names and values in a form.

    Bytes that are not UTF-8 become U+FFFD, as in the official SDKs.

    Args:
        body: The form.

    Raises:
        MalformedCallbackError: The form has too many names.
    """
    try:
        return read_pairs(body.decode(errors="replace"))
    except ValueError as error:
        raise MalformedCallbackError(str(error)) from error
