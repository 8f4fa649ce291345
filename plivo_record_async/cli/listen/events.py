"""The events that ``listen`` shows, their JSON objects and their texts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs

from plivo_record_async.cli.output.outcomes import printable
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    RecordingStatus,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.kinds import kind_of
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.interface import OrphanKept, RecordReplaced, StoreChange

__all__ = [
    "ListenEvent",
    "LogLine",
    "Ready",
    "ReceivedCallback",
    "conference_name",
    "details",
    "json_fields",
    "label",
    "received",
]


@attrs.frozen(kw_only=True)
class Ready:
    """Tells the user that callbacks are received from now on.

    Attributes:
        url: The address at which the command listens.
        public_url: The URL that Plivo calls.
        db: The store in which callbacks are kept, without a password.
    """

    url: str
    public_url: str
    db: str


@attrs.frozen(kw_only=True)
class ReceivedCallback:
    """Tells the user that a verified callback was stored.

    Attributes:
        received_at: When the callback was received.
        event: The content of the callback.
        status: The status of its recording after the callback was applied. If None, the recording is not followed.
    """

    received_at: datetime
    event: CallbackEvent
    status: RecordingStatus | None = None


@attrs.frozen
class LogLine:
    """A message of the log that is no warning.

    Attributes:
        text: The message.
    """

    text: str


ListenEvent = Ready | ReceivedCallback | LogLine | str
"""Anything that ``listen`` shows. A ``str`` is a warning."""


def received(change: StoreChange) -> Iterator[ReceivedCallback]:
    """Yield the callbacks that a change of a store contains.

    ``listen`` does not use handlers of its tracker for this purpose: an event counts as handled after they have run, so
    the handlers of the program that started the recording would never run.

    Args:
        change: The change of the store.
    """
    match change:
        case RecordReplaced(before=before, after=after):
            yield from _new_callbacks(before, after)
        case OrphanKept(orphan=orphan):
            yield ReceivedCallback(received_at=orphan.received_at, event=orphan.event)
        case _:
            pass


def _new_callbacks(before: FollowedRecording, after: FollowedRecording) -> Iterator[ReceivedCallback]:
    events = [event for event in (after.async_response, after.ended, after.transcription) if event is not None]
    for step in after.history[len(before.history) :]:
        for event in events:
            if kind_of(event) == step.kind:
                yield ReceivedCallback(received_at=step.at, event=event, status=after.status)


def json_fields(event: Ready | ReceivedCallback) -> dict[str, Any]:
    """Return the JSON object of an event.

    The object of a callback has all attributes of its event, and the ``start_id``, the ``state`` and the
    ``conference_name`` of its recording.

    Args:
        event: The event.
    """
    if isinstance(event, Ready):
        return {"type": "Ready"} | attrs.asdict(event)
    status = event.status
    about = {"start_id": status and status.start_id, "state": status and status.state}
    return (
        {"type": type(event.event).__name__, "received_at": event.received_at}
        | about
        | attrs.asdict(event.event)
        | {"conference_name": conference_name(event)}
    )


def conference_name(callback: ReceivedCallback) -> str | None:
    """Return the name of the conference, or None if it is not known.

    Args:
        callback: The callback.
    """
    named = getattr(callback.event, "conference_name", None)
    return named if callback.status is None else callback.status.conference_name


def label(callback: ReceivedCallback) -> str:
    """Return one or two words that say what a callback reports.

    Args:
        callback: The callback.
    """
    match callback.event:
        case ApiResponse(error=error):
            return "answered" if error is None else "failed"
        case RecordingEnded():
            return "recorded"
        case TranscriptionEnded(error=error):
            return "transcribed" if error is None else "no text"
        case _:
            return "unknown"


def details(callback: ReceivedCallback) -> str:
    """Return the content of a callback as one printable line.

    Args:
        callback: The callback.
    """
    match callback.event:
        case ApiResponse(message=message, error=error):
            text = error or message or ""
        case RecordingEnded(duration_ms=duration_ms, record_url=record_url):
            text = record_url if duration_ms is None else f"{duration_ms / 1000:.2f} s  {record_url}"
        case TranscriptionEnded(transcription=transcription, error=error):
            text = error or transcription or ""
        case unknown:
            text = ", ".join(unknown.raw)
    return printable(text)
