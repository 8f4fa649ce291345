from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
import pytest

from plivo_record_async.cli.input.requests import InvalidLine
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.outcomes import Tally, error_object, outcome_line, outcome_object, printable
from plivo_record_async.errors import NotSentError, OutcomeUnknownError, RateLimitError
from plivo_record_async.protocol.models import (
    Failed,
    Outcome,
    PendingResponse,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
    Succeeded,
)

SENT_AT = datetime(2026, 1, 2, tzinfo=UTC)
UNKNOWN = OutcomeUnknownError("start", "no answer", phase="answer", evidence="reset", sent_at=SENT_AT)
NOT_SENT = NotSentError("start", "refused", phase="connect", evidence="no connection")


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], ExitCode.DONE),
        ([None, None], ExitCode.DONE),
        ([None, NOT_SENT], ExitCode.FAILED),
        ([NOT_SENT, UNKNOWN, None], ExitCode.UNKNOWN),
    ],
)
def test_a_batch_has_an_exit_code(errors: list[Exception | None], code: ExitCode) -> None:
    tally = Tally()
    for error in errors:
        tally.count(error)
    assert tally.exit_code is code
    assert tally.done + tally.failed + tally.unknown == len(errors)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Büro 1", "Büro 1"),
        ("a\x1b[31m", r"a\x1b[31m"),
        ("a\nb\r\x07", r"a\nb\r\x07"),
        ("\x9b2J\u202e", r"\x9b2J\u202e"),
    ],
)
def test_printed_text_contains_no_control_characters(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_json_of_an_error_has_its_attributes() -> None:
    assert error_object(UNKNOWN) == {
        "type": "OutcomeUnknownError",
        "error": str(UNKNOWN),
        "phase": "answer",
        "sent_at": SENT_AT,
    }
    refusal = RateLimitError(429, "an-id", "slow down", "", retry_after=2.5)
    assert error_object(refusal) == {
        "type": "RateLimitError",
        "error": str(refusal),
        "status": 429,
        "api_id": "an-id",
        "retry_after": 2.5,
    }


STARTED = RecordingStarted(api_id="a", message="m\x1b", url="u", recording_id="r", raw={"x": 1})
OUTCOMES: list[tuple[Outcome[Any, Any], str, Mapping[str, object]]] = [
    (
        Succeeded(StartRequest("\x1b1"), STARTED),
        "started  \\x1b1  recording_id=r  api_id=a  url=u",
        {"type": "RecordingStarted", "conference_name": "\x1b1", "ok": True}
        | {"api_id": "a", "message": "m\x1b", "url": "u", "recording_id": "r"},
    ),
    (
        Succeeded(StartRequest("a"), PendingResponse("b")),
        "pending  a  api_id=b",
        {"type": "PendingResponse", "conference_name": "a", "ok": True, "api_id": "b"},
    ),
    (
        Succeeded(StopRequest("a"), RecordingStopped()),
        "stopped  a",
        {"type": "RecordingStopped", "conference_name": "a", "ok": True, "api_id": None, "message": None},
    ),
    (
        Failed(StopRequest("a"), NOT_SENT),
        f"failed   a  {NOT_SENT}",
        {"type": "NotSentError", "error": str(NOT_SENT), "phase": "connect", "conference_name": "a", "ok": False},
    ),
    (
        Failed(StartRequest("a"), UNKNOWN),
        f"unknown  a  {UNKNOWN}",
        {"type": "OutcomeUnknownError", "error": str(UNKNOWN), "phase": "answer", "sent_at": SENT_AT}
        | {"conference_name": "a", "ok": False},
    ),
    (
        Failed(InvalidLine(number=1, text="{", error="e"), ValueError("line 1: \x07")),
        "failed   {  line 1: \\x07",
        {"type": "ValueError", "error": "line 1: \x07", "line": "{", "line_number": 1, "ok": False},
    ),
]


@pytest.mark.parametrize(("outcome", "line", "fields"), OUTCOMES)
def test_an_outcome_is_a_line_or_an_object(outcome: Outcome[Any, Any], line: str, fields: Mapping[str, object]) -> None:
    assert click.unstyle(outcome_line(outcome)) == line
    assert outcome_object(outcome) == fields
