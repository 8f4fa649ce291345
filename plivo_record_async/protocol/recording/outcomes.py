"""What the end of our own sending, and what a callback, says of a followed recording."""

from __future__ import annotations

from plivo_record_async.errors import ApiError, OutcomeUnknownError, PlivoRecordError, UnexpectedResponseError
from plivo_record_async.protocol.callbacks.fields import json_object
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
    StartRefused,
    StartUnanswered,
)

__all__ = ["Started", "evidence_of_answer", "evidence_of_error", "evidence_of_event"]

Started = RecordingStarted | PendingResponse
"""Either answer to a start."""

_LENGTHS = ("recording_duration", "recording_duration_ms", "RecordingDuration", "RecordingDurationMs")


def evidence_of_answer(answer: Started) -> StartAccepted:
    """Plivo accepted the start."""
    if isinstance(answer, PendingResponse):
        return StartAccepted(words="accepted", api_id=answer.api_id)
    return StartAccepted(words="started", api_id=answer.api_id, recording_id=answer.recording_id, url=answer.url)


def evidence_of_error(error: PlivoRecordError) -> Evidence:
    """What the error of a start proves: accepted in an answer that cannot be read, unknown, refused, or not sent."""
    words = str(error)
    match error:
        case UnexpectedResponseError(message=None):
            return StartAccepted(words=words, api_id=error.api_id, recording_id=error.recording_id, url=error.url)
        case UnexpectedResponseError(api_id=api_id):  # neither done nor refused can be read off a success with an error
            return StartUnanswered(words=words, api_id=api_id)
        case OutcomeUnknownError(api_id=api_id):
            return StartUnanswered(words=words, api_id=api_id)
        case ApiError(api_id=api_id):
            return StartRefused(words=words, api_id=api_id)
        case _:
            return StartNotSent(words=words)


def evidence_of_event(event: ApiResponse | RecordingEnded | TranscriptionEnded) -> Evidence:
    """What a callback proves: what it says, unless it tells of the end of a recording that has no length yet.

    Such a one is sent when a recording begins, with a length of -1; it is known of the Record XML element:
    https://github.com/plivo/plivo-java/issues/36
    """
    if not isinstance(event, RecordingEnded) or event.recording_id is None or event.duration_ms is not None:
        return event
    response = event.raw.get("response")
    said = json_object("response", response) if response else event.raw
    # No length was read, so one that is there is -1.
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
