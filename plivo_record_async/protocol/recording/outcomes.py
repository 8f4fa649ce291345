"""The evidence that follows from the response to a start, from the error of a start, and from a callback's event."""

from __future__ import annotations

from plivo_record_async.errors import ApiError, OutcomeUnknownError, PlivoRecordError, UnexpectedResponseError
from plivo_record_async.protocol.callbacks.fields import read_json_object
from plivo_record_async.protocol.models import (
    ApiResponse,
    PendingResponse,
    Recording,
    RecordingEnded,
    RecordingStarted,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.evidence import (
    Evidence,
    RecordingBegan,
    StartAccepted,
    StartNotSent,
    StartOutcomeUnknown,
    StartRejected,
)

__all__ = ["Started", "evidence_of_error", "evidence_of_event", "evidence_of_response"]

Started = RecordingStarted | PendingResponse
"""The two results of a start."""

_LENGTH_FIELDS = ("recording_duration", "recording_duration_ms", "RecordingDuration", "RecordingDurationMs")


def evidence_of_response(started: Started, *, has_callback: bool = True) -> StartAccepted:
    """Return the evidence that follows from the response to a start.

    Args:
        started: The result of the start.
        has_callback: Whether the start has a ``callback_url``. If it has none, no callback confirms the start, but a
            response that names the recording does.
    """
    if isinstance(started, PendingResponse):
        return StartAccepted(description="accepted", api_id=started.api_id)
    return StartAccepted(
        description="started",
        api_id=started.api_id,
        recording_id=started.recording_id,
        url=started.url,
        confirmed=not has_callback and (started.recording_id, started.url) != (None, None),
    )


def evidence_of_error(error: PlivoRecordError) -> Evidence:
    """Return the evidence that follows from the error of a start.

    The start was accepted although the body of the response was unreadable, it was rejected, it was not sent, or its
    outcome is unknown.

    Args:
        error: The error.
    """
    description = str(error)
    match error:
        case UnexpectedResponseError(message=None):
            return StartAccepted(
                description=description, api_id=error.api_id, recording_id=error.recording_id, url=error.url
            )
        case UnexpectedResponseError(api_id=api_id):
            return StartOutcomeUnknown(description=description, api_id=api_id)
        case OutcomeUnknownError(api_id=api_id):
            return StartOutcomeUnknown(description=description, api_id=api_id)
        case ApiError(api_id=api_id):
            return StartRejected(description=description, api_id=api_id)
        case _:
            return StartNotSent(description=description)


def evidence_of_event(event: ApiResponse | RecordingEnded | TranscriptionEnded) -> Evidence:
    """Return the evidence that follows from an event.

    This is the event itself, unless it is a `RecordingEnded` with a length of -1. Plivo sends such a callback when a
    recording begins. This was observed with the Record XML element: https://github.com/plivo/plivo-java/issues/36

    Args:
        event: The event.
    """
    if not isinstance(event, RecordingEnded) or event.recording_id is None or event.duration_ms is not None:
        return event
    response = event.raw.get("response")
    fields = read_json_object("response", response) if response else event.raw
    # The length could not be read. If there is one nevertheless, it is -1.
    if event.ended_at is not None or all(fields.get(name) in (None, "") for name in _LENGTH_FIELDS):
        return event
    return RecordingBegan(
        recording=Recording(
            recording_id=event.recording_id,
            conference_name=event.conference_name,
            recording_url=event.record_url,
            started_at=event.started_at,
            raw=event.raw,
        )
    )
