from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext

import pytest

from plivo_record_async.cli.demo.room_status import RoomStatus, What
from plivo_record_async.cli.demo.scenario import Event
from plivo_record_async.cli.demo.view import view
from plivo_record_async.cli.output.printer import Printer

ID = "01234567-89ab-cdef-0123-456789abcdef"
OPENED: Event = {"type": "Opened", "plivo": "http://p", "listener": "http://l", "rooms": []}
WARNED: Event = {"type": "Warned", "at": 1.5, "text": "a forged\ncallback"}
ROOMS = (
    RoomStatus(
        name="a\x07", mode="async", transcribe=True, api_id="1", recording_id="2", duration_ms=1234,
        steps=[(0.1, "accepted"), (1.3, "conference ended"), (1.4, "recorded"), (1.5, "transcribed")],
    ),
    RoomStatus(name="b", api_id="3", recording_id="4", steps=[(0.1, "started"), (2.25, "stopped")]),
    RoomStatus(name="c", steps=[(0.5, "failed")], error="no"),
    RoomStatus(name="d"),
)  # fmt: skip


def closed(*problems: str, executions: int | None = 2) -> Event:
    result: Event = {"callbacks": 2, "executions": executions, "problems": list(problems)}
    closing: Event = {"type": "Closed", "ok": not problems, "at": 2.46, "rooms": []}
    return closing | result


def shown(
    capsys: pytest.CaptureFixture[str], *events: Event, rooms: Sequence[RoomStatus] = ROOMS, as_json: bool = False
) -> str:
    """Return what was printed for the events, without the sequences that control a terminal."""
    with view(Printer(as_json), rooms) as show:
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
        "accepted: Plivo took the start; recorded, text: the file, the transcript, by verified callback; in seconds\n"
        "duration: as the callback gave it, or ~ as measured here, from answer to answer\n"
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
def test_each_step_is_a_plain_line(what: What, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    room = RoomStatus(name="a", api_id="1\x07", recording_id="2\x07", transcription="what\nwas {said}", error="no\x07")
    happened = {"type": "Happened", "at": 1, "what": what} | room.as_record()
    assert shown(capsys, happened) == f"  1.00  a  sync   {line}\n"


def test_plain_lines_say_that_no_callbacks_are_received(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, OPENED | {"listener": None}) == "Plivo at http://p\nno callbacks received\n"


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_progress(capsys: pytest.CaptureFixture[str]) -> None:
    states: list[tuple[list[tuple[float, What]], str]] = [
        ([], "· r0"),
        ([(1, "accepted")], "● r1"),
        ([(1, "accepted"), (2, "stopped")], "◑ r2"),
        ([(1, "accepted"), (2, "recorded")], "✔ r3 1.50 s"),
        ([(1, "failed")], "✘ r4"),
    ]
    rooms = [RoomStatus(name=f"r{number}", mode="async", steps=steps) for number, (steps, _) in enumerate(states)]
    rooms[3].duration_ms, rooms[4].error = 1500, "no"
    happened: Event = {"type": "Happened"}
    screen = shown(capsys, OPENED, {"type": "Chapter", "title": "starting"}, WARNED, happened, rooms=rooms)
    assert "Plivo at http://p, callbacks received at http://l\n" in screen
    assert "a forged\\ncallback\n" in screen
    lines = [" ".join(re.sub("[━╺╸]", "", line).split()) for line in screen.splitlines()]
    for line in ("starts accepted 3/5", "recordings over 2/5", "files recorded 1/5", "transcripts 0/0"):
        assert line in lines
    assert " ".join(state for _, state in states) in lines
    assert "· waiting ● recording ◑ over ✔ done ✘ failed" in lines
    assert " starting\n" in screen


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("width", "shown_id", "ruled"), [(80, "0123456…", False), (98, ID[:9], True), (150, ID, True)])
def test_the_table_fits_the_terminal(
    width: int, shown_id: str, ruled: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    steps: list[tuple[float, What]] = [(0, "accepted"), (1, "stopped"), (2, "recorded"), (3, "transcribed")]
    rooms = [
        RoomStatus(name=f"room-{n:02}", mode="async", api_id=ID, recording_id=ID, duration_ms=1500, steps=steps)
        for n in range(25)
    ]
    lines = (
        shown(capsys, closed(), rooms=rooms).rpartition("recorded  text" if ruled else "recorded text")[2].splitlines()
    )
    assert max(map(len, lines)) <= width
    assert any("───" in line for line in lines) is ruled
    (row,) = [line.split() for line in lines if "room-24" in line]
    assert row[:2] + row[4:] == ["room-24", "async", "1.50", "s", "0.00", "stopped", "1.00", "2.00", "3.00"]
    assert row[2].startswith(shown_id.rstrip("…"))
    assert row[3].startswith(shown_id.rstrip("…"))


@pytest.mark.usefixtures("terminal")
def test_a_long_name_is_shortened_and_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    screen = shown(capsys, closed(), rooms=[RoomStatus(name="x" * 300, steps=[(0.1, "started")])])
    *_, row = [line.split() for line in screen.splitlines() if "xx…" in line]
    assert row[1:] == ["sync", "-", "-", "-", "0.10", "-", "-", "-"]


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_whether_all_went_well(capsys: pytest.CaptureFixture[str]) -> None:
    summary = "✔ 2 of 4 recordings started, 2 callbacks verified, no problems, 2.5 s\n"
    assert summary in shown(capsys, closed(executions=None))
    assert "✘ 2 of 4 recordings started, 2 callbacks verified, problems: 1, 2.5 s\n" in shown(
        capsys, closed("no", executions=None)
    )


@pytest.mark.usefixtures("terminal")
def test_a_terminal_without_a_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(view(Printer(as_json=False), ROOMS), nullcontext)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(view(Printer(as_json=False), ROOMS), nullcontext)
