"""The event that verified fields report, in each format that Plivo uses."""

from __future__ import annotations

import json
import pickle
import re
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plivo_record_async.protocol.callbacks.events import interpret as read_reading
from plivo_record_async.protocol.callbacks.events import read_event
from plivo_record_async.protocol.models import ApiResponse, RecordingEnded, TranscriptionEnded, UnknownCallback
from tests.support.samples.callbacks import (
    RECORDING_ENDED,
    RECORDING_ENDED_2012,
    RECORDING_ENDED_CAMEL_CASE,
    TRANSCRIPTION_ENDED,
    TRANSCRIPTION_FAILED,
    verified,
)

API_ID = RECORDING_ENDED["api_id"]


def read(fields: dict[str, str]) -> Any:
    event = read_event(verified(fields))
    assert event.raw == fields, "raw is what was sent"
    return event


def assert_unknown(fields: dict[str, str], reason: str) -> None:
    event = read(fields)
    assert isinstance(event, UnknownCallback)
    assert re.search(reason, event.reason)


def response(answer: object) -> dict[str, str]:
    return {"response": json.dumps(answer)}


# A recording has ended

ENDED = RecordingEnded(
    api_id=API_ID,
    conference_name="My Conf Room",
    record_url=RECORDING_ENDED["record_url"],
    recording_id="93bc7c6a-3b2b-11e3",
    duration_ms=12345,
    started_at=datetime(2014, 8, 5, 10, 39, 23, 907000, tzinfo=UTC),
    ended_at=datetime(2014, 8, 5, 10, 39, 36, 252000, tzinfo=UTC),
)


def test_end_of_a_recording_is_read() -> None:
    assert read(RECORDING_ENDED) == ENDED


def test_end_of_a_recording_is_read_in_camel_case() -> None:
    event = read(RECORDING_ENDED_CAMEL_CASE | {"CallUUID": "", "ConferenceAction": "record"})
    assert event.api_id is None
    assert event == read({**RECORDING_ENDED, "api_id": ""})


@pytest.mark.parametrize("message", ["record_done", "record done"])
def test_end_of_a_recording_is_read_in_the_format_of_2012(message: str) -> None:
    fields = RECORDING_ENDED_2012 | {"message": message}
    assert read(fields) == RecordingEnded(api_id=API_ID, conference_name="myroom", record_url=fields["record_url"])


def test_end_of_a_recording_is_read_from_the_response_field() -> None:
    assert read(response(RECORDING_ENDED)) == ENDED
    numbers = {name: int(value) for name, value in RECORDING_ENDED.items() if value.isdigit()}
    assert read(response(RECORDING_ENDED | numbers | {"conference_name": None, "new": {"x": [1]}})) == read(
        {**RECORDING_ENDED, "conference_name": ""}
    )


@pytest.mark.parametrize(
    ("durations", "duration_ms"),
    [
        ({"recording_duration": "12", "recording_duration_ms": "345100.00000"}, 345100),
        ({"recording_duration": "12", "recording_duration_ms": ""}, 12000),
        ({"recording_duration": "12.5", "recording_duration_ms": "-1"}, 12500),
        ({"recording_duration": "-1", "recording_duration_ms": "-1"}, None),
        ({"recording_duration": "", "recording_duration_ms": ""}, None),
        ({"recording_duration": "0", "recording_duration_ms": "0"}, 0),
    ],
)
def test_duration_is_read_in_milliseconds_or_seconds(durations: dict[str, str], duration_ms: int | None) -> None:
    assert read(RECORDING_ENDED | durations).duration_ms == duration_ms


def test_missing_times_are_none() -> None:
    event = read(RECORDING_ENDED | {"recording_start_ms": "-1", "recording_end_ms": ""})
    assert (event.started_at, event.ended_at) == (None, None)


@pytest.mark.parametrize("fields", [RECORDING_ENDED, RECORDING_ENDED_CAMEL_CASE])
def test_end_of_a_recording_without_a_url_is_unknown(fields: dict[str, str]) -> None:
    name = "RecordUrl" if "RecordUrl" in fields else "record_url"
    assert_unknown({**fields, name: ""}, f"{name} is missing")
    assert_unknown({one: fields[one] for one in fields if one != name}, "record_url is missing")


