"""Which callbacks contradict what is known of a recording."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from plivo_record_async.protocol.models import (
    ApiResponse,
    Recording,
    RecordingEnded,
    StartRequest,
    TranscriptionEnded,
    UnknownCallback,
)
from plivo_record_async.protocol.recording.contradictions import contradiction
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    RecordingBegan,
    RecordingFound,
    StartAccepted,
    StartOutcomeUnknown,
    StartRejected,
)
from plivo_record_async.protocol.recording.lifecycle import apply, begin_sending
from plivo_record_async.protocol.recording.record import FollowedRecording
from tests.support.samples.recordings import NOW, ROW

URL = "https://f/1.mp3"
ANSWER = StartAccepted(description="202", api_id="api-1", recording_id="rec-1", url=URL)
CONFIRMED = ApiResponse(api_id="api-1", message="started", answer={"recording_id": "rec-1"}, raw={"response": "{}"})
ENDED = RecordingEnded(api_id="api-1", record_url=URL, recording_id="rec-1", raw={"record_url": URL})
TRANSCRIBED = TranscriptionEnded(recording_id="rec-1", transcription="hello", raw={"transcription": "hello"})
BEGUN = RecordingBegan(recording=Recording(recording_id="rec-1", raw={"recording_id": "rec-1"}))


def record(*evidence: Any, name: str = "standup") -> FollowedRecording:
    known = begin_sending("start-1", StartRequest(name), NOW)
    for piece in evidence:
        known, _ = apply(known, piece, NOW)
    return known


def of_another(event: Any) -> list[Any]:
    """Return the event with the IDs of another request and another recording."""
    changed: list[Any] = []
    if hasattr(event, "api_id"):
        changed.append(attrs.evolve(event, api_id="api-2"))
    if isinstance(event, ApiResponse):
        changed.append(attrs.evolve(event, answer={"recording_id": "rec-2"}))
    else:
        changed.append(attrs.evolve(event, recording_id="rec-2"))
    return changed


@pytest.mark.parametrize("event", [CONFIRMED, ENDED, TRANSCRIBED])
@pytest.mark.parametrize("known", [ANSWER, CONFIRMED, ENDED])
def test_ids_must_be_those_of_the_start(known: Any, event: Any) -> None:
    assert contradiction(record(known), event) is None
    for other in of_another(event):
        reason = contradiction(record(known), other)
        assert reason is not None
        assert reason.startswith(("its api_id is 'api-2', but that of this", "its recording_id is 'rec-2', but that"))


@pytest.mark.parametrize("known", [TRANSCRIBED, BEGUN])
def test_recording_id_of_an_earlier_callback_contradicts_another_one(known: Any) -> None:
    assert contradiction(record(known), ENDED) is None
    assert contradiction(record(known), attrs.evolve(ENDED, recording_id="rec-2")) is not None
    assert contradiction(record(known), attrs.evolve(ENDED, api_id="api-2")) is None


@pytest.mark.parametrize("known", [StartRejected, StartOutcomeUnknown])
def test_api_id_of_a_rejected_or_unknown_start_contradicts_another_one(known: Any) -> None:
    answered = record(known(description="500", api_id="api-1"))
    assert contradiction(answered, ENDED) is None
    assert contradiction(answered, attrs.evolve(ENDED, api_id="api-2")) is not None


@pytest.mark.parametrize("event", [*of_another(CONFIRMED), *of_another(ENDED), *of_another(TRANSCRIBED)])
def test_callback_contradicts_nothing_while_no_id_is_known(event: Any) -> None:
    assert contradiction(record(), event) is None


@pytest.mark.parametrize("found", [RecordingFound(recording=ROW), CandidatesFound(recordings=(ROW,))])
def test_row_of_the_list_does_not_contradict_a_callback(found: Any) -> None:
    """The row was matched by name and time, so a callback is stronger evidence."""
    accepted = StartAccepted(description="202", api_id="api-1")
    listed = record(accepted, found)
    assert contradiction(listed, attrs.evolve(ENDED, recording_id="rec-2")) is None
    assert contradiction(listed, attrs.evolve(TRANSCRIBED, recording_id="rec-2")) is None
    assert contradiction(listed, attrs.evolve(ENDED, api_id="api-2")) is not None


def test_an_event_without_ids_or_with_empty_ones_does_not_contradict() -> None:
    for event in (
        attrs.evolve(ENDED, api_id=None),
        attrs.evolve(ENDED, recording_id=None),
        attrs.evolve(CONFIRMED, answer={}),
        attrs.evolve(CONFIRMED, answer={"recording_id": ["no", "text"]}),
        UnknownCallback(raw={"api_id": "api-2"}),
    ):
        assert contradiction(record(ANSWER), event) is None


EVIL = "xrecord_urlhttps://evil.example/x.mp3"


@pytest.mark.parametrize(
    ("name", "reported", "contradicts"),
    [
        ("standup", "standup", False),
        ("standup", None, False),
        ("Stand Up", "stand up", False),
        (EVIL, EVIL, False),
        (EVIL, None, False),
        (EVIL, "x", True),
        (EVIL, EVIL.upper(), True),
        ("the_error_room", "the", True),
    ],
)
def test_name_contradicts_only_if_an_event_can_be_split_off_it(name: str, reported: str, contradicts: bool) -> None:
    reason = contradiction(record(ANSWER, name=name), attrs.evolve(ENDED, conference_name=reported))
    assert (reason is not None) is contradicts
    assert reason is None or reason.startswith("its conference is ")
