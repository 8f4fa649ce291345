"""The final table's columns and cells, and the sentences below it; the same for every view."""

from __future__ import annotations

from typing import Literal

import attrs

from plivo_record_async.cli.demo.events import Closed, Room
from plivo_record_async.cli.output import printable

__all__ = ["COLUMNS", "NOTE", "Column", "cells", "closing"]


@attrs.frozen
class Column:
    """A column of the table.

    Attributes:
        title: What stands above it.
        side: The side that its cells lean on.
        style: How a terminal shows it.
    """

    title: str
    side: Literal["left", "right"] = "left"
    style: str = ""


COLUMNS = (
    Column("room", style="bold"),
    Column("mode"),
    Column("api_id", style="dim"),
    Column("recording", style="dim"),
    Column("duration", "right", "bold"),
    Column("accepted", "right", "cyan"),
    Column("over", "right", "yellow"),
    Column("recorded", "right", "green"),
    Column("text", "right", "green"),
)

NOTE = (
    "accepted: Plivo took the start; recorded, text: the file, the transcript, by verified callback; in seconds",
    "duration: as the callback gave it, or ~ as measured here, from answer to answer",
)


def cells(room: Room, *, longest_id: int | None = None) -> tuple[str, ...]:
    """A room's row, a cell for each column.

    Args:
        room: The room.
        longest_id: How many characters an id may have; what is longer is cut off.
    """
    return (
        printable(room.name),
        room.mode,
        _cut(room.api_id, longest_id),
        _cut(room.recording_id, longest_id),
        _duration(room),
        _time(room.accepted),
        _over(room),
        _time(room.at("recorded")),
        _time(room.at("transcribed")),
    )


def closing(closed: Closed) -> str:
    """How it ended, in one sentence."""
    began = sum(room.accepted is not None for room in closed.rooms)
    executed = [] if closed.executions is None else [f"{closed.executions} starts executed"]
    facts = [f"{began} of {len(closed.rooms)} recordings started", *executed, f"{closed.callbacks} callbacks verified"]
    problems = f"problems: {len(closed.problems)}" if closed.problems else "no problems"
    return f"{', '.join(facts)}, {problems}, {closed.at:.1f} s"


def _cut(text: str | None, longest: int | None) -> str:
    shown = printable(text or "-")
    return shown if longest is None or len(shown) <= longest else f"{shown[: longest - 2]}.."


def _duration(room: Room) -> str:
    if room.duration_ms is not None:
        return f"{room.duration_ms / 1000:.2f} s"
    return "-" if room.measured_ms is None else f"~{room.measured_ms / 1000:.2f} s"


def _time(at: float | None) -> str:
    return "-" if at is None else f"{at:.2f}"


def _over(room: Room) -> str:
    words = {"conference ended": "ended", "stopped": "stopped", "failed": "failed"}
    step = next((step for step in room.steps if step.what in words), None)
    return "-" if step is None else f"{words[step.what]} {step.at:.2f}"
