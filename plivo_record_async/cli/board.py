"""What ``listen`` tells as JSON lines, as plain lines, or as a live table in a terminal."""

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

from plivo_record_async.cli.heard import Heard, News, Ready, details, record, subject, word
from plivo_record_async.cli.output import Output, printable
from plivo_record_async.errors import PlivoRecordError

__all__ = ["Board", "view"]

_STYLES = {"answered": "cyan", "recorded": "green", "transcribed": "bold green", "unknown": "yellow"}
_COLUMNS = (
    ("time", 8, "dim"),
    ("what", 11, ""),
    ("conference", 16, "bold"),
    ("state", 12, ""),
    ("recording", 9, "dim"),
)
"""Title, width and style; what is left of the terminal is for what the callback says."""

_SHORTEST = 10
_MARGIN = 5
"""Lines of the terminal that the table's head, the sum below it and the cursor take."""


def view(output: Output) -> AbstractContextManager[Callable[[News], None]]:
    """The view that fits: JSON if asked for, live if there is a terminal, or plain lines."""
    console = Console()
    if not output.as_json and console.is_terminal and not console.is_dumb_terminal:
        return Board(console)

    def tell(news: News) -> None:
        if isinstance(news, str):
            output.error(PlivoRecordError(news))
        elif output.as_json:
            output.record(record(news))
        else:
            output.line(_line(news))

    return nullcontext(tell)


def _line(news: Ready | Heard) -> str:
    if isinstance(news, Ready):
        return f"ready {news.url}"
    ids = {
        "start_id": news.followed and news.followed.start_id,
        "recording_id": getattr(news.event, "recording_id", None),
        "api_id": getattr(news.event, "api_id", None),
    }
    said = [f"{name}={printable(value)}" for name, value in ids.items() if value]
    time = news.at.isoformat(timespec="seconds")
    return "  ".join([time, f"{word(news):<11}", printable(subject(news) or "-"), _state(news), *said, details(news)])


def _state(heard: Heard) -> str:
    return "not followed" if heard.followed is None else heard.followed.state


class Board:
    """Draws the latest callbacks in a terminal, and leaves them there in the end.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._latest: deque[Heard] = deque(maxlen=max(1, console.height - _MARGIN))
        self._count = 0
        self._live = Live(console=console, get_renderable=self._scene, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, news: News) -> None:
        """Draw the news."""
        match news:
            case Ready(url=url):
                self._console.print(Text(f"ready {url}", style="bold"), soft_wrap=True)
            case Heard():
                self._latest.append(news)
                self._count += 1
            case warning:
                self._console.print(Text(printable(warning), style="bold red"))

    def _scene(self) -> RenderableType:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
        left = self._console.width - sum(width + 2 for _, width, _ in _COLUMNS) - 1
        for title, width, style in (*_COLUMNS, ("says", max(left, _SHORTEST), "")):
            table.add_column(title, width=width, style=style, no_wrap=True, overflow="ellipsis")
        for heard in tuple(self._latest):
            table.add_row(*_cells(heard))
        return Group(table, Text(f"callbacks: {self._count}; Ctrl-C ends it", style="dim"))


def _cells(heard: Heard) -> tuple[Text, ...]:
    what = word(heard)
    return (
        Text(f"{heard.at.astimezone():%H:%M:%S}"),
        Text(what, style=_STYLES.get(what, "red")),
        Text(printable(subject(heard) or "-")),
        Text(_state(heard)),
        Text(printable(getattr(heard.event, "recording_id", None) or "-")),
        Text(details(heard)),
    )
