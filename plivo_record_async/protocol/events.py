"""What a verified callback says: its fields, in any of Plivo's shapes, into an event.

The shapes, all met in the field: flat ``snake_case`` fields (https://plivo.com/docs/voice/api/conferences), flat
CamelCase fields (https://plivo.com/docs/voice/xml/conferencing.md), and one field ``response`` that holds JSON
(http://plivo.com/docs/api/conference/record/). Numbers come as integers, as ``345100.00000``, empty, or as -1
for "not known yet".

Nothing here raises for what a callback holds: its signature is good, so whatever cannot be read, or believed, is an
`UnknownCallback` with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

from plivo_record_async.protocol.fields import (
    Reader,
    UnreadableError,
    amount,
    identifier,
    json_object,
    moment,
    needed,
    plain_text,
    problem,
    spoken_text,
    web_address,
    whole_number,
)
from plivo_record_async.protocol.forms import Pairs
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    TranscriptionEnded,
    UnknownCallback,
)
from plivo_record_async.protocol.resplits import find_resplit
from plivo_record_async.protocol.verified import VerifiedCallback

__all__ = ["Reading", "read", "read_event"]

Table = Mapping[str, tuple[Reader[Any], str, str | None]]
"""Our name of a field, how it is read, and Plivo's name in snake_case and, where it has one, in CamelCase."""

_API_RESPONSE: Table = {
    "api_id": (needed(identifier), "api_id", None),
    "message": (plain_text, "message", None),
    "error": (problem, "error", None),
}
_RECORDING_ENDED: Table = {
    "api_id": (identifier, "api_id", "ApiID"),
    "conference_name": (plain_text, "conference_name", "ConferenceName"),
    "record_url": (needed(web_address), "record_url", "RecordUrl"),
    "recording_id": (identifier, "recording_id", "RecordingID"),
    "duration_s": (amount, "recording_duration", "RecordingDuration"),
    "duration_ms": (whole_number, "recording_duration_ms", "RecordingDurationMs"),
    "started_at": (moment, "recording_start_ms", "RecordingStartMs"),
    "ended_at": (moment, "recording_end_ms", "RecordingEndMs"),
}
_TRANSCRIPTION_ENDED: Table = {
    "recording_id": (needed(identifier), "recording_id", None),
    "transcription": (spoken_text, "transcription", None),
    "duration_s": (whole_number, "duration", None),
    "charge": (amount, "transcription_charge", None),
    "rate": (amount, "transcription_rate", None),
    "call_uuid": (identifier, "call_uuid", None),
    "error": (problem, "error", None),
}


_KINDS = (
    frozenset(snake for _, snake, _ in _API_RESPONSE.values()),
    frozenset(snake for _, snake, _ in _RECORDING_ENDED.values()) | {"message"},
    frozenset(snake for _, snake, _ in _TRANSCRIPTION_ENDED.values()),
    frozenset({"response"}),
    frozenset(camel for _, _, camel in _RECORDING_ENDED.values() if camel),
)

# What no other kind of callback has.
_RECORDING_MARKS = frozenset(
    name
    for ours in ("record_url", "duration_s", "duration_ms", "started_at", "ended_at")
    for name in _RECORDING_ENDED[ours][1:]
)
_BLANK = (None, "")
_RECORD_DONE = ("record_done", "record done")
_TRANSCRIPTION_MARKS = frozenset({"transcription", "transcription_charge", "transcription_rate"})


@attrs.frozen(kw_only=True)
class Reading:
    """What was made of a verified callback.

    Attributes:
        event: The event; an `UnknownCallback` with the reason, if it is none that can be believed.
        recut: Which field's name was cut up differently from how Plivo sent it, in words. If None, no name was.
    """

    event: CallbackEvent
    recut: str | None = None


def read_event(callback: VerifiedCallback, *, conference_name: str | None = None) -> CallbackEvent:
    """Return the event that a callback tells of, whatever it holds.

    Args:
        callback: The callback.
        conference_name: The name that the conference is known to have: there the names of fields are no sign that
            the callback was cut up. If None, it is not known.
    """
    return read(callback, conference_name=conference_name).event


