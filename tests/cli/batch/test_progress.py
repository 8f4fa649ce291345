from __future__ import annotations

import asyncio
import io
import json
import sys
from typing import Any

import pytest

from plivo_record_async.cli.batch.progress import Progress, progress_line, showing_progress
from plivo_record_async.cli.output.outcomes import Tally
from plivo_record_async.cli.output.printer import Printer


def progress(**values: Any) -> Progress:
    default: dict[str, Any] = {"total": 2000, "in_flight": 32, "following": 400, "seconds": 10.0}
    return Progress(tally=Tally(done=90, failed=8, unknown=2), **default | values)


def test_line_has_the_rate_the_counts_and_the_remaining_time() -> None:
    assert progress_line(progress()) == (
        "500 of 2000 calls, 50.0/s, 32 in flight, 400 followed, 90 done, 8 failed, 2 unknown, ETA 0:00:30"
    )


def test_remaining_time_is_unknown_at_the_beginning() -> None:
    line = progress_line(progress(seconds=0.0, following=0))
    assert line == "100 of 2000 calls, 0.0/s, 32 in flight, 90 done, 8 failed, 2 unknown, ETA unknown"


async def shown(printer: Printer) -> None:
    read = asyncio.Event()

    def read_progress() -> Progress:
        read.set()
        return progress()

    async with showing_progress(read_progress, printer, interval=0.01):
        await asyncio.wait_for(read.wait(), 5)
        await asyncio.sleep(0)


async def test_lines_are_printed_on_stderr_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    await shown(Printer(as_json=False))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[0] == progress_line(progress())


async def test_lines_are_objects_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    await shown(Printer(as_json=True))
    assert json.loads(capsys.readouterr().err.splitlines()[0]) == {
        "type": "Progress",
        "total": 2000,
        "in_flight": 32,
        "following": 400,
        "done": 90,
        "failed": 8,
        "unknown": 2,
        "rate": 50.0,
        "eta_s": 30.0,
    }


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_progress_is_live_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    await shown(Printer(as_json=False))
    assert progress_line(progress()) in terminal.getvalue()
    assert "\x1b[2K" in terminal.getvalue(), "the line is erased at the end"
