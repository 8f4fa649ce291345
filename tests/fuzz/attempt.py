"""Parse one forged callback, which must be rejected without an unexpected error."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote

from plivo_record_async.errors import CallbackRejectedError, MalformedCallbackError
from plivo_record_async.protocol.callbacks.parsing import parse_callback
from plivo_record_async.protocol.callbacks.signatures import sign_callback_v3
from plivo_record_async.protocol.models import CallbackEvent, RecordingEnded

TOKEN, NONCE = "token", "31627761595286130198"


def attempt(data: bytes) -> CallbackEvent | None:
    """Make a callback of the data, parse it, and check what comes of it.

    The first byte says which kind: ``P`` is a POST, ``G`` a GET, ``R`` a POST with JSON in its field
    ``response``, each validly signed; anything else is a POST whose signature is whatever the data holds.
    The rest is the form, the query or the JSON.
    """
    kind, text = data[:1], data[1:].decode(errors="replace")
    method, url, form = "POST", "https://h/cb?own=1", text
    if kind == b"G":
        method, url, form = "GET", f"https://h/cb?{text}", ""
    if kind == b"R":
        form = f"response={quote(text)}"
    said = parse_qsl(form or url.partition("?")[2].partition("#")[0], keep_blank_values=True)
    params = listed(said) if form else {}
    honest = sign_callback_v3(method, url, params, NONCE, TOKEN)
    signed = kind in {b"P", b"G", b"R"}
    headers = {"X-Plivo-Signature-V3": honest if signed else text, "X-Plivo-Signature-V3-Nonce": NONCE}
    try:
        event = parse_callback(method, url, headers, form.encode(), auth_tokens=TOKEN)
    except MalformedCallbackError:
        return None
    except CallbackRejectedError:
        assert not signed, "an honest signature matches"
        return None
    assert signed, "nothing unverified becomes an event"
    sent = {name: values[0] if len(values) == 1 else values for name, values in listed(said).items()}
    assert event.raw == (sent if form or kind == b"G" else {}), "raw is what was sent"
    if isinstance(event, RecordingEnded):
        assert all(time is None or time.utcoffset() is not None for time in (event.started_at, event.ended_at))
    return event


def listed(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of each name."""
    return {name: [value for other, value in pairs if other == name] for name, _ in pairs}
