from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs

from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.recording import Recording, milliseconds

START = datetime(2014, 8, 5, 10, 39, 23, 907_000, tzinfo=UTC)
RUNNING = Recording(
    recording_id="a-recording",
    api_id="an-api-id",
    call_uuid="a-call",
    conference_name="My Conf Room",
    file_format="mp3",
    url="http://h/v1/Account/MA/Recording/a-recording.mp3",
    resource_uri="/v1/Account/MA/Recording/a-recording/",
    started_at=START,
)


def test_milliseconds_are_exact() -> None:
    assert milliseconds(START) == 1_407_235_163_907


def test_a_running_recording_has_no_length_yet() -> None:
    assert (RUNNING.ended_at, RUNNING.duration_ms) == (None, 0)


def test_recording_ends_at_the_requested_time() -> None:
    ended = RUNNING.ended(START + timedelta(milliseconds=345_100))
    assert ended.duration_ms == 345_100


def test_recording_lasts_between_zero_seconds_and_a_day() -> None:
    assert RUNNING.ended(START - timedelta(seconds=1)).duration_ms == 0
    assert RUNNING.ended(START + timedelta(days=3)).duration_ms == 86_400_000


def test_recording_without_callback_url_sends_no_callback() -> None:
    ended = RUNNING.ended(START + timedelta(seconds=1))
    assert ended.ended_callbacks(Dialect()) == ()
    assert RUNNING.started_callbacks(Dialect(started_callback=True)) == ()


def test_end_callback_has_the_fields_of_the_current_documents() -> None:
    asked = attrs.evolve(RUNNING, callback_url="http://me/cb#rc=3", callback_method="GET")
    (told,) = asked.ended(START + timedelta(milliseconds=345_600)).ended_callbacks(Dialect())
    assert (told.kind, told.url, told.method, told.api_id) == ("recording", "http://me/cb#rc=3", "GET", "an-api-id")
    assert told.fields == {
        "api_id": "an-api-id",
        "record_url": "http://h/v1/Account/MA/Recording/a-recording.mp3",
        "recording_id": "a-recording",
        "conference_name": "My Conf Room",
        "recording_duration": "346",
        "recording_duration_ms": "345600",
        "recording_start_ms": "1407235163907",
        "recording_end_ms": "1407235509507",
    }


def test_start_callback_is_sent_only_by_dialects_that_have_one() -> None:
    asked = attrs.evolve(RUNNING, callback_url="http://me/cb")
    assert asked.started_callbacks(Dialect()) == ()
    (told,) = asked.started_callbacks(Dialect(started_callback=True))
    assert {told.fields[name] for name in told.fields if name.startswith("recording_duration")} == {"-1"}
    assert told.fields["recording_end_ms"] == "-1"
    assert told.fields["recording_start_ms"] == "1407235163907"


def test_the_resource_looks_like_the_sample_in_the_documents() -> None:
    resource = RUNNING.ended(START + timedelta(milliseconds=345_100)).resource()
    assert {
        "add_time": "2014-08-05 16:15:09.007000+05:30",
        "call_uuid": "a-call",
        "conference_name": "My Conf Room",
        "recording_duration_ms": "345100.00000",
        "recording_end_ms": "1407235509007.00000",
        "recording_format": "mp3",
        "recording_id": "a-recording",
        "recording_start_ms": "1407235163907.00000",
        "recording_type": "conference",
        "recording_url": "http://h/v1/Account/MA/Recording/a-recording.mp3",
        "resource_uri": "/v1/Account/MA/Recording/a-recording/",
        "rounded_recording_duration": 360,
    }.items() <= resource.items()


def test_recording_as_json_has_its_times_as_text() -> None:
    running, ended = RUNNING.to_dict(), RUNNING.ended(START + timedelta(seconds=1)).to_dict()
    assert (running["started_at"], running["ended_at"], running["duration_ms"]) == (START.isoformat(), None, None)
    assert (ended["ended_at"], ended["duration_ms"]) == ((START + timedelta(seconds=1)).isoformat(), 1000)
    assert attrs.evolve(RUNNING, transcribed_at=START).to_dict()["transcribed_at"] == START.isoformat()
