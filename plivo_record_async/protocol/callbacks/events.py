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
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from plivo_record_async.protocol.callbacks.field_confusion import find_recut, find_second_reading
from plivo_record_async.protocol.callbacks.fields import (
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
from plivo_record_async.protocol.callbacks.known_fields import BEGINNINGS, EventKind
from plivo_record_async.protocol.callbacks.verified import VerifiedCallback
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    TranscriptionEnded,
    UnknownCallback,
)

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


def read(callback: VerifiedCallback, *, conference_name: str | None = None) -> Reading:
    """Return what `read_event` does, and whether a field's name was cut up."""
    raw, fields = callback.raw, dict(callback.fields)
    recut = find_recut(fields)
    if recut is not None:
        reason = f"{recut!r:.80} may be a known field whose name and value were cut up differently"
        return Reading(event=UnknownCallback(raw=raw, reason=reason), recut=reason)
    try:
        _check_whole(callback, fields)
        return Reading(event=_event(callback, fields, raw, conference_name))
    except UnreadableError as error:
        return Reading(event=UnknownCallback(raw=raw, reason=str(error)))


def _check_whole(callback: VerifiedCallback, fields: Mapping[str, str]) -> None:
    if callback.expected_method not in {None, callback.method}:
        raise UnreadableError(f"it came by {callback.method}, but {callback.expected_method} was expected")
    if callback.unsigned:
        names = sorted({name for name, _ in callback.unsigned})
        raise UnreadableError(f"its form repeats {', '.join(names)!r:.200} of its query, which is not signed")
    if len(fields) != len(callback.fields):
        names = sorted(name for name, count in Counter(name for name, _ in callback.fields).items() if count > 1)
        raise UnreadableError(f"it repeats {', '.join(names)!r:.200}")


def _event(
    callback: VerifiedCallback, fields: Mapping[str, str], raw: Mapping[str, Any], conference_name: str | None
) -> CallbackEvent:
    response = fields.get("response")
    data: Mapping[str, Any] = json_object("response", response) if response else fields
    kind = _kind_of(data)
    if response and not BEGINNINGS.keys().isdisjoint(fields.keys() - {"response"}):
        raise UnreadableError("it has fields of its own besides those in response")
    left = find_second_reading(callback, "response" if response else kind, conference_name)
    if left is not None:
        raise UnreadableError(f"{left!r:.80} in it may be a field of another event, cut up differently")
    return _MAKERS[kind](data, raw)


def _kind_of(data: Mapping[str, Any]) -> EventKind:
    """Tell the kind by what no other kind has; then everything that belongs to it must be there."""
    if data.get("message") in _RECORD_DONE or any(
        name in _RECORDING_MARKS and value not in _BLANK for name, value in data.items()
    ):
        return "recording"
    if "api_id" in data and not data.keys().isdisjoint({"message", "error"}):
        return "answer"
    if not _TRANSCRIPTION_MARKS.isdisjoint(data) or data.keys() >= {"recording_id", "error"}:
        return "transcription"
    raise UnreadableError("its fields are those of no known kind of callback")


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
    # Without a name in front of it, an empty error may have been cut off a failed answer's.
    if problem("error", data.get("error")) is not None or ("error" in data and "conference_name" not in data):
        raise UnreadableError("a recording has ended, but there is an error too")
    return RecordingEnded(**values, raw=raw)


def _transcription_ended(data: Mapping[str, Any], raw: Mapping[str, Any]) -> TranscriptionEnded:
    values = _values(_TRANSCRIPTION_ENDED, data)
    if values["error"] is not None:
        values["transcription"] = values["transcription"] or None
    elif not values["transcription"] and (values["transcription"] is None or "error" not in data):
        # Plivo sends ``error`` with each, even if it is empty: without it an error may have been cut away.
        raise UnreadableError("a transcription has ended, but there is neither transcription nor error")
    return TranscriptionEnded(**values, raw=raw)


_MAKERS: Mapping[EventKind, Callable[[Mapping[str, Any], Mapping[str, Any]], CallbackEvent]] = {
    "recording": _recording_ended,
    "answer": _api_response,
    "transcription": _transcription_ended,
}


def _values(table: Table, data: Mapping[str, Any]) -> dict[str, Any]:
    return {ours: reader(*_given(data, snake, camel)) for ours, (reader, snake, camel) in table.items()}


def _given(data: Mapping[str, Any], snake: str, camel: str | None) -> tuple[str, Any]:
    if camel is None or camel not in data:
        return snake, data.get(snake)
    if snake in data:
        raise UnreadableError(f"{snake} and {camel} are the same field, given twice")
    return camel, data[camel]
