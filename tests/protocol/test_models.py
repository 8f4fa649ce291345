"""The values that users hold: what they refuse, and that they are frozen, slotted and comparable."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from plivo_record_async.protocol import models
from plivo_record_async.protocol.models import (
    ApiResponse,
    Conference,
    Failed,
    Outcome,
    PendingResponse,
    RateLimit,
    Recording,
    RecordingEnded,
    RecordingStarted,
    RecordingStatus,
    RecordingStopped,
    StartRequest,
    StopRequest,
    Succeeded,
    TranscriptionEnded,
    UnknownCallback,
)

NAME: dict[str, Any] = {"conference_name": "standup"}
CALLBACK = "https://me.example/cb?room=a%20b#ct=2000"

REFUSED = ValueError("no")

VALUES: list[Any] = [
    StartRequest("standup", file_format="wav", callback_url=CALLBACK, callback_method="GET"),
    StopRequest("standup", callback_url=CALLBACK, callback_method="POST"),
    RateLimit(300, per=5.0),
    RecordingStarted(api_id="a", message="m", url="u", recording_id="r", raw={"x": 1}),
    RecordingStopped(api_id="a", message="m"),
    PendingResponse("a"),
    Succeeded("standup", PendingResponse("a")),
    Failed("standup", REFUSED),
    Recording(recording_id="r", duration_ms=1),
    Conference(conference_name="standup", member_count=2),
    ApiResponse(api_id="a", message="m"),
    RecordingEnded(record_url="u", ended_at=datetime(2026, 1, 2, tzinfo=UTC)),
    TranscriptionEnded(recording_id="r", transcription="hello"),
    UnknownCallback(raw={"x": "y"}),
    RecordingStatus(start_id="s", conference_name="c", state="planned", updated_at=datetime(2026, 1, 2, tzinfo=UTC)),
]

BAD_OF_BOTH: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"conference_name": ""}, ValueError, "conference_name must not be empty"),
    ({"conference_name": "."}, ValueError, "conference_name must not be '.'"),
    ({"conference_name": ".."}, ValueError, "conference_name must not be '..'"),
    ({"conference_name": "\udfff"}, ValueError, "conference_name holds a lone surrogate"),
    ({"conference_name": None}, TypeError, "conference_name must be a str"),
    ({"conference_name": b"standup"}, TypeError, "conference_name must be a str"),
    ({"callback_url": "/cb"}, ValueError, "callback_url must be an absolute"),
    ({"callback_url": "ftp://h/cb"}, ValueError, "callback_url must be an absolute"),
    ({"callback_url": 5}, TypeError, "callback_url must be a str"),
    ({"callback_url": CALLBACK, "callback_method": "PUT"}, ValueError, "callback_method must be one of GET, POST"),
    ({"callback_url": CALLBACK, "callback_method": "get"}, ValueError, "callback_method must be one of GET, POST"),
    ({"callback_url": CALLBACK, "callback_method": 1}, TypeError, "callback_method must be a str"),
    ({"callback_method": "GET"}, ValueError, "callback_method was given without callback_url"),
]
BAD_OF_STARTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"file_format": "ogg"}, ValueError, "file_format must be one of mp3, wav"),
    ({"file_format": "MP3"}, ValueError, "file_format must be one of mp3, wav"),
    ({"file_format": 3}, TypeError, "file_format must be a str"),
    ({"transcription_type": ""}, ValueError, "transcription_type must not be empty"),
    ({"transcription_type": True}, TypeError, "transcription_type must be a str"),
    ({"transcription_url": "me.example/cb"}, ValueError, "transcription_url must be an absolute"),
    ({"transcription_method": "PATCH"}, ValueError, "transcription_method must be one of GET, POST"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), BAD_OF_BOTH + BAD_OF_STARTS)
def test_a_start_request_refuses(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        StartRequest(**(NAME | arguments))


@pytest.mark.parametrize(("arguments", "error", "words"), BAD_OF_BOTH)
def test_a_stop_request_refuses(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        StopRequest(**(NAME | arguments))


@pytest.mark.parametrize("transcription_type", ["auto", "hybrid", "manual", "whatever comes next"])
def test_a_transcription_type_is_passed_on_as_given(transcription_type: str) -> None:
    assert StartRequest("standup", transcription_type=transcription_type).transcription_type == transcription_type


@pytest.mark.parametrize(
    ("limit", "per", "error"),
    [(0, 5, ValueError), (1.5, 5, TypeError), (True, 5, TypeError), (1, 0, ValueError), (1, "5", TypeError)],
)
def test_a_rate_limit_refuses(limit: Any, per: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        RateLimit(limit, per=per)


def test_a_success_has_a_result_and_no_error() -> None:
    succeeded = Succeeded("a", None)
    assert (succeeded.ok, succeeded.result, succeeded.error) == (True, None, None)
    assert Succeeded("a", 5).unwrap() == 5


def test_a_failure_has_an_error_and_no_result() -> None:
    failed = Failed("a", REFUSED)
    assert (failed.ok, failed.result, failed.error) == (False, None, REFUSED)
    with pytest.raises(ValueError, match="no") as raised:
        failed.unwrap()
    assert raised.value is REFUSED


def test_an_outcome_is_one_of_two_classes() -> None:
    outcomes: list[Outcome[str, int]] = [Succeeded("a", 5), Failed("a", REFUSED)]
    for outcome in outcomes:
        assert isinstance(outcome, Succeeded | Failed)
        match outcome:
            case Succeeded(request, result):
                assert (request, result) == ("a", 5)
            case Failed(request, error):
                assert (request, error) == ("a", REFUSED)


def test_a_pending_response_has_one_field() -> None:
    assert [field.name for field in attrs.fields(PendingResponse)] == ["api_id"]


def test_raw_takes_no_part_in_comparison_and_is_not_shown() -> None:
    value = RecordingStarted(api_id="a", raw={"secret": "x"})
    assert value == RecordingStarted(api_id="a")
    assert "secret" not in repr(value)


def test_every_value_is_judged_here() -> None:
    public = {getattr(models, name) for name in models.__all__}
    classes = {value for value in public if isinstance(value, type) and attrs.has(value)}
    assert classes == {type(value) for value in VALUES}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_are_frozen_and_slotted_and_copy_and_pickle(value: Any) -> None:
    first = value.__attrs_attrs__[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, first, "other")
    assert not hasattr(value, "__dict__")
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert type(twin) is type(value)
        assert repr(attrs.asdict(twin)) == repr(attrs.asdict(value))
        assert twin == value or getattr(value, "error", None) is REFUSED, "an exception is equal to itself only"


@pytest.mark.parametrize("request_type", [StartRequest, StopRequest])
@pytest.mark.parametrize("name", ["a&b", "a=b", "&", "x&record_url=https://evil.example&z="])
def test_a_get_cannot_be_asked_for_a_name_that_its_signature_would_not_protect(request_type: Any, name: str) -> None:
    with pytest.raises(ValueError, match=r"must not be GET for the conference .* Use POST, the default"):
        request_type(name, callback_url=CALLBACK, callback_method="GET")
    for method in ("POST", None):
        assert request_type(name, callback_url=CALLBACK, callback_method=method).conference_name == name


def test_a_transcript_may_come_by_get_because_it_names_no_conference() -> None:
    request = StartRequest("a&b", transcription_url=CALLBACK, transcription_method="GET", callback_url=CALLBACK)
    assert request.transcription_method == "GET"
