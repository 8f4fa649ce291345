"""The evidence that follows from the answer to a start, from its error, and from the event of a callback."""

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
"""The two answers to a start."""

_LENGTHS = ("recording_duration", "recording_duration_ms", "RecordingDuration", "RecordingDurationMs")


def evidence_of_response(answer: Started) -> StartAccepted:
    """Return the evidence of the answer to a start.

    Args:
        answer: The answer.
    """
    if isinstance(answer, PendingResponse):
        return StartAccepted(description="accepted", api_id=answer.api_id)
    return StartAccepted(description="started", api_id=answer.api_id, recording_id=answer.recording_id, url=answer.url)


def evidence_of_error(error: PlivoRecordError) -> Evidence:
    """Return the evidence of the error of a start: accepted with an unreadable body, unknown, refused, or not sent.

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
    """Return the evidence of an event: the event itself, unless it reports the end of a recording that has no length.

    Plivo sends such a callback, with a length of -1, when a recording begins. It is known from the Record XML element:
    https://github.com/plivo/plivo-java/issues/36

    Args:
        event: The event.
    """
    if not isinstance(event, RecordingEnded) or event.recording_id is None or event.duration_ms is not None:
        return event
    response = event.raw.get("response")
    said = read_json_object("response", response) if response else event.raw
    # No length could be read, so a length that is present is -1.
    if event.ended_at is not None or all(said.get(name) in (None, "") for name in _LENGTHS):
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
