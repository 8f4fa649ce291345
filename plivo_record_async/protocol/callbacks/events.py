"""Convert the fields of a verified callback, in any of Plivo's formats, into an event.

Plivo uses three formats: flat ``snake_case`` fields (https://plivo.com/docs/voice/api/conferences), flat CamelCase
fields (https://plivo.com/docs/voice/xml/conferencing.md), and one field ``response`` with JSON
(http://plivo.com/docs/api/conference/record/). Numbers are integers, ``345100.00000``, empty, or -1 for "not known
yet".

The functions raise no error for the content of a callback. Its signature is valid, so a callback that cannot be read or
trusted becomes an `UnknownCallback` with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from plivo_record_async.protocol.callbacks.field_confusion import find_second_reading, find_shifted_name
from plivo_record_async.protocol.callbacks.fields import (
    Reader,
    UnreadableFieldError,
    read_error,
    read_id,
    read_integer,
    read_json_object,
    read_number,
    read_text,
    read_time,
    read_transcript,
    read_url,
    required,
)
from plivo_record_async.protocol.callbacks.known_fields import VALUE_STARTS, EventKind
from plivo_record_async.protocol.callbacks.verified import VerifiedCallback
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    TranscriptionEnded,
    UnknownCallback,
)

__all__ = ["Interpretation", "interpret", "read_event"]

FieldTable = Mapping[str, tuple[Reader[Any], str, str | None]]
"""For each attribute of an event: its reader, and the names of the field in snake_case and in CamelCase (or None)."""

_API_RESPONSE: FieldTable = {
    "api_id": (required(read_id), "api_id", None),
    "message": (read_text, "message", None),
    "error": (read_error, "error", None),
}
_RECORDING_ENDED: FieldTable = {
    "api_id": (read_id, "api_id", "ApiID"),
    "conference_name": (read_text, "conference_name", "ConferenceName"),
    "record_url": (required(read_url), "record_url", "RecordUrl"),
    "recording_id": (read_id, "recording_id", "RecordingID"),
    "duration_s": (read_number, "recording_duration", "RecordingDuration"),
    "duration_ms": (read_integer, "recording_duration_ms", "RecordingDurationMs"),
    "started_at": (read_time, "recording_start_ms", "RecordingStartMs"),
    "ended_at": (read_time, "recording_end_ms", "RecordingEndMs"),
}
_TRANSCRIPTION_ENDED: FieldTable = {
    "recording_id": (required(read_id), "recording_id", None),
    "transcription": (read_transcript, "transcription", None),
    "duration_s": (read_integer, "duration", None),
    "charge": (read_number, "transcription_charge", None),
    "rate": (read_number, "transcription_rate", None),
    "call_uuid": (read_id, "call_uuid", None),
    "error": (read_error, "error", None),
}


_RECORDING_ONLY_NAMES = frozenset(
    name
    for attribute in ("record_url", "duration_s", "duration_ms", "started_at", "ended_at")
    for name in _RECORDING_ENDED[attribute][1:]
)
"""Names of fields that only callbacks about the end of a recording have."""

_EMPTY = (None, "")
_RECORD_DONE = ("record_done", "record done")
_TRANSCRIPTION_ONLY_NAMES = frozenset({"transcription", "transcription_charge", "transcription_rate"})
"""Names of fields that only callbacks about a transcription have."""


@attrs.frozen(kw_only=True)
class Interpretation:
    """The result of reading a verified callback.

    Attributes:
        event: The event. It is an `UnknownCallback` with the reason if the callback cannot be trusted.
        shifted_name: Why a name must have been split from its value in another place than by Plivo. If None, no name
            was.
    """

    event: CallbackEvent
    shifted_name: str | None = None


def read_event(callback: VerifiedCallback, *, conference_name: str | None = None) -> CallbackEvent:
    """Return the event that a callback reports.

    Args:
        callback: The verified callback.
        conference_name: The name of the conference. If it contains the name of a field, this does not make the callback
            ambiguous. If None, the name is not known.

    Returns:
        The event. It is an `UnknownCallback` with the reason if the callback cannot be trusted.
    """
    return interpret(callback, conference_name=conference_name).event


def interpret(callback: VerifiedCallback, *, conference_name: str | None = None) -> Interpretation:
    """Return the event that a callback reports, and whether a name was split from its value in another place.

    Args:
        callback: The verified callback.
        conference_name: The name of the conference. If None, the name is not known.

    Returns:
        The event, as `read_event` returns it, and the reason if a name was split in another place.
    """
    raw, fields = callback.raw, dict(callback.fields)
    shifted_name = find_shifted_name(fields)
    if shifted_name is not None:
        reason = f"{shifted_name!r:.80} may be a known field whose name and value were split in another place"
        return Interpretation(event=UnknownCallback(raw=raw, reason=reason), shifted_name=reason)
    try:
        _check_request(callback, fields)
        return Interpretation(event=_event(callback, fields, raw, conference_name))
    except UnreadableFieldError as error:
        return Interpretation(event=UnknownCallback(raw=raw, reason=str(error)))


def _check_request(callback: VerifiedCallback, fields: Mapping[str, str]) -> None:
    """Raise an `UnreadableFieldError` if the method is not the expected one or a name is repeated."""
    if callback.expected_method not in {None, callback.method}:
        raise UnreadableFieldError(f"its method is {callback.method}, but {callback.expected_method} was expected")
    if callback.unsigned:
        names = sorted({name for name, _ in callback.unsigned})
        raise UnreadableFieldError(f"its form repeats {', '.join(names)!r:.200} of its query, which is not signed")
    if len(fields) != len(callback.fields):
        names = sorted(name for name, count in Counter(name for name, _ in callback.fields).items() if count > 1)
        raise UnreadableFieldError(f"it repeats {', '.join(names)!r:.200}")


def _event(
    callback: VerifiedCallback, fields: Mapping[str, str], raw: Mapping[str, Any], conference_name: str | None
) -> CallbackEvent:
    response = fields.get("response")
    data: Mapping[str, Any] = read_json_object("response", response) if response else fields
    kind = _kind_of(data)
    if response and not VALUE_STARTS.keys().isdisjoint(fields.keys() - {"response"}):
        raise UnreadableFieldError("it has fields of its own besides those in response")
    ambiguous = find_second_reading(callback, "response" if response else kind, conference_name)
    if ambiguous is not None:
        raise UnreadableFieldError(
            f"{ambiguous!r:.80} in it may be a field of another event that the same text could report"
        )
    return _MAKERS[kind](data, raw)


def _kind_of(data: Mapping[str, Any]) -> EventKind:
    """Return the kind of event, which is recognized by names of fields that no other kind has."""
    if data.get("message") in _RECORD_DONE or any(
        name in _RECORDING_ONLY_NAMES and value not in _EMPTY for name, value in data.items()
    ):
        return "recording"
    if "api_id" in data and not data.keys().isdisjoint({"message", "error"}):
        return "api_response"
    if not _TRANSCRIPTION_ONLY_NAMES.isdisjoint(data) or data.keys() >= {"recording_id", "error"}:
        return "transcription"
    raise UnreadableFieldError("its fields are not those of a known kind of callback")


def _api_response(data: Mapping[str, Any], raw: Mapping[str, Any]) -> ApiResponse:
    values = _values(_API_RESPONSE, data)
    if values["message"] is None and values["error"] is None:
        raise UnreadableFieldError("it is the response to a request, but it has neither message nor error")
    return ApiResponse(**values, answer=data, raw=raw)


def _recording_ended(data: Mapping[str, Any], raw: Mapping[str, Any]) -> RecordingEnded:
    values = _values(_RECORDING_ENDED, data)
    seconds = values.pop("duration_s")
    if values["duration_ms"] is None and seconds is not None:
        values["duration_ms"] = round(seconds * 1000)
    if values["api_id"] is None and values["recording_id"] is None:
        raise UnreadableFieldError("a recording has ended, but neither api_id nor recording_id says which one")
    # Without conference_name before it, an empty error may be the rest of the error of a failed request.
    if read_error("error", data.get("error")) is not None or ("error" in data and "conference_name" not in data):
        raise UnreadableFieldError("a recording has ended, but there is also an error")
    return RecordingEnded(**values, raw=raw)


def _transcription_ended(data: Mapping[str, Any], raw: Mapping[str, Any]) -> TranscriptionEnded:
    values = _values(_TRANSCRIPTION_ENDED, data)
    if values["error"] is not None:
        values["transcription"] = values["transcription"] or None
    elif not values["transcription"] and (values["transcription"] is None or "error" not in data):
        # Plivo always sends ``error``, even if it is empty. If it is missing, it may be hidden in another field.
        raise UnreadableFieldError("a transcription has ended, but there is neither transcription nor error")
    return TranscriptionEnded(**values, raw=raw)


_MAKERS: Mapping[EventKind, Callable[[Mapping[str, Any], Mapping[str, Any]], CallbackEvent]] = {
    "recording": _recording_ended,
    "api_response": _api_response,
    "transcription": _transcription_ended,
}


def _values(table: FieldTable, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the attributes in a table."""
    return {
        attribute: reader(snake, data.get(snake))
        if camel is None or camel not in data
        else reader(*_camel_field(data, snake, camel))
        for attribute, (reader, snake, camel) in table.items()
    }


def _camel_field(data: Mapping[str, Any], snake: str, camel: str) -> tuple[str, Any]:
    """Return the name in CamelCase and the value of a field, which must not have its name in snake_case too."""
    if snake in data:
        raise UnreadableFieldError(f"{snake} and {camel} are the same field, given twice")
    return camel, data[camel]