def test_end_with_record_done_but_without_a_url_is_unknown() -> None:
    assert_unknown({"api_id": API_ID, "message": "record_done"}, "record_url is missing")


def test_end_of_a_recording_without_an_id_is_unknown() -> None:
    for absent, there in (("api_id", "recording_id"), ("recording_id", "api_id")):
        assert getattr(read(RECORDING_ENDED | {absent: ""}), there) == RECORDING_ENDED[there]
    assert_unknown(RECORDING_ENDED | {"api_id": "", "recording_id": ""}, "neither api_id nor recording_id")


def test_field_in_two_spellings_counts_as_repeated() -> None:
    assert_unknown(
        RECORDING_ENDED | {"RecordUrl": "https://h/x"}, "record_url and RecordUrl are the same field, given twice"
    )


def test_failed_recording_is_not_an_end() -> None:
    assert_unknown(RECORDING_ENDED | {"error": "boom"}, "a recording has ended, but there is also an error")
    assert_unknown(response(RECORDING_ENDED | {"error": {"error": "boom"}}), "there is also an error")
    assert read(RECORDING_ENDED | {"error": ""}) == ENDED
    assert read(response(RECORDING_ENDED | {"error": False})) == ENDED


def test_new_fields_are_kept() -> None:
    new = {"recording_channels": "2", "Event": "RecordStop", "": ""}
    assert read(RECORDING_ENDED | new) == ENDED


# An asynchronous response


def test_asynchronous_response_to_a_start_is_read() -> None:
    answer = {"api_id": API_ID, "message": "conference recording started", "recording_id": "r1", "url": "https://h/x"}
    event = read(response(answer))
    assert event == ApiResponse(api_id=API_ID, message="conference recording started", answer=event.answer)
    assert event.answer == answer


@pytest.mark.parametrize("error", ["not found", {"error": "not found"}, {"error": {"error": "not found"}}])
def test_asynchronous_response_with_an_error_is_read(error: object) -> None:
    assert read(response({"api_id": API_ID, "error": error})) == ApiResponse(api_id=API_ID, error="not found")
    assert read(response({"api_id": API_ID, "error": error, "recording_id": "r1"})).error == "not found"


def test_asynchronous_response_without_an_envelope_is_read() -> None:
    fields = {"api_id": API_ID, "error": "not found"}
    assert read(fields) == ApiResponse(api_id=API_ID, error="not found")
    assert read(fields).answer == fields


def test_asynchronous_response_without_an_api_id_is_unknown() -> None:
    assert_unknown(response({"api_id": None, "message": "conference recording started"}), "api_id is missing")


@pytest.mark.parametrize("text", ["{", "[]", "1", "not found"])
def test_asynchronous_response_that_is_not_a_json_object_is_unknown(text: str) -> None:
    assert_unknown({"response": text}, "response (cannot be read as JSON|is not a JSON object)")


# A transcription has ended


def test_transcript_is_read() -> None:
    expected = TranscriptionEnded(
        recording_id="93bc7c6a-3b2b-11e3",
        transcription="hello",
        duration_s=12,
        charge=0.05,
        rate=0.01,
        call_uuid="97ceeb52-58b6-11e1-86da-77300b68f8bb",
    )
    assert read(TRANSCRIPTION_ENDED) == expected
    assert read(response(TRANSCRIPTION_ENDED | {"duration": 12, "transcription_rate": 0.01})) == expected


def test_failed_transcription_is_read() -> None:
    event = read(TRANSCRIPTION_FAILED)
    assert (event.transcription, event.error) == (None, "Recording duration too long for transcription")
    assert read({"recording_id": "r1", "error": "too large"}) == TranscriptionEnded(
        recording_id="r1", error="too large"
    )


def test_empty_transcript_is_a_transcript() -> None:
    assert read(TRANSCRIPTION_ENDED | {"transcription": ""}).transcription == ""


def test_transcript_without_a_recording_id_is_unknown() -> None:
    assert_unknown(TRANSCRIPTION_ENDED | {"recording_id": ""}, "recording_id is missing")


def test_transcription_without_text_and_error_is_unknown() -> None:
    assert_unknown(
        {"recording_id": "r1", "transcription_charge": "0.05", "error": ""}, "neither transcription nor error"
    )


# Other callbacks


