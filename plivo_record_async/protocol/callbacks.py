"""From a callback's request to a verified event.

``parse_callback`` is the only way to an event: it verifies first, then reads. Its two halves stand by themselves:
`verify_callback` looks at URL, headers and body and knows nothing of events, `events.read_event` sees only
fields that were verified.
"""

from __future__ import annotations

from collections import Counter

from plivo_record_async.errors import MalformedCallbackError, SignatureMismatchError
from plivo_record_async.protocol.events import VerifiedFields, read_event
from plivo_record_async.protocol.forms import Pairs, read_pairs, read_query
from plivo_record_async.protocol.models import CallbackEvent
from plivo_record_async.protocol.signatures import (
    AuthTokens,
    Headers,
    matching_header,
    read_claim,
    signed_texts,
    split_url,
)

__all__ = ["parse_callback", "read_form", "verify_callback"]

_FORM = "application/x-www-form-urlencoded"


def parse_callback(
    method: str, url: str, headers: Headers, body: bytes, *, auth_tokens: AuthTokens, allow_v2: bool = False
) -> CallbackEvent:
    """Verify a callback, then make the event that it tells of.

    https://docs.plivo.com/docs/voice/concepts/signature-validation/

    Args:
        method: The request's method, ``GET`` or ``POST``.
        url: The public URL that Plivo called, with its query: scheme, host, port and path as they were given to
            Plivo. Behind a proxy that ends TLS the request's own URL is another one. With GET the fields are in
            its query; with POST its query is signed too, but says nothing of the event.
        headers: The request's header fields, names in any case.
        body: The request's body, a form.
        auth_tokens: The auth token of the account or subaccount, or all of them; during a rotation, old and new.
        allow_v2: Accept a signature of version 2 where there is none of version 3. It covers neither the query
            nor the body, so whoever captures one can say anything with it.

    Returns:
        An `ApiResponse`, `RecordingEnded`, `TranscriptionEnded`, or an `UnknownCallback`.

    Raises:
        SignatureMissingError: It is not signed, or not with version 3.
        SignatureMismatchError: It was signed with another token, for another URL, or was changed on its way.
        MalformedCallbackError: It is no callback of Plivo's, or could be another one, cut up differently.
        ConfigurationError: ``auth_tokens`` holds no token, or an empty one.
        TypeError: The headers are no texts, or the body is not bytes.
    """
    return read_event(verify_callback(method, url, headers, body, auth_tokens=auth_tokens, allow_v2=allow_v2))


def verify_callback(
    method: str, url: str, headers: Headers, body: bytes, *, auth_tokens: AuthTokens, allow_v2: bool = False
) -> VerifiedFields:
    """Verify a callback and hand out its fields; the arguments and errors are those of `parse_callback`."""
    claim = read_claim(headers, allow_v2=allow_v2)
    if "." in claim.nonce:  # what is signed ends with a dot and the nonce: the end of a form could pose as one
        raise MalformedCallbackError(f"a nonce of Plivo's holds no dot: {claim.nonce!r:.80}")
    form = read_form(headers, body)
    try:
        texts = signed_texts(claim, method, url, form)
    except ValueError as error:
        raise MalformedCallbackError(str(error)) from error
    if matching_header(claim, texts, auth_tokens) is None:
        raise SignatureMismatchError(
            f"no signature in {', '.join(claim.signatures)} fits this URL, these fields and the given auth tokens; "
            "explain_signature() shows what was compared"
        )
    fields = form if method.upper() == "POST" else [*read_query(split_url(url)[2]), *form]
    return VerifiedFields(_unrepeated(fields))


def read_form(headers: Headers, body: object) -> Pairs:
    """The names and values in a form; bytes that are not UTF-8 become U+FFFD, as in the official SDKs.

    Raises:
        MalformedCallbackError: The body is something other than a form. How Plivo would sign that, JSON for
            one, is not documented, so it cannot be verified.
        TypeError: The body is not bytes.
    """
    if not isinstance(body, bytes | bytearray):
        raise TypeError(f"body must be the bytes of the request's body, not {type(body).__name__}")
    if not body:
        return []
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), _FORM)
    if content_type.partition(";")[0].strip().lower() != _FORM:
        raise MalformedCallbackError(f"a body of {content_type!r:.80} cannot be verified; Plivo sends {_FORM}")
    return read_pairs(body.decode(errors="replace"))


def _unrepeated(pairs: Pairs) -> dict[str, str]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        repeated = sorted(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise MalformedCallbackError(f"the callback repeats {', '.join(repeated)!r:.200}")
    return fields
