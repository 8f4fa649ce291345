"""Plivo's spelling and ours: what is kept, renamed, put right, and refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
)
from plivo_record_async.protocol.wire import json_object, structure, unstructure

# https://plivo.com/docs/voice/api/recordings.md
RECORDING: dict[str, Any] = {
    "add_time": "2014-08-05 16:15:15.852059+05:30",
    "api_id": "ff25223a-1c9f-11e4-80aa-12313f048015",
    "call_uuid": "c2e3d9a4-1c9e-11e4-80aa-12313f048015",
    "conference_name": None,
    "recording_duration_ms": "345100.00000",
    "recording_end_ms": "1407235509007.00000",
    "recording_format": "mp3",
    "recording_id": "ff2d6d3e-1c9f-11e4-80aa-12313f048015",
    "recording_start_ms": "1407235163907.00000",
    "recording_type": "conference",
    "recording_url": "http://s3.amazonaws.com/recordings_2013/ff2d6d3e.mp3",
    "resource_uri": "/v1/Account/MAXXXXXXXXXXXXXXXXXX/Recording/ff2d6d3e/",
    "rounded_recording_duration": 360,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


def test_a_recording_is_read_in_our_words() -> None:
    recording = structure(RECORDING, Recording)
    assert recording == Recording(
        recording_id="ff2d6d3e-1c9f-11e4-80aa-12313f048015",
        recording_url="http://s3.amazonaws.com/recordings_2013/ff2d6d3e.mp3",
        recording_format="mp3",
        recording_type="conference",
        duration_ms=345_100,
        started_at=datetime(2014, 8, 5, 10, 39, 23, 907_000, UTC),
        ended_at=datetime(2014, 8, 5, 10, 45, 9, 7_000, UTC),
        added_at=datetime(2014, 8, 5, 16, 15, 15, 852_059, timezone(timedelta(hours=5, minutes=30))),
        api_id="ff25223a-1c9f-11e4-80aa-12313f048015",
        call_uuid="c2e3d9a4-1c9e-11e4-80aa-12313f048015",
    )
    assert recording.raw == RECORDING


def test_a_conference_is_read_in_our_words() -> None:
    answer = {
        "conference_name": "My Conf Room",
        "conference_run_time": "590",
        "conference_member_count": "1",
        "members": [{"muted": False, "member_id": "17"}],
        "api_id": "816e903e-58c4-11e1-86da-adf28403fe48",
    }
    assert structure(answer, Conference) == Conference(
        conference_name="My Conf Room",
        run_time_s=590,
        member_count=1,
        members=({"muted": False, "member_id": "17"},),
        api_id="816e903e-58c4-11e1-86da-adf28403fe48",
    )


@pytest.mark.parametrize("number", [345_100, 345_100.0, "345100", "345100.00000", "345099.7"])
def test_numbers_come_as_text_too(number: object) -> None:
    assert structure({"recording_id": "r", "recording_duration_ms": number}, Recording).duration_ms == 345_100


@pytest.mark.parametrize("nothing", [None, "", -1, "-1"])
def test_what_says_nothing_counts_as_absent_and_stays_in_raw(nothing: object) -> None:
    answer = {"recording_id": "r", "recording_duration_ms": nothing, "conference_name": nothing, "add_time": nothing}
    recording = structure(answer, Recording)
    assert recording == Recording(recording_id="r")
    assert recording.raw == answer


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        (1_407_235_163_907, datetime(2014, 8, 5, 10, 39, 23, 907_000, UTC)),
        ("2014-08-05 10:39:23.907", datetime(2014, 8, 5, 10, 39, 23, 907_000, UTC)),
        ("2014-08-05 10:39:23Z", datetime(2014, 8, 5, 10, 39, 23, tzinfo=UTC)),
    ],
)
def test_a_time_without_offset_is_utc(time: object, moment: datetime) -> None:
    assert structure({"recording_id": "r", "add_time": time}, Recording).added_at == moment


@pytest.mark.parametrize(
    "field",
    [
        {"recording_duration_ms": "long"},
        {"recording_duration_ms": [1]},
        {"recording_duration_ms": "inf"},
        {"recording_duration_ms": "nan"},
        {"add_time": "yesterday"},
        {"add_time": []},
        {"add_time": 1e300},
        {"recording_id": True},
        {"recording_id": {"id": "r"}},
        {"recording_id": None},
    ],
)
def test_a_field_that_makes_no_sense_is_a_value_error(field: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        structure({"recording_id": "r"} | field, Recording)


def test_the_field_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="no usable 'recording_id'"):
        structure({}, Recording)


def test_ids_that_are_numbers_are_spelled_out() -> None:
    assert structure({"api_id": 17}, PendingResponse) == PendingResponse("17")


def test_unknown_fields_are_kept() -> None:
    answer = {"api_id": "a", "invented_tomorrow": [1, {"x": None}]}
    assert structure(answer, RecordingStarted).raw == answer
    assert structure(answer, RecordingStopped).raw == answer
    assert structure(answer, PendingResponse) == PendingResponse("a")


@given(st.dictionaries(st.sampled_from([*RECORDING, "members", "message", "url", "conference_run_time"]), JSON))
@pytest.mark.parametrize("cls", [Recording, Conference, RecordingStarted, RecordingStopped, PendingResponse])
def test_no_answer_ends_in_another_error(cls: type[Any], answer: dict[str, Any]) -> None:
    try:
        value = structure(answer, cls)
    except ValueError:
        return
    assert isinstance(value, cls)


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"\x00"[:0]])
def test_an_empty_body_is_called_empty(body: bytes) -> None:
    with pytest.raises(ValueError, match="its body is empty"):
        json_object(body)


@pytest.mark.parametrize(
    "body",
    [b"<html>busy</html>", b'{"api_id": "28', b"\xff\xfe\xfd", b"{'api_id': 1}", b"[" * 100_000, b"9" * 5_000],
    ids=["HTML", "cut off", "not text", "not JSON", "too deep", "too long a number"],
)
def test_what_is_not_json_is_shown(body: bytes) -> None:
    with pytest.raises(ValueError, match="its body is not JSON: ") as caught:
        json_object(body)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"17", b"null", b"true"])
def test_json_that_is_no_object_is_shown(body: bytes) -> None:
    with pytest.raises(ValueError, match="its body is not a JSON object: "):
        json_object(body)


@given(st.binary())
def test_any_bytes_are_an_object_or_a_value_error(body: bytes) -> None:
    try:
        data = json_object(body)
    except ValueError:
        return
    assert isinstance(data, dict)


def test_only_what_was_given_is_sent_and_the_name_is_not() -> None:
    assert unstructure(StartRequest("standup")) == {}
    assert unstructure(StopRequest("standup")) == {}
    assert unstructure(StartRequest("standup", file_format="mp3")) == {"file_format": "mp3"}


def test_every_parameter_has_plivos_name() -> None:
    parameters: dict[str, Any] = {
        "file_format": "wav",
        "transcription_type": "auto",
        "transcription_url": "https://me.example/t",
        "transcription_method": "GET",
        "callback_url": "https://me.example/cb#ct=2000",
        "callback_method": "POST",
    }
    assert unstructure(StartRequest("standup", **parameters)) == parameters
    callback = {name: parameters[name] for name in ("callback_url", "callback_method")}
    assert unstructure(StopRequest("standup", **callback)) == callback