def read(callback: VerifiedCallback, *, conference_name: str | None = None) -> Reading:  # noqa: ARG001
    """Return what `read_event` does, and whether a field's name was cut up."""
    raw, data = callback.raw, dict(callback.fields)
    piece = find_resplit(data, _KINDS)
    if piece is not None:
        reason = f"{piece!r:.80} may be other fields, or a part of one, cut up differently"
        return Reading(event=UnknownCallback(raw=raw, reason=reason), recut=reason)
    oddity = _oddity(callback)
    try:
        event = UnknownCallback(raw=raw, reason=oddity) if oddity else _event(data, raw)
    except UnreadableError as error:
        event = UnknownCallback(raw=raw, reason=str(error))
    return Reading(event=event)


def _oddity(callback: VerifiedCallback) -> str | None:
    """Say what is odd about the callback as a whole."""
    if callback.expected_method not in {None, callback.method}:
        return f"it came by {callback.method}, but {callback.expected_method} was expected"
    if callback.unsigned:
        return f"its form repeats {_names(callback.unsigned)} of the query, and the signature does not cover that"
    names = Counter(name for name, _ in callback.fields)
    repeated = [(name, "") for name, count in names.items() if count > 1]
    return f"it repeats {_names(repeated)}" if repeated else None


def _names(pairs: Pairs) -> str:
    return f"{', '.join(sorted({name for name, _ in pairs}))!r:.200}"


def _event(fields: Mapping[str, str], raw: Mapping[str, Any]) -> CallbackEvent:
    """The kind is told by what no other kind has; then everything that belongs to it must be there."""
    response = fields.get("response")
    data: Mapping[str, Any] = json_object("response", response) if response else fields
    if data.get("message") in _RECORD_DONE or any(
        name in _RECORDING_MARKS and value not in _BLANK for name, value in data.items()
    ):
        return _recording_ended(data, raw)
    if "api_id" in data and not data.keys().isdisjoint({"message", "error"}):
        return _api_response(data, raw)
    if not _TRANSCRIPTION_MARKS.isdisjoint(data) or data.keys() >= {"recording_id", "error"}:
        return _transcription_ended(data, raw)
    return UnknownCallback(raw=raw, reason="its fields are those of no known kind of callback")


def _api_response(data: Mapping[str, Any], raw: Mapping[str, Any]) -> ApiResponse:
    values = _values(_API_RESPONSE, data)
    if values["message"] is None and values["error"] is None:
        raise UnreadableError("a request was answered, but there is neither message nor error")
    return ApiResponse(**values, answer=data, raw=raw)


def _recording_ended(data: Mapping[str, Any], raw: Mapping[str, Any]) -> RecordingEnded:
    values = _values(_RECORDING_ENDED, data)
    seconds = values.pop("duration_s")
    if values["duration_ms"] is None and seconds is not None:
        values["duration_ms"] = round(seconds * 1000)
    if values["api_id"] is None and values["recording_id"] is None:
        raise UnreadableError("a recording has ended, but neither api_id nor recording_id says which one")
    return RecordingEnded(**values, raw=raw)


def _transcription_ended(data: Mapping[str, Any], raw: Mapping[str, Any]) -> TranscriptionEnded:
    values = _values(_TRANSCRIPTION_ENDED, data)
    if values["error"] is not None:
        values["transcription"] = values["transcription"] or None
    elif not values["transcription"] and (values["transcription"] is None or "error" not in data):
        # Plivo sends ``error`` with each, even if it is empty: without it an error may have been cut away.
        raise UnreadableError("a transcription has ended, but there is neither transcription nor error")
    return TranscriptionEnded(**values, raw=raw)


def _values(table: Table, data: Mapping[str, Any]) -> dict[str, Any]:
    return {ours: reader(*_given(data, snake, camel)) for ours, (reader, snake, camel) in table.items()}


def _given(data: Mapping[str, Any], snake: str, camel: str | None) -> tuple[str, Any]:
    if camel is None or camel not in data:
        return snake, data.get(snake)
    if snake in data:
        raise UnreadableError(f"{snake} and {camel} are the same field, given twice")
    return camel, data[camel]
