from __future__ import annotations

import contextlib
import io
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.cli.output import BadLine, ExitCode, Output, Tally, error_record, exit_code, printable
from plivo_record_async.errors import (
    BadRequestError,
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ServerError,
    UnexpectedResponseError,
)
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
    ("error", "code"),
    [
        (ConfigurationError("x"), ExitCode.USAGE),
        (UNKNOWN, ExitCode.UNKNOWN),
        (UnexpectedResponseError(200, "", "it is empty"), ExitCode.UNKNOWN),
        (ServerError(500, None, "x", ""), ExitCode.UNKNOWN),
        (NOT_SENT, ExitCode.FAILED),
        (BadRequestError(400, None, "x", ""), ExitCode.FAILED),
        (ValueError("x"), ExitCode.FAILED),
    ],
)
def test_an_error_has_an_exit_code(error: Exception, code: ExitCode) -> None:
    assert exit_code(error) is code


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
    assert error_record(UNKNOWN) == {
        "type": "OutcomeUnknownError",
        "error": str(UNKNOWN),
        "phase": "answer",
        "sent_at": SENT_AT,
    }
    refusal = RateLimitError(429, "an-id", "slow down", "", retry_after=2.5)
    assert error_record(refusal) == {
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
        {"type": "OutcomeUnknownError", "error": str(UNKNOWN), "phase": "answer", "sent_at": SENT_AT.isoformat()}
        | {"conference_name": "a", "ok": False},
    ),
    (
        Failed(BadLine(number=1, text="{"), ValueError("line 1: \x07")),
        "failed   {  line 1: \\x07",
        {"type": "ValueError", "error": "line 1: \x07", "line": "{", "line_number": 1, "ok": False},
    ),
]


@pytest.mark.parametrize(("outcome", "line", "record"), OUTCOMES)
def test_an_outcome_is_a_line_or_an_object(
    outcome: Outcome[Any, Any], line: str, record: Mapping[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    Output(as_json=False).outcome(outcome)
    assert capsys.readouterr().out == line + "\n"
    Output(as_json=True).outcome(outcome)
    printed = capsys.readouterr().out
    assert json.loads(printed) == record
    assert printed.isascii()
    assert printed.rstrip("\n").isprintable()


def test_a_summary_is_a_line_or_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).summary(Tally(done=1, failed=2, unknown=3))
    assert capsys.readouterr().out == "summary: 1 done, 2 failed, 3 unknown\n"
    Output(as_json=True).summary(Tally(done=1, failed=2, unknown=3))
    assert json.loads(capsys.readouterr().out) == {"type": "Summary", "done": 1, "failed": 2, "unknown": 3}


def test_summary_of_a_batch_that_ended_early_counts_the_items_not_begun(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(failed=2, not_begun=7)
    for all_read, more in ((True, ""), (False, " or more")):
        Output(as_json=False).summary(tally, all_read=all_read)
        assert capsys.readouterr().out == f"summary: 0 done, 2 failed, 0 unknown, 7 not begun{more}\n"
        Output(as_json=True).summary(tally, all_read=all_read)
        assert json.loads(capsys.readouterr().out) == {
            "type": "Summary",
            "done": 0,
            "failed": 2,
            "unknown": 0,
            "not_begun": 7,
            "all_read": all_read,
        }
    Output(as_json=False).summary(Tally(done=1), all_read=False)
    assert capsys.readouterr().out == "summary: 1 done, 0 failed, 0 unknown\n"


def test_an_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).error(ConfigurationError("a\nb"))
    assert capsys.readouterr() == ("", "error: a\\nb\n")
    Output(as_json=True).error(UNKNOWN)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert json.loads(printed.err)["sent_at"] == SENT_AT.isoformat()


def test_value_without_a_json_form_is_printed_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).record({"path": ConfigurationError("x")})
    assert json.loads(capsys.readouterr().out) == {"path": "x"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
        lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text() | st.floats(), inner),
        max_leaves=8,
    )
)
def test_printed_json_is_strictly_valid(value: Any) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        Output(as_json=True).record({"type": "Anything", "value": value})
    text = printed.getvalue()
    assert text.isascii()
    assert text.count("\n") == 1
    json.dumps(json.loads(text, parse_constant=pytest.fail), ensure_ascii=False).encode()


def test_value_that_json_cannot_represent_is_null_or_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).record({"nan": math.nan, "rest": (-math.inf, b"\xff\n", "\ud800", {1.5: "\udcff"}, SENT_AT)})
    assert json.loads(capsys.readouterr().out) == {
        "nan": None,
        "rest": [None, "\\xff\n", "\\ud800", {"1.5": "\\udcff"}, SENT_AT.isoformat()],
    }


def test_error_with_values_that_json_cannot_represent_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).error(RateLimitError(429, None, "\udcff", "", retry_after=math.nan))
    record = json.loads(capsys.readouterr().err, parse_constant=pytest.fail)
    assert "\\udcff" in record["error"]


def test_note_is_a_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).note("a\x1bb")
    assert capsys.readouterr() == ("", "a\\x1bb\n")


def test_failed_output_is_reported_unless_the_reader_has_closed(capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(28, "No space left on device")
    for error, what, said in (
        (full, "", "error: [Errno 28] No space left on device\n"),
        (full, "The rest cannot be printed", "error: The rest cannot be printed: [Errno 28] No space left on device\n"),
        (BrokenPipeError(32, "Broken pipe"), "The rest cannot be printed", ""),
    ):
        Output(as_json=False).stop_printing(error, what)
        assert capsys.readouterr().err == said


def print_error(output: Output) -> None:
    output.error(OSError("a"))


def print_note(output: Output) -> None:
    output.note("a")


@pytest.mark.parametrize("print_line", [print_error, print_note])
def test_stderr_that_cannot_be_written_is_discarded(
    print_line: Callable[[Output], None], unread: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with os.fdopen(os.dup(unread), "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        for _ in range(2):
            print_line(Output(as_json=False))
