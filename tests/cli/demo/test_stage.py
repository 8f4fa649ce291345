from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from plivo_record_async.cli.demo.events import Chapter, Closed, Event, Happened, Mode, Opened, Room, Step, Warned, What
from plivo_record_async.cli.demo.stage import Look, Stage, look

ID = "01234567-89ab-cdef-0123-456789abcdef"


def room(*whats: What, name: str = "a", mode: Mode = "async", error: str | None = None) -> Room:
    steps = tuple(Step(at=at, what=what) for at, what in enumerate(whats))
    return Room(name=name, mode=mode, api_id=ID, recording_id=ID, duration_ms=1500, steps=steps, error=error)


def shown(*events: Event, width: int = 100) -> str:
    """What a terminal was given, the frames one after the other, without the sequences that steer it."""
    file = io.StringIO()
    with Stage(Console(file=file, width=width, height=50, force_terminal=True, color_system=None)) as tell:
        for event in events:
            tell(event)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", file.getvalue())


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (room(), "waiting"),
        (room("accepted"), "recording"),
        (room("started", mode="sync"), "recording"),
        (room("started", "stopped", mode="sync"), "done"),
        (room("accepted", "stopped"), "over"),
        (room("accepted", "conference ended"), "over"),
        (room("accepted", "stopped", "recorded"), "done"),
        (room("failed", error="no"), "failed"),
    ],
)
def test_a_room_looks_like_what_is_known_of_it(seen: Room, expected: Look) -> None:
    assert look(seen) == expected


def test_while_it_plays_there_are_bars_and_rooms() -> None:
    waiting = tuple(room(name=name) for name in ("first\x1b", "second"))
    screen = shown(
        Opened(plivo="http://p", listener="http://l", rooms=waiting),
        Chapter(at=0, title="starting"),
        Happened(step=Step(at=1, what="accepted"), room=room("accepted", name="first\x1b")),
    )
    assert "Plivo at http://p, callbacks received at http://l\n" in screen
    assert " starting\n" in screen
    lines = [" ".join(line.replace("━", "").replace("╺", "").split()) for line in screen.splitlines()]
    assert "starts accepted 1/2" in lines
    assert "recordings over 0/2" in lines
    assert "files recorded 0/2" in lines
    assert "transcripts 0/0" in lines
    assert "● first\\x1b 1.50 s · second 1.50 s" in lines


def test_a_warning_is_shown_at_once() -> None:
    assert "a forged\\x1bcallback\n" in shown(Warned(at=1, text="a forged\x1bcallback"))


def closed(*rooms: Room, problems: tuple[str, ...] = ()) -> Closed:
    return Closed(at=2, rooms=rooms, callbacks=2, executions=None, problems=problems)


@pytest.mark.parametrize(
    ("width", "shown_id", "ruled"), [(80, "01234..", False), (98, "01234567..", True), (150, ID, True)]
)
def test_the_table_fits_the_terminal(width: int, shown_id: str, ruled: bool) -> None:
    rooms = tuple(
        room("accepted", "stopped", "recorded", "transcribed", name=f"room-{number:02}") for number in range(25)
    )
    screen = shown(closed(*rooms), width=width)
    lines = screen.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in screen
    assert ("───" in screen) is ruled
    (row,) = [line.split() for line in lines if "room-24" in line]
    assert row == ["room-24", "async", shown_id, shown_id, "1.50", "s", "0.00", "stopped", "1.00", "2.00", "3.00"]
    assert screen.count("async") == 25


def test_a_long_name_is_cut_off_rather_than_broken() -> None:
    screen = shown(closed(room("started", "stopped", name="x" * 300, mode="sync")), width=80)
    assert "xx…" in screen
    assert max(map(len, screen.splitlines())) <= 80


def test_the_end_says_whether_all_went_well() -> None:
    assert "✔ 1 of 1 recordings started, 2 callbacks verified, no problems, 2.0 s\n" in shown(closed(room("started")))
    failed = closed(room("failed", error="no"), problems=("no",))
    assert "✘ 0 of 1 recordings started, 2 callbacks verified, problems: 1, 2.0 s\n" in shown(failed)
