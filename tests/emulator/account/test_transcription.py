from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.account.transcription import (
    begin_transcription,
    callbacks_of_start,
    transcription_callback,
    transcription_resource,
)

START = datetime(2014, 8, 5, 10, 39, 23, 907_000, tzinfo=UTC)
END = START + timedelta(seconds=90)
ENDED = Recording(
    recording_id="a-recording",
    api_id="an-api-id",
    call_uuid="a-call",
    conference_name="My Conf Room",
    file_format="mp3",
    url="http://h/v1/Account/MA/Recording/a-recording.mp3",
    resource_uri="/v1/Account/MA/Recording/a-recording/",
    started_at=START,
    ended_at=END,
)


def begun(by_start: bool = False, *, until: datetime = END, seconds: float = 0.0, **given: Any) -> Recording:
    """A recording with these arguments of its start, whose transcription begins at its end."""
    recording = attrs.evolve(ENDED, ended_at=until, **given)
    return begin_transcription(recording, Dialect(transcription_s=seconds), now=until, by_start=by_start)


@pytest.mark.parametrize(
    ("given", "needs_url", "requested"),
    [
        ({}, False, False),
        ({"transcription_type": "auto"}, False, True),
        ({"transcription_type": "auto"}, True, False),
        ({"transcription_url": "http://me/text"}, True, True),
    ],
)
def test_type_or_url_of_a_start_requests_a_transcript(given: dict[str, Any], needs_url: bool, requested: bool) -> None:
    dialect = Dialect(transcribe_without_url=not needs_url)
    recording = begin_transcription(attrs.evolve(ENDED, **given), dialect, now=END, by_start=True)
    assert (recording.transcribed_at is not None) == requested


def test_callback_of_a_transcript_names_the_recording() -> None:
    asked = begun(by_start=True, transcription_url="http://me/text", transcription_method="GET")
    (callback,) = callbacks_of_start(asked, now=END)
    assert (callback.kind, callback.url, callback.method) == ("transcription", "http://me/text", "GET")
    assert callback.delay_s == 0
    assert callback.fields == {
        "transcription_charge": "0.1",
        "transcription": "This is what was said in My Conf Room.",
        "duration": "90",
        "call_uuid": "a-call",
        "transcription_rate": "0.05",
        "recording_id": "a-recording",
        "error": "",
    }


def test_start_without_a_url_has_no_callback_of_its_transcript() -> None:
    assert callbacks_of_start(begun(by_start=True, transcription_type="auto"), now=END) == ()


def test_callback_waits_until_the_transcript_is_ready() -> None:
    callback = transcription_callback(begun(seconds=30), "http://me/text", "POST", api_id="a", now=END)
    assert callback.delay_s == 30


def test_transcript_is_in_progress_until_it_is_ready() -> None:
    recording = begun(seconds=30)
    numbers = {"rate": 0.05, "recording_duration_ms": 90_000, "recording_start_ms": 1_407_235_163_907}
    assert transcription_resource(recording, now=END) == {
        **numbers,
        "cost": 0.0,
        "status": "in progress",
        "transcription": "",
    }
    assert transcription_resource(recording, now=END + timedelta(seconds=30)) == {
        **numbers,
        "cost": 0.1,
        "status": "success",
        "transcription": "This is what was said in My Conf Room.",
    }


def test_recording_that_is_too_long_is_not_transcribed() -> None:
    recording = begun(until=START + timedelta(hours=4, seconds=1))
    callback = transcription_callback(recording, "http://me/text", "POST", api_id="a", now=END)
    assert callback.fields["error"] == "Recording duration too long for transcription"
    assert (callback.fields["transcription"], callback.fields["transcription_charge"]) == ("", "0.0")
    resource = transcription_resource(recording, now=START + timedelta(days=1))
    assert (resource["status"], resource["transcription"], resource["cost"]) == ("failed", "", 0.0)


def test_transcript_that_nobody_requested_does_not_exist() -> None:
    with pytest.raises(RefusedError, match="404 not found"):
        transcription_resource(ENDED, now=END)
