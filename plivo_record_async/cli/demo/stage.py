"""The live view: progress while it plays, a table when it is over."""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Self

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from plivo_record_async.cli.demo.events import Chapter, Closed, Event, Happened, Opened, Room, Warned
from plivo_record_async.cli.demo.table import COLUMNS, NOTE, cells, closing
from plivo_record_async.cli.output import printable

__all__ = ["Look", "Stage", "look"]

Look = Literal["waiting", "recording", "over", "done", "failed"]

_LOOKS: dict[Look, tuple[str, str]] = {
    "waiting": ("·", "dim"),
    "recording": ("●", "red"),
    "over": ("◑", "yellow"),
    "done": ("✔", "green"),
    "failed": ("✘", "bold red"),
}
_WIDE = 150
"""Columns of a terminal that has room for whole ids."""

_NARROW = 98
"""Columns that the table needs for lines and ids that can be told apart at a glance."""


class Stage:
    """Draws the events in a terminal.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._opened = Opened(plivo="", listener=None, rooms=())
        self._rooms: dict[str, Room] = {}
        self._spinner = Spinner("dots")
        self._live = Live(console=console, get_renderable=self._scene, refresh_per_second=15, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Draw an event."""
        match event:
            case Opened():
                self._opened = event
                self._rooms = {room.name: room for room in event.rooms}
            case Chapter():
                self._spinner.update(text=Text(event.title, style="bold"))
            case Happened():
                self._rooms[event.room.name] = event.room
            case Warned():
                self._console.print(Text(printable(event.text), style="bold red"))
            case Closed():
                self._live.stop()
                self._console.print(_head(self._opened), _table(event, self._console.width), _end(event))

    def _scene(self) -> RenderableType:
        rooms = list(self._rooms.values())
        return Group(_head(self._opened), "", self._spinner, "", _bars(rooms), "", _grid(rooms), "", _legend())


def look(room: Room) -> Look:
    """What a room is shown as."""
    if room.error is not None:
        return "failed"
    if room.done:
        return "done"
    if room.over is not None:
        return "over"
    return "waiting" if room.accepted is None else "recording"


def _head(opened: Opened) -> Text:
    listener = f", callbacks received at {opened.listener}" if opened.listener else ""
    return Text(f"Plivo at {opened.plivo}{listener}", style="dim")


def _bars(rooms: list[Room]) -> Table:
    followed = sum(room.mode == "async" for room in rooms)
    grid = Table.grid(padding=(0, 2))
    for title, number, total in (
        ("starts accepted", sum(room.accepted is not None for room in rooms), len(rooms)),
        ("recordings over", sum(room.over is not None for room in rooms), len(rooms)),
        ("files recorded", sum(room.at("recorded") is not None for room in rooms), followed),
        ("transcripts", sum(room.at("transcribed") is not None for room in rooms), sum(r.transcribe for r in rooms)),
    ):
        grid.add_row(title, ProgressBar(total=total or 1, completed=number, width=56), f"{number}/{total}")
    return grid


def _grid(rooms: list[Room]) -> Columns:
    return Columns([_chip(room) for room in rooms], padding=(0, 2), equal=True)


def _chip(room: Room) -> Text:
    sign, style = _LOOKS[look(room)]
    length = f"{room.duration_ms / 1000:.2f} s" if room.duration_ms else ""
    return Text.assemble((sign, style), f" {printable(room.name)} ", (f"{length:<8}", "dim"))


def _legend() -> Text:
    return Text.assemble(*((f"{sign} {name}   ", style) for name, (sign, style) in _LOOKS.items()))


def _table(closed: Closed, width: int) -> Table:
    lines, longest_id = (None, 7) if width < _NARROW else (box.SIMPLE_HEAD, 10 if width < _WIDE else None)
    table = Table(box=lines, padding=(0, 1, 0, 0), pad_edge=False)
    for column in COLUMNS:
        table.add_column(column.title, justify=column.side, style=column.style, no_wrap=True, overflow="ellipsis")
    for room in closed.rooms:
        table.add_row(*map(Text, cells(room, longest_id=longest_id)), style="red" if look(room) == "failed" else None)
    return table


def _end(closed: Closed) -> Group:
    sign, style = _LOOKS["failed" if closed.problems else "done"]
    return Group(Text(f"{sign} {closing(closed)}", style=style), *(Text(line, style="dim") for line in NOTE))
