"""What each end of a call proves of a start."""

from __future__ import annotations

import pytest

from plivo_record_async.errors import (
    BadRequestError,
    ConfigurationError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PlivoRecordError,
    RateLimitError,
    UnexpectedResponseError,
)
from plivo_record_async.protocol.evidence import Evidence, StartAccepted, StartNotSent, StartRefused, StartUnanswered
from plivo_record_async.protocol.models import PendingResponse, RecordingStarted
from plivo_record_async.protocol.outcomes import evidence_of_answer, evidence_of_error

NOT_SENT = NotSentError("start", "refused", phase="connect", evidence="it never connected")
TIMED_OUT = OutcomeUnknownError("start", "read timeout", phase="answer", evidence="it was sent")
BROKEN = OutcomeUnknownError("start", "503", phase="answer", evidence="it was sent", status=503, api_id="api-1")
MISSING = NotFoundError(404, "api-1", "not found", "{}")
BAD = BadRequestError(400, None, "bad", "{}")
TOO_MANY = RateLimitError(429, "api-1", "slow down", "{}")
SENSELESS = UnexpectedResponseError(202, "<html>", "it is no JSON")
MISPLACED = ConfigurationError("this client belongs to another event loop")


def test_in_asynchronous_mode_the_answer_brings_an_id() -> None:
    assert evidence_of_answer(PendingResponse("api-1")) == StartAccepted(words="accepted", api_id="api-1")


def test_otherwise_it_brings_the_recording_too() -> None:
    answer = RecordingStarted(api_id="api-1", recording_id="rec-1", url="https://f/1")
    assert evidence_of_answer(answer) == StartAccepted(
        words="started", api_id="api-1", recording_id="rec-1", url="https://f/1"
    )


@pytest.mark.parametrize(
    ("error", "evidence"),
    [
        (NOT_SENT, StartNotSent(words=str(NOT_SENT))),
        (MISPLACED, StartNotSent(words=str(MISPLACED))),
        (TIMED_OUT, StartUnanswered(words=str(TIMED_OUT))),
        (BROKEN, StartUnanswered(words=str(BROKEN), api_id="api-1")),
        (MISSING, StartRefused(words=str(MISSING), api_id="api-1")),
        (BAD, StartRefused(words=str(BAD))),
        (TOO_MANY, StartRefused(words=str(TOO_MANY), api_id="api-1")),
        (SENSELESS, StartAccepted(words=str(SENSELESS))),
    ],
)
def test_each_error_is_evidence(error: PlivoRecordError, evidence: Evidence) -> None:
    assert evidence_of_error(error) == evidence
