from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest

from plivo_record_async.cli.heard import Heard, Ready, TellingStore, details, record, subject, word
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    StartRequest,
    TranscriptionEnded,
    UnknownCallback,
)
from plivo_record_async.protocol.recording.evidence import CameDue, Evidence, SendingBegan, StartAccepted
from plivo_record_async.protocol.recording.lifecycle import apply, plan
from plivo_record_async.protocol.recording.record import FollowedRecording, status_of
from tests.support.samples.orphans import orphan

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANSWERED = ApiResponse(api_id="an-api-id", message="conference recording started")
ENDED = RecordingEnded(record_url="http://h/r.mp3", recording_id="r", duration_ms=1500, conference_name="standup")
TEXT = TranscriptionEnded(recording_id="r", transcription="hello\nthere")
PLANNED = plan("a-start", StartRequest("stand up"), NOW)


def learned(start: FollowedRecording, *evidence: Evidence) -> FollowedRecording:
    for number, each in enumerate(evidence):
        start, _ = apply(start, each, NOW + timedelta(seconds=number))
    return start


async def test_each_callback_of_a_followed_recording_is_told_once(tmp_path: Path) -> None:
    told: list[Heard] = []
    store = TellingStore(tmp_path / "r.db", told.append)
    now = await store.create(PLANNED)
    for evidence in (SendingBegan(), StartAccepted(words="202"), ANSWERED, TEXT, ENDED):
        now = learned(now, evidence)
        assert await store.replace(now)
    assert [(each.event, each.followed and each.followed.state) for each in told] == [
        (ANSWERED, "started"),
        (TEXT, "transcribed"),
        (ENDED, "transcribed"),
    ]
    await store.aclose()


async def test_what_comes_in_one_change_is_told_in_its_order(tmp_path: Path) -> None:
    told: list[Heard] = []
    store = TellingStore(tmp_path / "r.db", told.append)
    await store.create(PLANNED)
    assert await store.replace(attrs.evolve(learned(PLANNED, SendingBegan(), ENDED, ANSWERED), version=1))
    assert [each.event for each in told] == [ENDED, ANSWERED]
    assert [each.at - NOW for each in told] == [timedelta(seconds=1), timedelta(seconds=2)]
    await store.aclose()


async def test_what_is_not_stored_or_no_callback_is_not_told(tmp_path: Path) -> None:
    told: list[Heard] = []
    store = TellingStore(tmp_path / "r.db", told.append)
    ended = learned(PLANNED, ENDED)
    assert not await store.replace(ended)
    await store.create(PLANNED)
    first = learned(PLANNED, SendingBegan())
    assert await store.replace(first)
    assert not await store.replace(ended), "somebody was faster"
    due, _ = apply(first, CameDue(), NOW + timedelta(hours=1))
    assert await store.replace(due)
    assert told == []
    await store.aclose()


async def test_an_orphan_is_told_as_soon_as_it_is_kept(tmp_path: Path) -> None:
    told: list[Heard] = []
    store = TellingStore(tmp_path / "r.db", told.append)
    await store.keep_orphan(orphan(ENDED, received_at=NOW))
    assert told == [Heard(at=NOW, event=ENDED)]
    assert [each.event for each in await store.orphans()] == [ENDED]
    await store.aclose()


@pytest.mark.parametrize(
    ("event", "expected", "said", "name"),
    [
        (ANSWERED, "answered", "conference recording started", None),
        (ApiResponse(api_id="a"), "answered", "", None),
        (ApiResponse(api_id="a", error="not found"), "refused", "not found", None),
        (ENDED, "recorded", "1.50 s  http://h/r.mp3", "standup"),
        (RecordingEnded(record_url="http://h/r.mp3"), "recorded", "http://h/r.mp3", None),
        (TEXT, "transcribed", "hello\\nthere", None),
        (TranscriptionEnded(recording_id="r"), "transcribed", "", None),
        (TranscriptionEnded(recording_id="r", error="too long"), "no text", "too long", None),
        (UnknownCallback(raw={"a": "1", "b": "2"}), "unknown", "a, b", None),
    ],
)
def test_a_callback_in_words(event: CallbackEvent, expected: str, said: str, name: str | None) -> None:
    heard = Heard(at=NOW, event=event)
    assert (word(heard), details(heard), subject(heard)) == (expected, said, name)


def test_for_machines_it_is_the_event_and_the_recording_that_it_is_about() -> None:
    status = status_of(learned(PLANNED, SendingBegan(), TEXT))
    said = record(Heard(at=NOW, event=TEXT, followed=status))
    assert said == {
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
    told = record(Heard(at=NOW, event=ENDED))
    assert (told["start_id"], told["state"], told["conference_name"]) == (None, None, "standup")


def test_ready_is_a_record_too() -> None:
    said = record(Ready(url="http://l", public_url="https://p", db=Path("r.db")))
    assert said == {"type": "Ready", "url": "http://l", "public_url": "https://p", "db": Path("r.db")}
