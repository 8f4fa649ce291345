from __future__ import annotations

import json
from typing import Any

import pytest

from plivo_record_async.emulator.account.dialect import Dialect, Dialects

FIELDS: dict[str, str | int] = {"record_url": "http://h/r.mp3", "recording_id": "an-id", "recording_duration_ms": 1500}


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("text", {"api_id": "1", "error": "not found"}),
        ("object", {"api_id": "1", "error": {"error": "not found"}}),
        ("empty", {}),
        ("html", "<html><body><h1>not found</h1></body></html>"),
    ],
)
def test_refusals_follow_the_dialect(shape: Any, body: object) -> None:
    assert Dialect(error_shape=shape).refusal("not found", "1") == body


def test_a_refusal_may_come_without_an_api_id() -> None:
    assert Dialect(error_api_id=False).refusal("not found", "1") == {"error": "not found"}
    assert Dialect().refusal("not found", None) == {"error": "not found"}


def test_the_current_documents_have_flat_fields_and_whole_numbers() -> None:
    assert Dialect().ended_fields(FIELDS) == {
        "record_url": "http://h/r.mp3",
        "recording_id": "an-id",
        "recording_duration_ms": "1500",
    }


def test_camel_case_dialect_renames_the_fields() -> None:
    assert Dialect(ended_shape="camel_case", ended_message="record_done").ended_fields(FIELDS) == {
        "RecordUrl": "http://h/r.mp3",
        "RecordingID": "an-id",
        "RecordingDurationMs": "1500",
        "Message": "record_done",
    }


def test_json_dialect_sends_one_field() -> None:
    said = Dialect(ended_shape="response", ended_message="record done").ended_fields(FIELDS)
    assert list(said) == ["response"]
    assert json.loads(said["response"]) == {**FIELDS, "message": "record done"}


@pytest.mark.parametrize(("numbers", "spelled"), [("integer", "1500"), ("decimal", "1500.00000"), ("empty", "")])
def test_number_argument_is_read_within_its_bounds(numbers: Any, spelled: str) -> None:
    assert Dialect(numbers=numbers).ended_fields(FIELDS)["recording_duration_ms"] == spelled


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_status": 204},
        {"stop_status": 404},
        {"async_status": 500},
        {"error_shape": "xml"},
        {"ended_shape": "kebab"},
        {"numbers": "roman"},
        {"signatures": "V1"},
        {"copies": 0},
        {"delay_s": -1},
    ],
)
def test_unknown_dialect_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Dialect(**wrong)


def test_dialect_is_read_from_json() -> None:
    assert Dialect.of({"stop_status": 200, "copies": 2}) == Dialect(stop_status=200, copies=2)
    with pytest.raises(ValueError, match="'colour': not known, only start_status, "):
        Dialect.of({"colour": "red"})
    for wrong in ({"copies": 0}, {"copies": "two"}, {"numbers": "roman"}):
        with pytest.raises(ValueError, match="the dialect is invalid: "):
            Dialect.of(wrong)


def test_numbers_may_all_be_unknown() -> None:
    assert Dialect(numbers="unknown").ended_fields({"recording_duration_ms": 1500}) == {"recording_duration_ms": "-1"}


@pytest.mark.parametrize(
    ("shape", "body"), [("json", {"a": 1}), ("empty", {}), ("html", "<html><body><h1>ok</h1></body></html>")]
)
def test_successes_follow_the_dialect(shape: Any, body: object) -> None:
    assert Dialect(success_shape=shape).success({"a": 1}) == body


def test_text_that_utf_8_cannot_encode_is_refused() -> None:
    for given in ({"ended_message": "\ud800"}, {"\ud800": 1}):
        with pytest.raises(ValueError, match=r"\\ud800") as caught:
            Dialect.of(given)
        assert str(caught.value).encode()
    dialects = Dialects()
    with pytest.raises(ValueError, match="surrogates not allowed"):
        dialects["\ud800"] = Dialect()
    dialects["ü"] = Dialect()
    assert dialects == {"ü": Dialect()}
