"""The dictionary of any public value is JSON with the same content."""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from http import HTTPStatus
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async import (
    ApiResponse,
    CallbackPolicy,
    Conference,
    Failed,
    NotSentError,
    PendingResponse,
    RateLimit,
    Recording,
    RecordingEnded,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    Succeeded,
    TrackingPolicy,
    UnknownCallback,
    explain_signature,
)
from plivo_record_async._value import Value, json_ready
from plivo_record_async.emulator import Dialect
from plivo_record_async.stores.interface import Orphan

AT = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
PUBLIC = ("", ".emulator", ".stores", ".stores.interface")


def public_values() -> Iterator[Any]:
    for module in PUBLIC:
        package = importlib.import_module(f"plivo_record_async{module}")
        for name in package.__all__:
            member = getattr(package, name)
            if isinstance(member, type) and attrs.has(member):
                yield pytest.param(member, id=f"{name}{module}")


def read_back(value: Value) -> Any:
    return json.loads(json.dumps(value.to_dict(), allow_nan=False))


@pytest.mark.parametrize("cls", [*public_values()])
def test_every_public_value_can_be_written_as_json(cls: type[Any]) -> None:
    assert issubclass(cls, Value)


def test_a_value_is_a_dictionary_of_its_attributes() -> None:
    assert RecordingEnded(record_url="https://f", ended_at=AT, raw={"record_url": "https://f"}).to_dict() == {
        "api_id": None,
        "conference_name": None,
        "record_url": "https://f",
        "recording_id": None,
        "duration_ms": None,
        "started_at": None,
        "ended_at": "2026-01-02T03:04:05.678900+00:00",
        "raw": {"record_url": "https://f"},
    }
    assert RateLimit(300, per=5.0).to_dict() == {"limit": 300, "per": 5.0}
    assert CallbackPolicy().to_dict()["retry_on"] == ["ct", "rt", "5xx"]
    assert TrackingPolicy().to_dict()["lease"] == 10.0
    assert Dialect().to_dict()["start_status"] == 202


def test_time_keeps_its_offset_and_can_be_parsed() -> None:
    at = datetime(2014, 8, 5, 16, 15, 15, 852059, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    written = Recording(recording_id="r", added_at=at).to_dict()["added_at"]
    assert written == "2014-08-05T16:15:15.852059+05:30"
    assert datetime.fromisoformat(written) == at


def test_nested_values_become_dictionaries() -> None:
    event = ApiResponse(api_id="a", answer={"api_id": "a"}, raw={"response": "{}"})
    assert read_back(Orphan(received_at=AT, event=event, reason="odd", digest="d", start_id="s")) == {
        "received_at": AT.isoformat(),
        "event": {"api_id": "a", "message": None, "error": None, "answer": {"api_id": "a"}, "raw": {"response": "{}"}},
        "reason": "odd",
        "digest": "d",
        "start_id": "s",
    }
    assert read_back(Conference(conference_name="c", members=(MappingProxyType({"muted": False}),)))["members"] == [
        {"muted": False}
    ]
    report = explain_signature(
        "GET",
        "https://me.example/",
        {"X-Plivo-Signature-V3": "s", "X-Plivo-Signature-V3-Nonce": "n"},
        b"",
        auth_tokens="t",
    )
    assert read_back(report)["signature_headers"] == {
        "version": "V3",
        "nonce": "n",
        "signatures": {"x-plivo-signature-v3": "s"},
    }


def test_dictionary_of_an_outcome_contains_ok() -> None:
    request = StartRequest("board")
    assert read_back(Succeeded(request, PendingResponse("a"))) == {
        "request": request.to_dict(),
        "result": {"api_id": "a"},
        "ok": True,
        "error": None,
    }
    assert read_back(Failed("", ValueError("empty"))) == {
        "request": "",
        "result": None,
        "ok": False,
        "error": {"type": "ValueError", "error": "empty"},
    }
    error = NotSentError("start", "refused", phase="connect", evidence="no connection", called_at=AT)
    assert read_back(Failed("a", error))["error"] == error.to_dict()
    assert read_back(Succeeded("a", PurePosixPath("/tmp/a.mp3")))["result"] == "/tmp/a.mp3"


@pytest.mark.parametrize(
    ("held", "written"),
    [
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (True, True),
        (HTTPStatus.OK, 200),
        ("\ud800a\udfff", "\ufffda\ufffd"),
        ("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600"),
        (b"caf\xe9", "caf\ufffd"),
        (bytearray(b"x"), "x"),
        ({3, 1}, [1, 3]),
        (frozenset("b"), ["b"]),
        ((1, (2,)), [1, [2]]),
        (range(2), [0, 1]),
        (timedelta(minutes=1), 60.0),
        (AT, AT.isoformat()),
        (Decimal("0.1"), "0.1"),
        (PurePosixPath("/a"), "/a"),
        ({1: {None: "x"}}, {"1": {"None": "x"}}),
        ({"\udfff": 1}, {"\ufffd": 1}),
        (KeyError("k"), {"type": "KeyError", "error": "'k'"}),
    ],
)
def test_values_that_json_cannot_represent_are_replaced(held: object, written: object) -> None:
    value = UnknownCallback(raw={"held": held, "list": [held], "deep": {"held": [held]}})
    assert read_back(value)["raw"] == {"held": written, "list": [written], "deep": {"held": [written]}}
    json.dumps(value.to_dict(), ensure_ascii=False, allow_nan=False).encode()


def test_deeply_nested_response_can_be_written() -> None:
    depth = 5 * sys.getrecursionlimit()
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    copied = RecordingStarted(api_id="a", raw={"x": nested}).to_dict()["raw"]["x"]
    levels = 0
    while copied:
        (copied,) = copied
        levels += 1
    assert levels == depth


def test_returned_dictionary_is_a_copy() -> None:
    value = RecordingStopped(raw={"list": [{}]})
    value.to_dict()["raw"]["list"][0]["x"] = 1
    assert value.to_dict()["raw"] == {"list": [{}]}


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)) | st.binary()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.sets(scalars))


@given(anything)
def test_any_raw_can_be_written_and_stays_the_same_when_written_again(held: Any) -> None:
    written = json_ready(held)
    assert json_ready(written) == written
    assert json.loads(json.dumps(written, ensure_ascii=False, allow_nan=False).encode()) == written


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(plain)
def test_json_values_are_not_changed(held: Any) -> None:
    assert json_ready(held) == held
    assert RecordingStarted(api_id="a", raw={"held": held}).to_dict()["raw"] == {"held": held}
