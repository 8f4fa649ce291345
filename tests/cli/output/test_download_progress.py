from __future__ import annotations

import sys
from io import StringIO

import click
import pytest

from plivo_record_async.cli.output.download_progress import download_progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Let stderr be a terminal. A fixture cannot do this, because pytest replaces stderr before a test begins."""
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    return stderr


def test_each_file_has_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    with download_progress(shown=True) as progress, progress.of_file("a\x1b[red]b") as report:
        report(500_000, None)
        report(1_000_000, 2_000_000)
    assert "a\\x1b[red]b" in terminal.getvalue()
    assert "0/? bytes" in terminal.getvalue()


def test_lines_on_stdout_stay_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    open_terminal(monkeypatch)
    with download_progress(shown=True) as progress, progress.of_file("a"):
        click.echo("the path")
    assert capsys.readouterr().out == "the path\n"


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_nothing_is_shown_if_it_is_not_wanted_or_not_possible(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    terminal = open_terminal(monkeypatch)
    monkeypatch.setenv("TERM", term)
    with download_progress(shown=term == "dumb") as progress, progress.of_file("a") as report:
        report(1, 2)
    assert terminal.getvalue() == ""


def test_nothing_is_shown_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with download_progress(shown=True) as progress, progress.of_file("a") as report:
        report(1, 2)
    assert capsys.readouterr() == ("", "")
