from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from plivo_record_async.cli.demo.scenario import DemoConference, Step
from plivo_record_async.cli.demo.view import view
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.errors import PlivoRecordError

ID = "01234567-89ab-cdef-0123-456789abcdef"
OPENED = ({"type": "Opened", "at": 0}, "Plivo at http://p")
CHAPTER = ({"type": "Chapter", "at": 0}, "starting")
HAPPENED = ({"type": "Happened", "at": 0.5}, "a  async  accepted")
WARNED = ({"type": "Warned", "at": 1.5, "text": "a forged\ncallback"}, "a forged\ncallback")
CLOSED = ({"type": "Closed", "at": 2.46, "ok": True}, "2 of 4 recordings started")
FAILED = ({"type": "Closed", "at": 2.46, "ok": False}, "2 of 4 recordings started")


def conference(name: str, steps: dict[Step, float] | None = None, **changes: Any) -> DemoConference:
    happened = [{"at": at, "what": step} for step, at in (steps or {}).items()]
    return DemoConference(conference_name=name, steps=happened, **changes)


STEPS: dict[Step, float] = {"accepted": 0.1, "conference ended": 1.3, "recorded": 1.4, "transcribed": 1.5}
CONFERENCES = (
    conference("a\x07", STEPS, mode="async", transcribe=True, api_id="1", recording_id="2", duration_ms=1234),
    conference("b", {"started": 0.1, "stopped": 2.25}, api_id="3", recording_id="4", measured_ms=2150),
    conference("c", {"failed": 0.5}, error=PlivoRecordError("no")),
    conference("d", {"accepted": 0.1}, mode="async"),
    conference("e", {"accepted": 0.1, "stopped": 2}, mode="async"),
    conference("f"),
)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what is printed for events, without the sequences that control a terminal."""

    def shown(
        *events: tuple[dict[str, Any], str], conferences: Sequence[DemoConference] = CONFERENCES, as_json: bool = False
    ) -> str:
        with view(Printer(as_json), conferences) as show:
            for event in events:
                show(*event)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", capsys.readouterr().out)

    return shown


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TTY_COMPATIBLE": "1", "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)


def test_json_is_the_event_on_one_line(shown: Any) -> None:
    assert shown(WARNED, as_json=True) == '{"type": "Warned", "at": 1.5, "text": "a forged\\ncallback"}\n'


PLAIN = """\
  0.00  Plivo at http://p

  0.00  starting
  0.50  a  async  accepted
  1.50  a forged\\ncallback

room   mode   api_id  recording  duration  accepted          over  recorded  text
a\\x07  async  1       2            1.23 s      0.10    ended 1.30      1.40  1.50
b      sync   3       4           ~2.15 s      0.10  stopped 2.25         -     -
c      sync   -       -                 -         -   failed 0.50         -     -
d      async  -       -                 -      0.10             -         -     -
e      async  -       -                 -      0.10  stopped 2.00         -     -
f      sync   -       -                 -         -             -         -     -

2 of 4 recordings started
accepted: Plivo accepted the start; recorded, text: a callback reported the file, the transcript; in seconds
duration: as the callback reported it, or ~ as measured here, from response to response
"""


def test_plain_lines_end_with_a_table_and_have_no_control_characters(shown: Any) -> None:
    assert shown(OPENED, CHAPTER, HAPPENED, WARNED, CLOSED) == PLAIN


@pytest.mark.usefixtures("terminal")
def test_terminal_without_a_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch, shown: Any) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert shown(OPENED, CHAPTER, HAPPENED, WARNED, CLOSED) == PLAIN


@pytest.mark.usefixtures("terminal")
def test_terminal_shows_progress(shown: Any) -> None:
    screen = shown(OPENED, CHAPTER, HAPPENED, WARNED)
    lines = [" ".join(re.sub("[━╺╸]", "", line).split()) for line in screen.splitlines()]
    for line in (
        *("starts accepted 4/6", "recordings over 3/6", "files recorded 1/3", "transcripts 1/1"),
        "✔ a\\x07 1.23 s ✔ b ✘ c ● d ◑ e · f",
        "· waiting ● recording ◑ over ✔ done ✘ failed",
    ):
        assert line in lines
    assert "Plivo at http://p\n" in screen
    assert "a forged\\ncallback\n" in screen
    assert " starting\n" in screen
    assert HAPPENED[1] not in screen, "the state of the conference shows what has happened"


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("closed", "sign"), [(CLOSED, "✔"), (FAILED, "✘")])
def test_terminal_shows_the_table_at_the_end(closed: Any, sign: str, shown: Any) -> None:
    shown_words = [line.split() for line in shown(closed).splitlines() if line.strip(" ─")]
    words = [str(line).split() for line in PLAIN[PLAIN.index("room ") :].splitlines() if line]
    words[-3].insert(0, sign)
    assert shown_words[-len(words) :] == words


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("width", "shown_id", "ruled"), [(80, ID[:7], False), (98, ID[:9], True), (150, ID, True)])
def test_table_fits_the_terminal(
    width: int, shown_id: str, ruled: bool, monkeypatch: pytest.MonkeyPatch, shown: Any
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    known = {"mode": "async", "transcribe": True, "api_id": ID, "recording_id": ID, "duration_ms": 1500}
    for name in ("room-24", "x" * 300):
        screen = shown(CLOSED, conferences=[conference(name, STEPS, **known)])
        row, *_ = [line for line in screen.splitlines() if line.endswith("1.40  1.50 " if ruled else "1.40 1.50")]
        assert len(row) <= width
        assert row.split()[4:] == ["1.50", "s", "0.10", "ended", "1.30", "1.40", "1.50"]
        assert ("───" in screen) is ruled
        if name == "room-24":
            assert [text.startswith(shown_id) for text in row.split()[2:4]] == [True, True]
