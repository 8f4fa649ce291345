from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from plivo_record_async.cli.output.outcomes import Tally
from plivo_record_async.cli.output.printer import Printer, printed
from plivo_record_async.errors import ConfigurationError, OutcomeUnknownError, RateLimitError
from plivo_record_async.protocol.models import RecordingStarted, StartRequest, Succeeded
from tests.support.programs.cli_in_process import FullOutput

SENT_AT = datetime(2026, 1, 2, tzinfo=UTC)
UNKNOWN = OutcomeUnknownError("start", "no answer", phase="answer", evidence="reset", sent_at=SENT_AT)
STARTED = Succeeded(StartRequest("\x1b1"), RecordingStarted(api_id="a", message="m", url="u", recording_id="r"))


def test_outcome_is_one_line_of_text_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=False).outcome(STARTED)
    assert capsys.readouterr().out == "started  \\x1b1  recording_id=r  api_id=a  url=u\n"
    Printer(as_json=True).outcome(STARTED)
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert json.loads(printed)["conference_name"] == "\x1b1"


def test_a_summary_is_a_line_or_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=False).summary(Tally(done=1, failed=2, unknown=3))
    assert capsys.readouterr().out == "summary: 1 done, 2 failed, 3 unknown\n"
    Printer(as_json=True).summary(Tally(done=1, failed=2, unknown=3))
    assert json.loads(capsys.readouterr().out) == {"type": "Summary", "done": 1, "failed": 2, "unknown": 3}


def test_summary_of_a_batch_that_ended_early_counts_the_items_not_begun(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(failed=2, not_begun=7)
    for all_read, more in ((True, ""), (False, " or more")):
        Printer(as_json=False).summary(tally, all_read=all_read)
        assert capsys.readouterr().out == f"summary: 0 done, 2 failed, 0 unknown, 7 not begun{more}\n"
        Printer(as_json=True).summary(tally, all_read=all_read)
        assert json.loads(capsys.readouterr().out) == {
            "type": "Summary",
            "done": 0,
            "failed": 2,
            "unknown": 0,
            "not_begun": 7,
            "all_read": all_read,
        }
    Printer(as_json=False).summary(Tally(done=1), all_read=False)
    assert capsys.readouterr().out == "summary: 1 done, 0 failed, 0 unknown\n"


def test_failure_of_an_item_is_an_error_or_an_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=False).failure(ValueError("a\nb"), item="x")
    assert capsys.readouterr() == ("", "error: a\\nb\n")
    Printer(as_json=True).failure(ValueError("a\nb"), item="x\udcff")
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == (
        {"type": "ValueError", "error": "a\nb", "item": "x\\udcff", "ok": False},
        "",
    )


def test_an_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=False).error(ConfigurationError("a\nb"))
    assert capsys.readouterr() == ("", "error: a\\nb\n")
    Printer(as_json=True).error(UNKNOWN)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert json.loads(printed.err)["sent_at"] == SENT_AT.isoformat()


def test_error_with_values_that_json_cannot_represent_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=True).error(RateLimitError(429, None, "\udcff", "", retry_after=math.nan))
    printed = json.loads(capsys.readouterr().err, parse_constant=pytest.fail)
    assert "\\udcff" in printed["error"]


def test_note_is_a_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=False).note("a\x1bb")
    Printer(as_json=True).note("a\x1bb")
    assert capsys.readouterr() == ("", 'a\\x1bb\n{"type": "Note", "note": "a\\u001bb"}\n')


def test_warning_is_printed_like_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=False).warning("a callback was rejected")
    assert capsys.readouterr() == ("", "error: a callback was rejected\n")


def test_failed_output_is_reported_unless_the_reader_has_closed(capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(28, "No space left on device")
    for error, what, said in (
        (full, "", "error: [Errno 28] No space left on device\n"),
        (full, "The rest cannot be printed", "error: The rest cannot be printed: [Errno 28] No space left on device\n"),
        (BrokenPipeError(32, "Broken pipe"), "The rest cannot be printed", ""),
    ):
        Printer(as_json=False).stop_printing(error, what)
        assert capsys.readouterr().err == said


def print_error(printer: Printer) -> None:
    printer.error(OSError("a"))


def print_note(printer: Printer) -> None:
    printer.note("a")


@pytest.mark.parametrize("print_line", [print_error, print_note])
def test_stderr_that_cannot_be_written_is_discarded(
    print_line: Callable[[Printer], None], unread: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with os.fdopen(os.dup(unread), "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        for _ in range(2):
            print_line(Printer(as_json=False))


def test_outcome_that_cannot_be_printed_is_reported_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printer = Printer(as_json=False)
    assert printed(printer, lambda: printer.line("a"))
    assert capsys.readouterr() == ("a\n", "")
    monkeypatch.setattr(sys, "stdout", FullOutput(after=0))
    assert not printed(printer, lambda: printer.line("a"))
    assert capsys.readouterr().err == (
        "error: The call was made, but its outcome cannot be printed: [Errno 28] No space left on device\n"
    )


def test_closed_stdout_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    printer = Printer(as_json=True)
    with pytest.raises(OSError, match="stdout is closed"):
        printer.outcome(STARTED)
    with pytest.raises(OSError, match="stdout is closed"):
        printer.line()
    printer.stop_printing(OSError("stdout is closed"), "The outcome cannot be printed")
    assert "The outcome cannot be printed: stdout is closed" in capsys.readouterr().err
