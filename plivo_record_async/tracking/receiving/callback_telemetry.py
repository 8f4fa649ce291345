"""The span and the metrics of a callback. Its span is the current one while it is processed."""

from __future__ import annotations

from datetime import datetime

from plivo_record_async.errors import CallbackRejectedError
from plivo_record_async.protocol.callbacks.fields import named_ids
from plivo_record_async.protocol.models import ApiResponse, CallbackEvent, RecordingEnded, TranscriptionEnded
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.interface import Orphan
from plivo_record_async.telemetry.interface import Span
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.telemetry.names import Attribute
from plivo_record_async.tracking.receiving.request_head import ClientDisconnectedError

__all__ = ["callback_span", "note_event", "note_failure", "note_orphan", "note_rejection", "note_start"]


def callback_span() -> Span:
    """Begin the span of a callback."""
    return telemetry().span("plivo.callback.process", {})


def note_start(record: FollowedRecording) -> None:
    """Link the span to the start to which the callback belongs.

    Args:
        record: The record of the start.
    """
    if not telemetry().is_recording:
        return
    span = telemetry().current_span()
    span.link(record.traceparent)
    span.set({Attribute.START_ID: record.start_id, Attribute.CONFERENCE_NAME: record.conference_name})


def note_event(before: FollowedRecording, after: FollowedRecording, event: CallbackEvent, now: datetime) -> None:
    """Note that the event of a callback was applied to its recording.

    Args:
        before: The record before that.
        after: The record as it is stored now. It is the same object if the event has changed nothing.
        event: The event.
        now: The time (aware).
    """
    if not telemetry().is_recording:
        return
    is_new = after is not before
    result = "stored" if is_new else "duplicate"
    telemetry().current_span().set(
        {
            **_about(event),
            Attribute.CALLBACK_RESULT: result,
            Attribute.STATE: after.state,
            Attribute.API_ID: after.api_id,
            Attribute.RECORDING_ID: after.recording_id,
        }
    )
    happened_at = _time_of(event, before)
    if is_new and happened_at is not None:
        seconds = max(0.0, (now - happened_at).total_seconds())
        telemetry().measure("plivo.callback.delay", seconds, {Attribute.EVENT: type(event).__name__})


def note_orphan(orphan: Orphan, *, is_new: bool) -> None:
    """Note that a callback could not be applied to a recording.

    Args:
        orphan: The orphan.
        is_new: Whether it was stored. Otherwise it is stored already, or its start was forgotten.
    """
    ids = named_ids(orphan.event.raw)
    telemetry().current_span().set(
        {
            **_about(orphan.event),
            Attribute.CALLBACK_RESULT: "orphan" if is_new else "duplicate",
            Attribute.START_ID: orphan.start_id,
            Attribute.API_ID: ids.get("api_id"),
            Attribute.RECORDING_ID: ids.get("recording_id"),
        }
    )


def note_rejection(error: CallbackRejectedError | ClientDisconnectedError) -> None:
    """Note that a callback was rejected, or that its sender closed the connection before it was complete.

    Args:
        error: The reason.
    """
    status = int(error.status) if isinstance(error, CallbackRejectedError) else None
    span = telemetry().current_span()
    span.set({Attribute.CALLBACK_RESULT: "rejected", Attribute.STATUS_CODE: status})
    span.fail(error)
    attributes = {Attribute.ERROR_TYPE: type(error).__qualname__, Attribute.STATUS_CODE: status}
    telemetry().count("plivo.callback.rejections", attributes)


def note_failure(error: Exception) -> None:
    """Note that a callback could not be stored.

    Args:
        error: The error of the store or of the tracker.
    """
    span = telemetry().current_span()
    span.set({Attribute.CALLBACK_RESULT: "not_stored"})
    span.fail(error)


def _about(event: CallbackEvent) -> dict[str, str | None]:
    """Return the attributes that describe an event."""
    return {
        Attribute.EVENT: type(event).__name__,
        Attribute.RECORD_URL: event.record_url if isinstance(event, RecordingEnded) else None,
        Attribute.TRANSCRIPTION: event.transcription if isinstance(event, TranscriptionEnded) else None,
    }


def _time_of(event: CallbackEvent, record: FollowedRecording) -> datetime | None:
    """Return when the event happened at Plivo, as far as it is known.

    The response to a start follows its sending, and a transcript follows the end of the recording.
    """
    match event:
        case ApiResponse():
            return next((entry.at for entry in reversed(record.history) if entry.kind == "sending_began"), None)
        case RecordingEnded():
            return event.ended_at
        case TranscriptionEnded():
            return next((entry.at for entry in record.history if entry.state == "recorded"), None)
        case _:
            return None
