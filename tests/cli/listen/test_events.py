from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plivo_record_async.cli.listen.events import (
    Ready,
    ReceivedCallback,
    conference_name,
    details,
    json_fields,
    label,
    received,
)
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    StartRequest,
    TranscriptionEnded,
    UnknownCallback,
)
from plivo_record_async.protocol.recording.evidence import DueTimeReached, Evidence, SendingBegan, StartAccepted
from plivo_record_async.protocol.recording.lifecycle import apply, plan
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.interface import (
    OrphanKept,
    Pruned,
    RecordCreated,
    RecordForgotten,
    RecordReplaced,
    StoreChange,
)
from plivo_record_async.testing.store_contract.samples import orphan

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANSWERED = ApiResponse(api_id="an-api-id", message="conference recording started")
ENDED = RecordingEnded(record_url="http://h/r.mp3", recording_id="r", duration_ms=1500, conference_name="standup")
TEXT = TranscriptionEnded(recording_id="r", transcription="hello\nthere")
PLANNED = plan("a-start", StartRequest("stand up"), NOW)


def learned(start: FollowedRecording, *evidence: Evidence) -> FollowedRecording:
    for number, each in enumerate(evidence):
        start, _ = apply(start, each, NOW + timedelta(seconds=number))
    return start


def replaced(before: FollowedRecording, *evidence: Evidence) -> RecordReplaced:
    return RecordReplaced(before=before, after=learned(before, *evidence))


def test_each_new_callback_of_a_followed_recording_is_shown_once() -> None:
    record, shown = PLANNED, list[ReceivedCallback]()
    for evidence in (SendingBegan(), StartAccepted(description="202"), ANSWERED, TEXT, ENDED):
        change = replaced(record, evidence)
        shown += received(change)
        record = change.after
    assert [(each.event, each.status and each.status.state) for each in shown] == [
        (ANSWERED, "started"),
        (TEXT, "transcribed"),
        (ENDED, "transcribed"),
    ]


def test_callbacks_of_one_change_are_shown_in_their_order() -> None:
    shown = list(received(replaced(PLANNED, SendingBegan(), ENDED, ANSWERED)))
    assert [each.event for each in shown] == [ENDED, ANSWERED]
    assert [each.received_at - NOW for each in shown] == [timedelta(seconds=1), timedelta(seconds=2)]


@pytest.mark.parametrize(
    "change",
    [
        RecordCreated(record=PLANNED),
        replaced(PLANNED, SendingBegan(), DueTimeReached()),
        RecordForgotten(start_id="a-start"),
        Pruned(records=1, orphans=2),
    ],
)
def test_change_without_a_callback_shows_nothing(change: StoreChange) -> None:
    assert list(received(change)) == []


def test_orphan_is_shown() -> None:
    change = OrphanKept(orphan=orphan(ENDED, received_at=NOW))
    assert list(received(change)) == [ReceivedCallback(received_at=NOW, event=ENDED)]


@pytest.mark.parametrize(
    ("event", "expected", "text", "name"),
    [
        (ANSWERED, "answered", "conference recording started", None),
        (ApiResponse(api_id="a"), "answered", "", None),
        (ApiResponse(api_id="a", error="not found"), "failed", "not found", None),
        (ENDED, "recorded", "1.50 s  http://h/r.mp3", "standup"),
        (RecordingEnded(record_url="http://h/r.mp3"), "recorded", "http://h/r.mp3", None),
        (TEXT, "transcribed", "hello\\nthere", None),
        (TranscriptionEnded(recording_id="r"), "transcribed", "", None),
        (TranscriptionEnded(recording_id="r", error="too long"), "no text", "too long", None),
        (UnknownCallback(raw={"a": "1", "b": "2"}), "unknown", "a, b", None),
    ],
)
def test_label_and_details_of_a_callback(event: CallbackEvent, expected: str, text: str, name: str | None) -> None:
    callback = ReceivedCallback(received_at=NOW, event=event)
    assert (label(callback), details(callback), conference_name(callback)) == (expected, text, name)


def test_json_of_a_callback_has_the_event_and_its_recording() -> None:
    status = learned(PLANNED, SendingBegan(), TEXT).status
    json = json_fields(ReceivedCallback(received_at=NOW, event=TEXT, status=status))
    assert json == {
        "type": "TranscriptionEnded",
        "received_at": NOW,
        "start_id": "a-start",
        "state": "transcribed",
        "conference_name": "stand up",
        "recording_id": "r",
        "transcription": "hello\nthere",
        "duration_s": None,
        "charge": None,
        "rate": None,
        "call_uuid": None,
        "error": None,
        "raw": {},
    }
    orphan_json = json_fields(ReceivedCallback(received_at=NOW, event=ENDED))
    assert (orphan_json["start_id"], orphan_json["state"], orphan_json["conference_name"]) == (None, None, "standup")


def test_json_of_ready() -> None:
    json = json_fields(Ready(url="http://l", public_url="https://p", db="r.db"))
    assert json == {"type": "Ready", "url": "http://l", "public_url": "https://p", "db": "r.db"}
