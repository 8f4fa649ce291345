"""The demo's events as JSON lines, as plain lines, or live in a terminal: three small views of one story."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs
from rich.console import Console

from plivo_record_async.cli.demo.events import Chapter, Closed, Event, Happened, Opened, Room, Step, Warned
from plivo_record_async.cli.demo.stage import Stage
from plivo_record_async.cli.demo.table import COLUMNS, NOTE, cells, closing
from plivo_record_async.cli.output import Output, printable

__all__ = ["View", "record", "view"]

View = AbstractContextManager[Callable[[Event], None]]
"""Entered, it gives the function that draws an event; left, it gives the terminal back as it was."""


def view(output: Output) -> View:
    """The view that fits: JSON if asked for, live if there is a terminal, or plain lines."""
    console = Console()
    if output.as_json:
        return nullcontext(lambda event: output.record(record(event)))
    if console.is_terminal and not console.is_dumb_terminal:
        return Stage(console)

    def tell(event: Event) -> None:
        for line in _lines(event):
            output.line(line)

    return nullcontext(tell)


def record(event: Event) -> dict[str, Any]:
    """An event as one JSON object; ``type`` is its class, and a room has its name in ``room``."""
    match event:
        case Happened():
            room = _room(event.room)
            fields = attrs.asdict(event.step) | {key: room[key] for key in room if key not in {"steps", "measured_ms"}}
        case Opened() | Closed():
            fields = attrs.asdict(event, recurse=False) | {"rooms": [_room(room) for room in event.rooms]}
        case _:
            fields = attrs.asdict(event)
    end = {"ok": not event.problems} if isinstance(event, Closed) else {}
    return {"type": type(event).__name__} | end | fields


def _room(room: Room) -> dict[str, Any]:
    fields = attrs.asdict(room)
    return {"room": fields.pop("name"), "mode": room.mode} | fields | {"measured_ms": room.measured_ms}


def _lines(event: Event) -> Sequence[str]:
    match event:
        case Opened(plivo=plivo, listener=listener):
            return [f"Plivo at {plivo}", f"callbacks received at {listener}" if listener else "no callbacks received"]
        case Chapter(at=at, title=title):
            return ["", f"{at:6.2f}  {title}"]
        case Happened(step=step, room=room):
            return [f"{step.at:6.2f}  {printable(room.name)}  {room.mode:5}  {_news(step, room)}"]
        case Warned(at=at, text=text):
            return [f"{at:6.2f}  {printable(text)}"]
        case Closed():
            return ["", *_table(event.rooms), "", closing(event), *NOTE]


def _news(step: Step, room: Room) -> str:
    match step.what:
        case "started":
            return f"started, recording {printable(room.recording_id or '?')}"
        case "accepted":
            return f"accepted, api_id {printable(room.api_id or '?')}"
        case "recorded":
            return f"recorded: {(room.duration_ms or 0) / 1000:.2f} s"
        case "transcribed":
            return f"transcribed: {printable(room.transcription or '')}"
        case "failed":
            return f"failed: {printable(room.error or '')}"
        case _:
            return step.what


def _table(rooms: Sequence[Room]) -> Sequence[str]:
    rows = [tuple(column.title for column in COLUMNS), *(cells(room) for room in rooms)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = [str.ljust if column.side == "left" else str.rjust for column in COLUMNS]
    return ["  ".join(lean(cell, width) for lean, cell, width in zip(sides, row, widths, strict=True)) for row in rows]
