"""The evidence that follows from each outcome of a start."""

from __future__ import annotations

import json

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
from plivo_record_async.protocol.callbacks.events import read_event
from plivo_record_async.protocol.models import PendingResponse, RecordingEnded, RecordingStarted
from plivo_record_async.protocol.recording.evidence import (
    Evidence,
    RecordingBegan,
    StartAccepted,
    StartNotSent,
    StartOutcomeUnknown,
    StartRejected,
)
from plivo_record_async.protocol.recording.kinds import kind_of
from plivo_record_async.protocol.recording.outcomes import evidence_of_error, evidence_of_event, evidence_of_response
from tests.support.samples.callbacks import verified
from tests.support.samples.recordings import CONFIRMED, ENDED, FAILED, TRANSCRIBED, UNTRANSCRIBED

NOT_SENT = NotSentError("start", "rejected", phase="connect", evidence="it never connected")
TIMED_OUT = OutcomeUnknownError("start", "read timeout", phase="answer", evidence="it was sent")
BROKEN = OutcomeUnknownError("start", "503", phase="answer", evidence="it was sent", status=503, api_id="api-1")
MISSING = NotFoundError(404, "api-1", "not found", "{}")
BAD = BadRequestError(400, None, "bad", "{}")
TOO_MANY = RateLimitError(429, "api-1", "slow down", "{}")
SENSELESS = UnexpectedResponseError(202, "<html>", "it is no JSON")
READABLE = UnexpectedResponseError(
    202, "<html>", "it is no JSON", api_id="api-1", recording_id="rec-1", url="https://f/1"
)
CONTRADICTED = UnexpectedResponseError(200, "{}", "there was an error", message="not found", api_id="api-1")
MISPLACED = ConfigurationError("this client belongs to another event loop")


def test_asynchronous_response_is_evidence_of_the_api_id() -> None:
    assert evidence_of_response(PendingResponse("api-1")) == StartAccepted(description="accepted", api_id="api-1")


def test_synchronous_response_is_evidence_of_the_recording() -> None:
    answer = RecordingStarted(api_id="api-1", recording_id="rec-1", url="https://f/1")
    assert evidence_of_response(answer) == StartAccepted(
        description="started", api_id="api-1", recording_id="rec-1", url="https://f/1"
    )
    assert evidence_of_response(answer, has_callback=False).confirmed


@pytest.mark.parametrize(
    ("error", "evidence"),
    [
        (NOT_SENT, StartNotSent(description=str(NOT_SENT))),
        (MISPLACED, StartNotSent(description=str(MISPLACED))),
        (TIMED_OUT, StartOutcomeUnknown(description=str(TIMED_OUT))),
        (BROKEN, StartOutcomeUnknown(description=str(BROKEN), api_id="api-1")),
        (MISSING, StartRejected(description=str(MISSING), api_id="api-1")),
        (BAD, StartRejected(description=str(BAD))),
        (TOO_MANY, StartRejected(description=str(TOO_MANY), api_id="api-1")),
        (SENSELESS, StartAccepted(description=str(SENSELESS))),
        (READABLE, StartAccepted(description=str(READABLE), api_id="api-1", recording_id="rec-1", url="https://f/1")),
        (CONTRADICTED, StartOutcomeUnknown(description=str(CONTRADICTED), api_id="api-1")),
    ],
)
def test_each_error_is_evidence(error: PlivoRecordError, evidence: Evidence) -> None:
    assert evidence_of_error(error) == evidence


@pytest.mark.parametrize("event", [CONFIRMED, FAILED, ENDED, TRANSCRIBED, UNTRANSCRIBED])
def test_an_event_is_evidence_as_it_is(event: RecordingEnded) -> None:
    assert evidence_of_event(event) is event


BEGUN = {
    "record_url": "https://f/1.mp3",
    "recording_id": "rec-1",
    "conference_name": "standup",
    "recording_duration": "-1",
    "recording_duration_ms": "-1",
    "recording_start_ms": "1795480352612",
    "recording_end_ms": "-1",
}


def event_of(fields: dict[str, str]) -> RecordingEnded:
    event = read_event(verified(fields))
    assert isinstance(event, RecordingEnded)
    return event


@pytest.mark.parametrize(
    "fields",
    [
        BEGUN,
        {**BEGUN, "recording_duration_ms": ""},
        {**BEGUN, "recording_duration": ""},
        {"RecordUrl": "https://f/1.mp3", "RecordingID": "rec-1", "RecordingDuration": "-1"},
        {"RecordUrl": "https://f/1.mp3", "RecordingID": "rec-1", "RecordingDurationMs": "-1"},
        {"response": json.dumps(BEGUN)},
        {"response": json.dumps({"record_url": "https://f/1.mp3", "recording_id": "rec-1", "recording_duration": -1})},
    ],
)
def test_end_callback_without_a_length_is_the_beginning(fields: dict[str, str]) -> None:
    evidence = evidence_of_event(event_of(fields))
    assert isinstance(evidence, RecordingBegan)
    assert kind_of(evidence) == "recording_began"
    assert (evidence.recording.recording_id, evidence.recording.recording_url) == ("rec-1", "https://f/1.mp3")
    assert evidence.recording.raw == fields


@pytest.mark.parametrize(
    "fields",
    [
        {**BEGUN, "recording_duration": "0"},
        {**BEGUN, "recording_duration_ms": "1"},
        {**BEGUN, "recording_end_ms": "1795480353622"},
        {**BEGUN, "recording_duration": "", "recording_duration_ms": ""},
        {"record_url": "https://f/1.mp3", "recording_id": "rec-1", "conference_name": "duration: -12"},
        {"record_url": "https://f/1.mp3", "recording_id": "rec-1", "conference_name": "duration -1"},
        {"response": json.dumps({**BEGUN, "conference_name": "duration: -1", "recording_duration": 9})},
        {"response": '{"record_url": "https://f/1.mp3", "recording_id": "rec-1", "conference_name": "duration -1"}'},
        {"record_url": "https://f/1.mp3", "recording_id": "rec-1", "message": "record_done"},
        {"record_url": "https://f/1.mp3", "api_id": "api-1", "recording_duration": "-1"},
    ],
)
def test_end_callback_with_a_length_is_the_end(fields: dict[str, str]) -> None:
    event = event_of(fields)
    assert evidence_of_event(event) is event
