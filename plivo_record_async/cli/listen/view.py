"""How ``listen`` shows its events: as JSON lines, as plain lines, or as a live table in a terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from plivo_record_async.cli.listen.events import (
    ListenEvent,
    LogLine,
    Ready,
    ReceivedCallback,
    conference_name,
    details,
    json_fields,
    label,
)
from plivo_record_async.cli.output.outcomes import printable
from plivo_record_async.cli.output.printer import Printer

__all__ = ["LiveTable", "view"]

_STYLES = {"answered": "cyan", "recorded": "green", "transcribed": "bold green", "unknown": "yellow"}
_COLUMNS = (
    ("time", 8, "dim"),
    ("what", 11, ""),
    ("conference", 16, "bold"),
    ("state", 12, ""),
    ("recording", 9, "dim"),
)
"""The title, the width and the style of each column. The last column has the remaining width of the terminal."""

_MIN_DETAILS_WIDTH = 10
_RESERVED_LINES = 5
"""The lines of the terminal for the head of the table, the count below it, and the cursor."""


def view(printer: Printer) -> AbstractContextManager[Callable[[ListenEvent], None]]:
    """Return a context manager whose value shows events: as JSON if requested, live in a terminal, or as plain lines.

    Args:
        printer: Prints the lines.
    """
    console = Console()
    if not printer.as_json and console.is_terminal and not console.is_dumb_terminal:
        return LiveTable(console)

    def show(event: ListenEvent) -> None:
        if isinstance(event, str):
            printer.warning(event)
        elif isinstance(event, LogLine):
            printer.note(event.text)
        elif printer.as_json:
            printer.json_object(json_fields(event))
        else:
            printer.line(_line(event))

    return nullcontext(show)


def _line(event: Ready | ReceivedCallback) -> str:
    if isinstance(event, Ready):
        return f"ready {event.url}"
    ids = {
        "start_id": event.status and event.status.start_id,
        "recording_id": getattr(event.event, "recording_id", None),
        "api_id": getattr(event.event, "api_id", None),
    }
    known_ids = [f"{name}={printable(value)}" for name, value in ids.items() if value]
    time = event.received_at.isoformat(timespec="seconds")
    name = printable(conference_name(event) or "-")
    return "  ".join([time, f"{label(event):<11}", name, _state(event), *known_ids, details(event)])


def _state(callback: ReceivedCallback) -> str:
    return "not followed" if callback.status is None else callback.status.state


class LiveTable:
    """A table of the latest callbacks in a terminal. It remains visible after the end.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._latest: deque[ReceivedCallback] = deque(maxlen=max(1, console.height - _RESERVED_LINES))
        self._count = 0
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: ListenEvent) -> None:
        """Draw an event.

        Args:
            event: The event.
        """
        match event:
            case Ready(url=url):
                self._console.print(Text(f"ready {url}", style="bold"), soft_wrap=True)
            case ReceivedCallback():
                self._latest.append(event)
                self._count += 1
            case LogLine(text=text):
                self._console.print(Text(printable(text), style="dim"))
            case warning:
                self._console.print(Text(printable(warning), style="bold red"))

    def _table(self) -> RenderableType:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
        remaining = self._console.width - sum(width + 2 for _, width, _ in _COLUMNS) - 1
        for title, width, style in (*_COLUMNS, ("says", max(remaining, _MIN_DETAILS_WIDTH), "")):
            table.add_column(title, width=width, style=style, no_wrap=True, overflow="ellipsis")
        for callback in tuple(self._latest):
            table.add_row(*_cells(callback))
        return Group(table, Text(f"callbacks: {self._count}; press Ctrl-C to end", style="dim"))


def _cells(callback: ReceivedCallback) -> tuple[Text, ...]:
    what = label(callback)
    return (
        Text(f"{callback.received_at.astimezone():%H:%M:%S}"),
        Text(what, style=_STYLES.get(what, "red")),
        Text(printable(conference_name(callback) or "-")),
        Text(_state(callback)),
        Text(printable(getattr(callback.event, "recording_id", None) or "-")),
        Text(details(callback)),
    )
