"""What Plivo's answers about a transcript mean, and when a transcript is requested."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from plivo_record_async import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PlivoRecordError,
    RateLimitError,
    UnexpectedResponseError,
)
from plivo_record_async.protocol.models import Transcription, TranscriptionEnded
from plivo_record_async.protocol.recording.evidence import TranscriptMissing, TranscriptNotRequested
from plivo_record_async.protocol.recording.transcripts import conclude_transcript, evidence_of_refusal, may_request
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING
from tests.support.samples.error_examples import EXAMPLES
from tests.support.samples.recordings import NOW, recording

RECORDED = attrs.evolve(recording("recorded"), transcribe=True)


def test_transcript_has_the_attributes_of_one_from_a_callback() -> None:
    answer = Transcription(
        transcription="good morning", status="success", duration_ms=22_780, cost=0.05, rate=0.05, raw={"api_id": "a"}
    )
    ended = RECORDED.ended
    assert ended is not None
    record = attrs.evolve(RECORDED, ended=attrs.evolve(ended, raw={"call_uuid": "call-1"}))
    assert conclude_transcript(record, answer) == TranscriptionEnded(
        recording_id="rec-1",
        transcription="good morning",
        duration_s=23,
        charge=0.05,
        rate=0.05,
        call_uuid="call-1",
        raw={"api_id": "a"},
    )


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        ("success", "hi", "hi"),
        ("Success", None, ""),
        (None, "hi", "hi"),
        ("in progress", "", "missing"),
        ("in progress", "hi", "missing"),
        (None, None, "missing"),
        ("queued", None, "missing"),
        ("failed", "", "failed"),
        ("Error", None, "failed"),
    ],
)
def test_status_decides_what_an_answer_means(status: str | None, text: str | None, expected: str) -> None:
    match conclude_transcript(RECORDED, Transcription(status=status, transcription=text)):
        case TranscriptMissing():
            assert expected == "missing"
        case TranscriptionEnded(error=None, transcription=transcription):
            assert transcription == expected
        case TranscriptionEnded(error=error):
            assert (expected, error) == ("failed", f"Plivo answered that the transcription is {status!r}")


def test_transcript_is_requested_only_once_only_late_and_only_if_the_start_asked_for_it() -> None:
    late = NOW + DEFAULT_TRACKING.max_backoff / 2
    assert may_request(RECORDED, late, DEFAULT_TRACKING)
    assert not may_request(RECORDED, late - timedelta(microseconds=1), DEFAULT_TRACKING)
    assert not may_request(attrs.evolve(RECORDED, transcript_requested_at=NOW), late, DEFAULT_TRACKING)
    assert not may_request(attrs.evolve(RECORDED, transcribe=False), late, DEFAULT_TRACKING)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotSentError, TranscriptNotRequested),
        (RateLimitError, TranscriptNotRequested),
        (AuthenticationError, TranscriptNotRequested),
        (BadRequestError, TranscriptionEnded),
        (NotFoundError, TranscriptionEnded),
        (OutcomeUnknownError, None),
        (UnexpectedResponseError, None),
    ],
)
def test_only_a_request_that_was_certainly_not_executed_may_be_repeated(
    error: type[PlivoRecordError], kind: type[object] | None
) -> None:
    example = next(each for each, _ in EXAMPLES if type(each) is error)
    evidence = evidence_of_refusal(RECORDED, example)
    assert evidence is None if kind is None else isinstance(evidence, kind)
