"""What Plivo's answer to the question for a transcript means, and whether a transcript is requested.

https://plivo.com/docs/voice/api/recordings.md
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Final

from plivo_record_async.errors import ApiError, PlivoRecordError
from plivo_record_async.protocol.models import Transcription, TranscriptionEnded
from plivo_record_async.protocol.recording.evidence import (
    Evidence,
    StartNotSent,
    StartRejected,
    TranscriptMissing,
    TranscriptNotRequested,
)
from plivo_record_async.protocol.recording.outcomes import evidence_of_error
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import TrackingPolicy

__all__ = ["conclude_transcript", "evidence_of_refusal", "may_request"]

_FINAL: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY})
"""The statuses which say that this recording cannot be transcribed."""


def conclude_transcript(record: FollowedRecording, answer: Transcription) -> TranscriptionEnded | TranscriptMissing:
    """Return the evidence that follows from Plivo's answer.

    Only the status ``success`` is documented. A status that says neither success nor failure means that the
    transcription is in progress.

    Args:
        record: The recording.
        answer: The transcript, or the state of its transcription.
    """
    status = (answer.status or ("success" if answer.transcription else "")).casefold()
    has_failed = "fail" in status or "error" in status
    if status != "success" and not has_failed:
        return TranscriptMissing(description=f"Plivo answered that the transcription is {answer.status!r}")
    call_uuid = None if record.ended is None else record.ended.raw.get("call_uuid")
    return TranscriptionEnded(
        recording_id=answer.recording_id or record.recording_id or "",
        transcription=None if has_failed else answer.transcription or "",
        duration_s=None if answer.duration_ms is None else round(answer.duration_ms / 1000),
        charge=answer.cost,
        rate=answer.rate,
        call_uuid=call_uuid if isinstance(call_uuid, str) else None,
        error=f"Plivo answered that the transcription is {answer.status!r}" if has_failed else None,
        raw=answer.raw,
    )


def may_request(record: FollowedRecording, now: datetime, tracking: TrackingPolicy) -> bool:
    """Return whether a transcript that Plivo does not have may be requested.

    Plivo bills each request. So a transcript is requested once, and only if the start asked for it without a URL and
    Plivo has had half of ``max_backoff`` to make it. A transcription takes at most 30 minutes:
    https://www.plivo.com/docs/voice/api/call/record-calls/start-recording-a-call/

    Args:
        record: The recording.
        now: The time (aware).
        tracking: The intervals and timeouts.
    """
    is_late = now >= record.since + tracking.max_backoff / 2
    return record.transcribe and record.transcript_requested_at is None and is_late


def evidence_of_refusal(record: FollowedRecording, error: PlivoRecordError) -> Evidence | None:
    """Return the evidence that follows from the error of a request for a transcript.

    Args:
        record: The recording.
        error: The error.

    Returns:
        The evidence. If None, the request may have been executed, so it must not be repeated.
    """
    evidence = evidence_of_error(error)
    if isinstance(error, ApiError) and isinstance(evidence, StartRejected) and error.status in _FINAL:
        return TranscriptionEnded(recording_id=record.recording_id or "", error=str(error))
    if isinstance(evidence, StartRejected | StartNotSent):
        return TranscriptNotRequested(description=str(error))
    return None
