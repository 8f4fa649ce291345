"""The conversion between Plivo's JSON and values: what is kept, renamed, corrected and rejected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.api.wire import integer_or_none, structure, text_or_none, unstructure
from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
    Transcription,
)

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


def test_fields_of_a_recording_are_renamed() -> None:
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


def test_fields_of_a_conference_are_renamed() -> None:
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
def test_numbers_are_read_from_text(number: object) -> None:
    assert structure({"recording_id": "r", "recording_duration_ms": number}, Recording).duration_ms == 345_100


NOT_KNOWN = [None, "", -1, -1.0, "-1", "-1.00000", " -1 ", "-1e0", "-1.", "-01"]


@pytest.mark.parametrize("nothing", NOT_KNOWN)
def test_unknown_values_are_none_and_stay_in_raw(nothing: object) -> None:
    answer = {"recording_id": "r", "recording_duration_ms": nothing, "recording_end_ms": nothing, "add_time": nothing}
    recording = structure(answer, Recording)
    assert recording == Recording(recording_id="r")
    assert recording.raw == answer


def test_a_conference_may_be_named_like_a_number() -> None:
    assert structure({"conference_name": "-1"}, Recording).conference_name == "-1"
    assert structure({"conference_name": -1}, Conference).conference_name == "-1"


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


UNREADABLE: dict[str, list[object]] = {
    "recording_duration_ms": [
        "N/A",
        "22s",
        "inf",
        "nan",
        "NaN",
        "Infinity",
        "1e400",
        10**400,
        [1],
        {},
        True,
        -5,
        "1e17",
    ],
    "recording_start_ms": ["soon", "inf", 0, "0.00000", -62135596800000, 1e300, True, [], {"at": 1}],
    "recording_end_ms": ["-1.00000", 2**53, "9" * 400],
    "add_time": [
        "yesterday",
        "2026-02-30 00:00:00",
        "0001-01-01 00:00:00+05:30",
        "9999-12-31 23:59:59-05:30",
        [],
        1e300,
    ],
    "recording_url": [False, True, [], {}, ["https://f"], "half a \ud83d"],
    "recording_id": [True, False, {}, {"id": "r"}, ["r"], "\ud83d"],
    "conference_name": [False, {}, []],
    "call_uuid": [True, []],
}
"""Values that were observed in rows, or are possible."""


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in UNREADABLE.items() for value in values])
def test_malformed_field_does_not_affect_the_others(name: str, value: object) -> None:
    answer = {**RECORDING, "conference_name": "standup", name: value}
    recording = structure(answer, Recording)
    ours = {"recording_duration_ms": "duration_ms", "recording_start_ms": "started_at"}
    ours |= {"recording_end_ms": "ended_at", "add_time": "added_at"}
    whole = structure({**RECORDING, "conference_name": "standup"}, Recording)
    changes: dict[str, Any] = {ours.get(name, name): None}
    assert recording == attrs.evolve(whole, **changes)
    assert recording.raw[name] is value


@pytest.mark.parametrize("decimals", [0.05, "0.05", "0.05000"])
@pytest.mark.parametrize("integer", [22780, 22780.0, "22780", "22780.00000"])
def test_numbers_of_a_transcript_may_be_numbers_or_text(decimals: object, integer: object) -> None:
    answer = {
        "cost": decimals,
        "rate": 1,
        "recording_duration_ms": integer,
        "transcription": "Hello",
        "status": "success",
    }
    transcription = structure(answer, Transcription)
    assert transcription == Transcription(
        transcription="Hello", status="success", duration_ms=22780, cost=0.05, rate=1.0
    )
    assert isinstance(transcription.rate, float)
    assert transcription.raw == answer


@pytest.mark.parametrize("name", ["transcription", "status", "recording_duration_ms", "cost", "rate"])
@pytest.mark.parametrize("value", [None, "", True, [], {}, -1, "-1.00000", "NaN", 10**400])
def test_odd_field_of_a_transcript_is_none_and_stays_in_raw(name: str, value: object) -> None:
    transcription = structure({name: value, "recording_id": "r"}, Transcription)
    if name in {"transcription", "status"} and isinstance(value, int | str) and value not in {"", True}:
        assert transcription != Transcription(recording_id="r")
    else:
        assert transcription == Transcription(recording_id="r")
    assert transcription.raw[name] is value


def test_malformed_message_of_a_start_does_not_affect_its_ids() -> None:
    ids = {"api_id": "a", "recording_id": "r"}
    messages: list[Any] = [["started"], True, {"text": "started"}]
    urls: list[Any] = [False, None, ["https://f"]]
    for message in messages:
        for url in urls:
            started = structure({**ids, "message": message, "url": url}, RecordingStarted)
            assert (started.api_id, started.recording_id, started.url) == ("a", "r", None)
            assert started.raw == {**ids, "message": message, "url": url}


def test_malformed_members_do_not_affect_their_conference() -> None:
    member = {"member_id": "17"}
    cases: list[tuple[Any, Any]] = [([member, None, 17, "x"], (member,)), (None, ()), ("x", ()), ({"1": member}, ())]
    for members, read in cases:
        answer = {"conference_name": "x", "members": members, "conference_run_time": True}
        assert structure(answer, Conference) == Conference(conference_name="x", members=read)


@pytest.mark.parametrize("api_id", [None, "", True, {"id": "a"}, ["a"], "\ud83d"])
def test_error_names_a_malformed_required_field(api_id: object) -> None:
    with pytest.raises(ValueError, match=r"^the response has no valid 'api_id'$"):
        structure({"api_id": api_id, "recording_id": "r"}, RecordingStarted)


def test_error_names_a_missing_field() -> None:
    with pytest.raises(ValueError, match=r"^the response has no valid 'conference_name'$"):
        structure({}, Conference)
    assert structure({}, Recording) == Recording()


def test_numeric_ids_become_text() -> None:
    assert structure({"api_id": 17}, PendingResponse) == PendingResponse("17")


def test_malformed_single_value_is_none() -> None:
    texts: list[Any] = ["a", 17, "", None, True, []]
    assert list(map(text_or_none, texts)) == ["a", "17", None, None, None, None]
    assert list(map(integer_or_none, [20, "20", "20.0", -1, None, "many"])) == [20, 20, 20, None, None, None]


def test_unknown_fields_are_kept() -> None:
    answer = {"api_id": "a", "invented_tomorrow": [1, {"x": None}]}
    assert structure(answer, RecordingStarted).raw == answer
    assert structure(answer, RecordingStopped).raw == answer
    assert structure(answer, PendingResponse) == PendingResponse("a")


@given(
    st.dictionaries(
        st.sampled_from([*RECORDING, "members", "message", "url", "conference_run_time", "cost", "rate"]), JSON
    )
)
@pytest.mark.parametrize(
    "cls", [Recording, Transcription, Conference, RecordingStarted, RecordingStopped, PendingResponse]
)
def test_any_response_raises_only_errors_of_the_package(cls: type[Any], answer: dict[str, Any]) -> None:
    try:
        value = structure(answer, cls)
    except ValueError:
        return
    assert isinstance(value, cls)


def test_only_given_arguments_are_sent_and_the_name_is_not_among_them() -> None:
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
