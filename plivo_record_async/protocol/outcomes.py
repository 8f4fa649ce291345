"""What the end of our own sending says of a followed recording."""

from __future__ import annotations

from plivo_record_async.errors import ApiError, OutcomeUnknownError, PlivoRecordError, UnexpectedResponseError
from plivo_record_async.protocol.evidence import Evidence, StartAccepted, StartNotSent, StartRefused, StartUnanswered
from plivo_record_async.protocol.models import PendingResponse, RecordingStarted

__all__ = ["Started", "evidence_of_answer", "evidence_of_error"]

Started = RecordingStarted | PendingResponse
"""Either answer to a start."""


def evidence_of_answer(answer: Started) -> StartAccepted:
    """Plivo accepted the start."""
    if isinstance(answer, PendingResponse):
        return StartAccepted(words="accepted", api_id=answer.api_id)
    return StartAccepted(words="started", api_id=answer.api_id, recording_id=answer.recording_id, url=answer.url)


def evidence_of_error(error: PlivoRecordError) -> Evidence:
    """What the error of a start proves: accepted in words that make no sense, unknown, refused, or not sent."""
    words = str(error)
    match error:
        case UnexpectedResponseError():
            return StartAccepted(words=words)
        case OutcomeUnknownError(api_id=api_id):
            return StartUnanswered(words=words, api_id=api_id)
        case ApiError(api_id=api_id):
            return StartRefused(words=words, api_id=api_id)
        case _:
            return StartNotSent(words=words)
