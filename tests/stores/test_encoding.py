"""The encoding of stored values: it loses nothing, and content that it does not know raises an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.clocks import Sending
from plivo_record_async.protocol.models import (
    ApiResponse,
    HistoryEntry,
    Recording,
    RecordingEnded,
    StartRequest,
    TranscriptionEnded,
    UnknownCallback,
)
from plivo_record_async.protocol.recording.record import StartResponse
from plivo_record_async.stores.encoding import decode, encode, to_microseconds
from plivo_record_async.stores.interface import FollowedRecording, Orphan
from plivo_record_async.testing.store_contract.samples import orphan
from tests.support.samples.recordings import KINDS, STATES, planned

texts = st.text(st.characters(), max_size=5)
maybe = st.none() | texts
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
moments = st.datetimes(timezones=zones).filter(lambda time: 1 < time.year < 9999)
maybe_moments = st.none() | moments
numbers = st.none() | st.integers(0, 10**9)
money = st.none() | st.floats(0, 10)
raws = st.dictionaries(texts, texts, max_size=2)
answers = st.dictionaries(texts, st.recursive(maybe | st.floats(0, 1), st.lists, max_leaves=3), max_size=2)

responses = st.builds(ApiResponse, api_id=texts, message=maybe, error=maybe, answer=answers, raw=raws)
ends = st.builds(
    RecordingEnded,
    api_id=maybe,
    conference_name=maybe,
    record_url=texts,
    recording_id=maybe,
    duration_ms=numbers,
    started_at=maybe_moments,
    ended_at=maybe_moments,
    raw=raws,
)
transcriptions = st.builds(
    TranscriptionEnded,
    recording_id=texts,
    transcription=maybe,
    duration_s=numbers,
    charge=money,
    rate=money,
    call_uuid=maybe,
    error=maybe,
    raw=raws,
)
rows = st.builds(
    Recording,
    recording_id=maybe,
    conference_name=maybe,
    recording_url=maybe,
    recording_format=maybe,
    recording_type=maybe,
    duration_ms=numbers,
    started_at=maybe_moments,
    ended_at=maybe_moments,
    added_at=maybe_moments,
    api_id=maybe,
    call_uuid=maybe,
    raw=answers,
)
requests = st.builds(
    StartRequest,
    st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda name: name not in {".", ".."}),
    file_format=st.sampled_from([None, "mp3", "wav"]),
    transcription_type=st.sampled_from([None, "auto"]),
    transcription_url=st.sampled_from([None, "https://me.example/t?x=1#rc=5"]),
    transcription_method=st.sampled_from([None, "GET", "POST"]),
    callback_url=st.just("https://me.example/r?x=1#rc=5"),
    callback_method=st.sampled_from([None, "POST"]),
)
entries = st.builds(
    HistoryEntry,
    kind=st.sampled_from([*KINDS, "planned"]),
    state=st.sampled_from(STATES),
    at=moments,
    description=texts,
)
records = st.builds(
    FollowedRecording,
    start_id=texts,
    request=requests,
    dedupe_key=maybe,
    version=st.integers(0, 2**62),
    state=st.sampled_from(STATES),
    due_at=maybe_moments,
    sending=st.none()
    | st.builds(
        Sending,
        steady=st.floats(0, 1e9),
        run=texts,
        ahead=st.none() | st.floats(-1e9, 1e9),
        within=st.floats(0, 3_600),
    ),
    traceparent=maybe,
    gone_at=maybe_moments,
    start_response=st.none() | st.builds(StartResponse, api_id=maybe, recording_id=maybe, url=maybe),
    async_response=st.none() | responses,
    begun=st.none() | rows,
    ended=st.none() | ends,
    transcription=st.none() | transcriptions,
    candidates=st.lists(rows, max_size=2).map(tuple),
    unhandled=st.lists(st.sampled_from(["ApiResponse", "RecordingEnded", "TranscriptionEnded"]), max_size=2).map(tuple),
    history=st.lists(entries, max_size=2).map(tuple),
)
orphans = st.builds(
    Orphan,
    received_at=moments,
    event=responses | ends | transcriptions | st.builds(UnknownCallback, raw=raws),
    reason=texts,
    digest=texts,
    start_id=st.none() | texts,
)


@given(records)
def test_record_survives_encoding_and_decoding(record: FollowedRecording) -> None:
    again = decode(encode(record), FollowedRecording)
    assert again == record
    assert raws_of(again) == raws_of(record)


def raws_of(record: FollowedRecording) -> list[Any]:
    """Return the attributes of a record that are not compared."""
    sources = (record.async_response, record.ended, record.transcription, *record.candidates)
    answer = None if record.async_response is None else record.async_response.answer
    return [answer, *(getattr(source, "raw", None) for source in sources)]


@given(orphans)
def test_orphan_survives_encoding_and_decoding(orphan: Orphan) -> None:
    again = decode(encode(orphan), Orphan)
    assert again == orphan
    assert type(again.event) is type(orphan.event)
    assert again.event.raw == orphan.event.raw


def test_encoded_text_is_ascii() -> None:
    assert encode(orphan(UnknownCallback(raw={"é": "\ud83d"}))).isascii()


def test_default_values_are_not_encoded() -> None:
    assert json.loads(encode(planned())).keys() == {
        "start_id",
        "request",
        "due_at",
        "steps",
    }


WHOLE: dict[str, Any] = json.loads(encode(planned()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps(WHOLE | {"colour": "green"}),
        json.dumps(WHOLE | {"state": "asleep"}),
        json.dumps(WHOLE | {"due_at": "soon"}),
        json.dumps(WHOLE | {"request": WHOLE["request"] | {"colour": "green"}}),
        json.dumps(WHOLE | {"request": {"conference_name": ""}}),
    ],
)
def test_content_unknown_to_this_version_raises_store_error(text: str) -> None:
    with pytest.raises(StoreError, match="a stored FollowedRecording cannot be read"):
        decode(text, FollowedRecording)


def test_record_of_an_older_version_is_read() -> None:
    stored: dict[str, Any] = WHOLE | {
        "answer": {"api_id": "api-1"},
        "response": {"api_id": "api-1", "message": "started", "answer": {}, "raw": {}},
        "steps": [
            ["planned", "planned", 0, "planned"],
            ["refused", "rejected", 1, "404"],
            ["came_due", "unknown", 2, "x"],
        ],
    }
    record = decode(json.dumps(stored), FollowedRecording)
    assert record.start_response == StartResponse(api_id="api-1")
    assert record.async_response == ApiResponse(api_id="api-1", message="started")
    assert [entry.kind for entry in record.history] == ["planned", "rejected", "due_time_reached"]


def test_event_of_an_unknown_kind_raises_store_error() -> None:
    text = encode(orphan(UnknownCallback(raw={}))).replace("UnknownCallback", "Earthquake")
    with pytest.raises(StoreError, match="Earthquake"):
        decode(text, Orphan)


@pytest.mark.parametrize(
    ("time", "count"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(2026, 3, 1, 12, 0, 0, 123_457, tzinfo=UTC), 1_772_366_400_123_457),
        (datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 0),
    ],
)
def test_times_are_encoded_exactly(time: datetime, count: int) -> None:
    assert to_microseconds(time) == count
