"""The readers of fields: which values are well formed, and how they are converted."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.callbacks.fields import (
    Reader,
    UnreadableFieldError,
    named_ids,
    read_error,
    read_id,
    read_integer,
    read_json_object,
    read_number,
    read_text,
    read_time,
    read_transcript,
    read_url,
    required,
)

EMPTY: list[tuple[Reader[Any], object]] = [
    (read_transcript, None),
    *((reader, blank) for reader in (read_text, read_error, read_id, read_url) for blank in (None, "")),
    *(
        (reader, blank)
        for reader in (read_number, read_integer, read_time)
        for blank in (None, "", "-1", -1, "-1.00000")
    ),
    (read_error, False),
    (read_error, {}),
    (read_error, []),
    (read_error, {"error": {"error": False}}),
]

GOOD: list[tuple[Reader[Any], object, object]] = [
    (read_transcript, "", ""),
    (read_text, "Jürgen 🎙", "Jürgen 🎙"),
    (read_text, 12, "12"),
    (read_error, "not found", "not found"),
    (read_error, {"error": {"error": "not found"}}, "not found"),
    (read_error, ["a", {"b": 1}], '["a", {"b": 1}]'),
    (read_error, {"reason": "x"}, '{"reason": "x"}'),
    (read_id, "2867b6e2-58c3-11e1-86da-adf28403fe48", "2867b6e2-58c3-11e1-86da-adf28403fe48"),
    (read_id, "93bc7c6a-3b2b-11e3", "93bc7c6a-3b2b-11e3"),
    (read_id, 17, "17"),
    (read_url, "http://s3.amazonaws.com/recordings_2013/x.mp3", "http://s3.amazonaws.com/recordings_2013/x.mp3"),
    (read_url, "HTTPS://[::1]:8/ü?a=b#c", "HTTPS://[::1]:8/ü?a=b#c"),
    (read_number, "0.0042", 0.0042),
    (read_number, 0, 0.0),
    (read_number, "1.4e3", 1400.0),
    (read_integer, "345100.00000", 345100),
    (read_integer, 22780, 22780),
    (read_integer, 22780.5, 22780),
    (read_integer, "9007199254740992", 2**53),
    (read_time, "1407235163907.00000", datetime(2014, 8, 5, 10, 39, 23, 907000, tzinfo=UTC)),
    (read_time, "0", datetime(1970, 1, 1, tzinfo=UTC)),
    (read_time, 253402300799999, datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
]

LISTS: list[object] = [[1], {}]
BAD: list[tuple[Reader[Any], object]] = [
    *((reader, True) for reader in (read_transcript, read_text, read_error, read_id, read_url)),
    *((reader, wrong) for reader in (read_transcript, read_text, read_id, read_url) for wrong in LISTS),
    *((reader, "\ud800") for reader in (read_transcript, read_text, read_error, read_id, read_url)),
    *((read_id, wrong) for wrong in ("a b", "a&b", "=a", "a=b", "a\n", "ü", "-a", "a" * 256)),
    *((read_url, wrong) for wrong in ("x", "/x", "ftp://h/x", "https://", "https://h/ x", "https://h/\tx")),
    *((read_url, wrong) for wrong in ("=https://h/x", "https://[/x", "javascript:alert(1)", "https://h/\x00")),
    *(
        (reader, wrong)
        for reader in (read_number, read_integer, read_time)
        for wrong in ("nan", "inf", "-2", "1e400", "1_000", "१२", "0x10", " 1", "1\n", "1,5", ".5", True, 2**54)
    ),
    *((reader, wrong) for reader in (read_number, read_integer, read_time) for wrong in LISTS),
    *((reader, wrong) for reader in (read_number, read_time) for wrong in (float("nan"), float("inf"), 10**300, -0.5)),
    (read_time, "253402300800000"),
]


@pytest.mark.parametrize(("reader", "value"), EMPTY)
def test_empty_field_is_none(reader: Reader[Any], value: object) -> None:
    assert reader("field", value) is None
    with pytest.raises(UnreadableFieldError, match=r"^field is missing$"):
        required(reader)("field", value)


@pytest.mark.parametrize(("reader", "value", "meaning"), GOOD)
def test_well_formed_fields_are_read(reader: Reader[Any], value: object, meaning: object) -> None:
    for read in (reader, required(reader)):
        found = read("field", value)
        assert (found, type(found)) == (meaning, type(meaning))


@pytest.mark.parametrize(("reader", "value"), BAD)
def test_malformed_field_is_unreadable(reader: Reader[Any], value: object) -> None:
    with pytest.raises(UnreadableFieldError, match=r"^field "):
        reader("field", value)


readers = st.sampled_from(
    [read_transcript, read_text, read_error, read_id, read_url, read_number, read_integer, read_time]
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["error", "x"]), inner),
)


@given(readers, json_values)
def test_any_text_is_read_or_raises_a_field_error(reader: Reader[Any], value: object) -> None:
    found: object = None
    with contextlib.suppress(UnreadableFieldError):
        found = reader("field", value)
    assert found is None or isinstance(found, str | int | float | datetime)


@given(st.integers(0, 253402300799999))
def test_time_keeps_its_milliseconds(milliseconds: int) -> None:
    found = read_time("field", str(milliseconds))
    assert found is not None
    assert (found - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 == pytest.approx(milliseconds, abs=0.01)
    assert found.tzinfo is UTC


def test_json_object_is_read() -> None:
    assert read_json_object("response", '{"api_id": "x", "n": [1.5, null]}') == {"api_id": "x", "n": [1.5, None]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "response cannot be read as JSON: Expecting value"),
        ('{"a": 1', "cannot be read as JSON: Expecting"),
        ("={}", "cannot be read as JSON"),
        ("{}&", "cannot be read as JSON: Extra data"),
        ('{"a": NaN}', "cannot be read as JSON: NaN is not a number"),
        ('{"a": -Infinity}', "cannot be read as JSON: -Infinity is not a number"),
        ('{"a": 1, "a": 1}', "cannot be read as JSON: a name is repeated"),
        ('{"a": {"b": 1, "b": 1}}', "cannot be read as JSON: a name is repeated"),
        ("[" * 100_000, "cannot be read as JSON: "),
        ('{"a":' * 100_000, "cannot be read as JSON: "),
        (f'{{"a": {"9" * 5000}}}', "cannot be read as JSON: "),
        ('[{"a": 1}]', r"response is not a JSON object: '\[{\"a\": 1}\]'"),
        ('"text"', "is not a JSON object"),
        ("null", "is not a JSON object"),
    ],
)
def test_text_that_is_not_a_json_object_is_unreadable(text: str, words: str) -> None:
    with pytest.raises(UnreadableFieldError, match=words):
        read_json_object("response", text)


def test_deeply_nested_json_is_unreadable() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(UnreadableFieldError, match="error is nested too deeply"):
        read_error("error", nested)


def test_error_messages_stay_short() -> None:
    for reader in (read_id, read_url, read_number, read_json_object):
        with pytest.raises(UnreadableFieldError) as caught:
            reader("field", json.dumps(["long"] * 10_000))
        assert len(str(caught.value)) < 160


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        ({}, {}),
        ({"api_id": "a", "recording_id": "r"}, {"api_id": "a", "recording_id": "r"}),
        ({"ApiID": "a", "RecordingID": "r"}, {"api_id": "a", "recording_id": "r"}),
        ({"response": '{"api_id": "a", "recording_id": "r"}'}, {"api_id": "a", "recording_id": "r"}),
        ({"api_id": "outside", "response": '{"api_id": "inside"}'}, {"api_id": "outside"}),
        ({"api_id": "", "ApiID": "a"}, {"api_id": "a"}),
        ({"api_id": 7, "recording_id": None, "response": 8}, {}),
        ({"recording_id": "r", "response": "no JSON"}, {"recording_id": "r"}),
        ({"recording_id": "r", "response": "[" * 10_000}, {"recording_id": "r"}),
    ],
)
def test_ids_are_found_in_every_format(raw: dict[str, Any], ids: dict[str, str]) -> None:
    assert named_ids(raw) == ids
