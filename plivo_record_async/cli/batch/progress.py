"""The progress of a batch on stderr: live in a terminal, otherwise one line every ten seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import attrs
from rich.console import Console
from rich.live import Live
from rich.text import Text

from plivo_record_async.cli.output.outcomes import Tally
from plivo_record_async.cli.output.printer import Printer

__all__ = ["Progress", "progress_line", "showing_progress"]


@attrs.frozen(kw_only=True)
class Progress:
    """How far a batch has come.

    Attributes:
        total: The number of calls.
        in_flight: The number of calls that are in progress.
        following: The number of recordings that were started and are being followed.
        tally: The counted outcomes.
        seconds: How long the progress has been observed.
        made_before: The number of calls that had ended before.
    """

    total: int
    in_flight: int
    following: int
    tally: Tally
    seconds: float
    made_before: int = 0

    @property
    def made(self) -> int:
        """The number of calls that have ended."""
        tally = self.tally
        return tally.done + tally.failed + tally.unknown + (tally.unfinished or 0) + self.following

    @property
    def rate(self) -> float:
        """The number of calls that ended in a second, on average."""
        return (self.made - self.made_before) / self.seconds if self.seconds > 0 else 0.0

    @property
    def remaining(self) -> timedelta | None:
        """The time until all calls will have been made. If None, it cannot be estimated yet."""
        if not self.rate:
            return None
        return timedelta(seconds=round((self.total - self.made) / self.rate))


def progress_line(progress: Progress) -> str:
    """Return the progress as a line for people.

    Args:
        progress: The progress.
    """
    tally = progress.tally
    following = f", {progress.following} followed" if progress.following else ""
    remaining = "unknown" if progress.remaining is None else str(progress.remaining)
    return (
        f"{progress.made} of {progress.total} calls, {progress.rate:.1f}/s, {progress.in_flight} in flight{following}, "
        f"{tally.done} done, {tally.failed} failed, {tally.unknown} unknown, ETA {remaining}"
    )


def _print_progress(progress: Progress, printer: Printer) -> None:
    if not printer.as_json:
        printer.note(progress_line(progress))
        return
    counts = attrs.asdict(progress.tally, filter=attrs.filters.exclude(type(None)))
    remaining = progress.remaining
    printer.note_object(
        {"type": "Progress", "total": progress.total, "in_flight": progress.in_flight, "following": progress.following}
        | counts
        | {"rate": round(progress.rate, 1), "eta_s": None if remaining is None else remaining.total_seconds()}
    )


@asynccontextmanager
async def showing_progress(
    read: Callable[[], Progress], printer: Printer, *, interval: float = 10.0
) -> AsyncGenerator[None]:
    """Show the progress for as long as this block lasts.

    Args:
        read: Returns the progress. It is also called in another thread.
        printer: Prints the lines. With ``--json`` the progress is never live.
        interval: The time between two lines, in seconds.
    """
    console = Console(stderr=True)
    if not printer.as_json and console.is_terminal and not console.is_dumb_terminal:
        # Only outcomes that appear in the same terminal have to be printed above the live line.
        live = Live(
            console=console,
            get_renderable=lambda: Text(progress_line(read()), style="dim", no_wrap=True, overflow="ellipsis"),
            refresh_per_second=4,
            transient=True,
            redirect_stdout=Console().is_terminal,
        )
        with live:
            yield
        return
    printing = asyncio.create_task(_print_regularly(read, printer, interval))
    try:
        yield
    finally:
        printing.cancel()


async def _print_regularly(read: Callable[[], Progress], printer: Printer, interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        _print_progress(read(), printer)
