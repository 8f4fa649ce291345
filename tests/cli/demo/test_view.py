from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from plivo_record_async.cli.demo.scenario import DemoConference, Event, Step
from plivo_record_async.cli.demo.view import view
from plivo_record_async.cli.output.printer import Printer

ID = "01234567-89ab-cdef-0123-456789abcdef"
OPENED: Event = {"type": "Opened", "plivo": "http://p", "listener": "http://l"}
WARNED: Event = {"type": "Warned", "at": 1.5, "text": "a forged\ncallback"}


def conference(name: str, steps: dict[Step, float] | None = None, **changes: Any) -> DemoConference:
    happened = [{"at": at, "what": step} for step, at in (steps or {}).items()]
    return DemoConference(conference_name=name, steps=happened, **changes)


STEPS: dict[Step, float] = {"accepted": 0.1, "conference ended": 1.3, "recorded": 1.4, "transcribed": 1.5}
FOLLOWED = conference("a\x07", STEPS, mode="async", api_id="1", recording_id="2", duration_ms=1234)
SYNC = conference("b", {"started": 0.1, "stopped": 2.25}, api_id="3", recording_id="4", measured_ms=2150)
CONFERENCES = (FOLLOWED, SYNC, conference("c", {"failed": 0.5}, error="no"), conference("d"))


def closed(*problems: str, executions: int | None = 2) -> Event:
    result: Event = {"callbacks": 2, "executions": executions, "problems": list(problems)}
    return {"type": "Closed", "ok": not problems, "at": 2.46} | result


def shown(
    capsys: pytest.CaptureFixture[str],
    *events: Event,
    conferences: Sequence[DemoConference] = CONFERENCES,
    as_json: bool = False,
) -> str:
    """Return what was printed for the events, without the sequences that control a terminal."""
    with view(Printer(as_json), conferences) as show:
        for event in events:
            show(event)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", capsys.readouterr().out)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TTY_COMPATIBLE": "1", "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)


def test_json_is_the_event_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, WARNED, as_json=True) == '{"type": "Warned", "at": 1.5, "text": "a forged\\ncallback"}\n'


def test_plain_lines_end_with_a_table_and_have_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    chapter: Event = {"type": "Chapter", "at": 0, "title": "starting"}
    assert shown(capsys, OPENED, chapter, WARNED, closed("no")) == (
        "Plivo at http://p\n"
        "callbacks received at http://l\n"
        "\n"
        "  0.00  starting\n"
        "  1.50  a forged\\ncallback\n"
        "\n"
        "room   mode   api_id  recording  duration  accepted          over  recorded  text\n"
        "a\\x07  async  1       2            1.23 s      0.10    ended 1.30      1.40  1.50\n"
        "b      sync   3       4           ~2.15 s      0.10  stopped 2.25         -     -\n"
        "c      sync   -       -                 -         -   failed 0.50         -     -\n"
        "d      sync   -       -                 -         -             -         -     -\n"
        "\n"
        "2 of 4 recordings started, 2 starts executed, 2 callbacks verified, problems: 1, 2.5 s\n"
        "accepted: Plivo accepted the start; recorded, text: a callback reported the file, the transcript; in seconds\n"
        "duration: as the callback reported it, or ~ as measured here, from response to response\n"
    )


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("started", "started, recording 2\\x07"),
        ("accepted", "accepted, api_id 1\\x07"),
        ("recorded", "recorded: 0.00 s"),
        ("transcribed", "transcribed: what\\nwas {said}"),
        ("conference ended", "conference ended"),
        ("stopped", "stopped"),
        ("failed", "failed: no\\x07"),
    ],
)
def test_each_step_is_a_plain_line(what: Step, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    happened: Event = {"type": "Happened", "at": 1, "what": what, "conference_name": "a", "mode": "sync"}
    known = {"api_id": "1\x07", "recording_id": "2\x07", "transcription": "what\nwas {said}", "error": "no\x07"}
    assert shown(capsys, happened | known | {"duration_ms": None}) == f"  1.00  a  sync   {line}\n"


def test_plain_lines_say_that_no_callbacks_are_received(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, OPENED | {"listener": None}) == "Plivo at http://p\nno callbacks received\n"


@pytest.mark.usefixtures("terminal")
def test_terminal_shows_progress(capsys: pytest.CaptureFixture[str]) -> None:
    conferences = [
        conference("r0", mode="async"),
        conference("r1", {"accepted": 1}, mode="async"),
        conference("r2", {"accepted": 1, "stopped": 2}, mode="async"),
        conference("r3", {"accepted": 1, "recorded": 2}, mode="async", duration_ms=1500),
        conference("r4", {"failed": 1}, mode="async", error="no"),
    ]
    happened: Event = {"type": "Happened"}
    screen = shown(capsys, OPENED, {"type": "Chapter", "title": "starting"}, WARNED, happened, conferences=conferences)
    assert "Plivo at http://p, callbacks received at http://l\n" in screen
    assert "a forged\\ncallback\n" in screen
    lines = [" ".join(re.sub("[━╺╸]", "", line).split()) for line in screen.splitlines()]
    for line in ("starts accepted 3/5", "recordings over 2/5", "files recorded 1/5", "transcripts 0/0"):
        assert line in lines
    assert "· r0 ● r1 ◑ r2 ✔ r3 1.50 s ✘ r4" in lines
    assert "· waiting ● recording ◑ over ✔ done ✘ failed" in lines
    assert " starting\n" in screen


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("width", "shown_id", "ruled"), [(80, "0123456", False), (98, ID[:9], True), (150, ID, True)])
def test_table_fits_the_terminal(
    width: int, shown_id: str, ruled: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    steps: dict[Step, float] = {"accepted": 0, "stopped": 1, "recorded": 2, "transcribed": 3}
    ids = {"api_id": ID, "recording_id": ID, "duration_ms": 1500}
    screen = shown(
        capsys, closed(), conferences=[conference(f"room-{n:02}", steps, mode="async", **ids) for n in range(25)]
    )
    lines = screen.rpartition("recorded  text" if ruled else "recorded text")[2].splitlines()
    assert max(map(len, lines)) <= width
    assert any("───" in line for line in lines) is ruled
    (row,) = [line.split() for line in lines if "room-24" in line]
    assert row[:2] + row[4:] == ["room-24", "async", "1.50", "s", "0.00", "stopped", "1.00", "2.00", "3.00"]
    assert row[2].startswith(shown_id)
    assert row[3].startswith(shown_id)


@pytest.mark.usefixtures("terminal")
def test_long_name_is_shortened_and_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    screen = shown(capsys, closed(), conferences=[conference("x" * 300, {"started": 0.1})])
    *_, row = [line.split() for line in screen.splitlines() if "xx…" in line]
    assert row[1:] == ["sync", "-", "-", "-", "0.10", "-", "-", "-"]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("problems", "summary"),
    [
        ((), "✔ 2 of 4 recordings started, 2 callbacks verified, no problems, 2.5 s\n"),
        (("no",), "✘ 2 of 4 recordings started, 2 callbacks verified, problems: 1, 2.5 s\n"),
    ],
)
def test_terminal_shows_whether_there_were_problems(
    problems: tuple[str, ...], summary: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert summary in shown(capsys, closed(*problems, executions=None))


@pytest.mark.usefixtures("terminal")
def test_terminal_without_a_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(view(Printer(as_json=False), CONFERENCES), nullcontext)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(view(Printer(as_json=False), CONFERENCES), nullcontext)