def test_split_field_is_distinguished_from_odd_content() -> None:
    cut = verified({"record_ur": f"l{RECORDING_ENDED['record_url']}"})
    assert read_reading(cut).shifted_name == read_event(cut).reason != ""  # type: ignore[union-attr]
    assert read_reading(verified(RECORDING_ENDED | {"record_url": ""})).shifted_name is None
    assert read_reading(verified(RECORDING_ENDED)).shifted_name is None


def test_ambiguous_event_is_unknown_unless_its_conference_name_is_known() -> None:
    fields = RECORDING_ENDED | {"conference_name": "xrecord_urlhttps://evil.example"}
    assert_unknown(fields, "'record_urlhttps://' in it may be a field of another event that the same text could report")
    assert isinstance(read_event(verified(fields), conference_name=fields["conference_name"]), RecordingEnded)
    assert isinstance(read_event(verified(fields), conference_name="x"), UnknownCallback)


def test_response_field_beside_other_fields_is_unknown() -> None:
    fields = response({"api_id": "1", "error": "x"}) | {"record_url": "https://h/x"}
    assert_unknown(fields, "it has fields of its own besides those in response")


def test_repeated_or_unexpected_parts_make_an_event_unknown() -> None:
    callback = verified(RECORDING_ENDED)
    for changes, reason in (
        ({"expected_method": "GET"}, "its method is POST, but GET was expected"),
        ({"unsigned": [("b", "1"), ("a", "2")]}, "its form repeats 'a, b' of its query, which is not signed"),
        ({"fields": [*callback.fields, ("api_id", "2")]}, "it repeats 'api_id'"),
    ):
        event = read_event(attrs.evolve(callback, **changes))
        assert isinstance(event, UnknownCallback)
        assert event.reason == reason


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"response": ""},
        {"response": "{}"},
        {"response": '{"error": "authentication credentials were not provided"}'},
        {"response": '{"message": ["not", "hashable"]}'},
        {"api_id": API_ID},
        {"recording_id": "r1"},
        {"ConferenceAction": "enter", "ConferenceName": "x", "RecordUrl": "", "RecordingDuration": ""},
        {"CallUUID": "c1", "Event": "StartApp", "From": "19792014278"},
    ],
)
def test_fields_of_no_known_event_are_unknown(fields: dict[str, str]) -> None:
    assert type(read(fields)) is UnknownCallback


@pytest.mark.parametrize("fields", [RECORDING_ENDED, TRANSCRIPTION_ENDED, response({"api_id": "1", "error": ["x"]})])
def test_events_pickle(fields: dict[str, str]) -> None:
    event = read(fields)
    again = pickle.loads(pickle.dumps(event))
    assert (again, again.raw) == (event, fields)


names = st.sampled_from(
    [*RECORDING_ENDED, *RECORDING_ENDED_CAMEL_CASE, *TRANSCRIPTION_ENDED, "message", "response", "Event"]
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(names | st.text(), inner),
)
values = (
    st.text()
    | st.sampled_from([*RECORDING_ENDED.values(), *TRANSCRIPTION_FAILED.values(), "record_done", "-1", "nan"])
    | json_values.map(json.dumps)
)


genuine = st.sampled_from([{}, RECORDING_ENDED, RECORDING_ENDED_CAMEL_CASE, TRANSCRIPTION_ENDED])


@st.composite
def fields_of_any_shape(draw: st.DrawFn) -> dict[str, str]:
    fields = draw(genuine)
    if draw(st.booleans()):
        return fields | draw(st.dictionaries(names | st.text(), values))
    return response(fields | draw(st.dictionaries(names, json_values)))


@settings(deadline=None)
@given(fields_of_any_shape())
def test_any_fields_are_an_event_or_malformed(fields: dict[str, str]) -> None:
    event = read(fields)
    if isinstance(event, RecordingEnded):
        assert event.api_id or event.recording_id
        assert event.record_url.lower().startswith(("http://", "https://"))
        for moment in (event.started_at, event.ended_at):
            assert moment is None or moment.tzinfo is UTC
        assert event.duration_ms is None or 0 <= event.duration_ms <= 2**53 * 1000
    if isinstance(event, TranscriptionEnded):
        assert event.recording_id
        assert event.transcription is not None or event.error


def test_asynchronous_response_without_message_and_error_is_unknown() -> None:
    assert_unknown({"api_id": API_ID, "message": "", "error": ""}, "neither message nor error")
