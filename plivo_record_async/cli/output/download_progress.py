"""The progress of downloads, as one bar for each file in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Column

from plivo_record_async.cli.output.outcomes import printable

__all__ = ["DownloadProgress", "download_progress"]


class DownloadProgress:
    """The bars of the downloads that are in progress.

    Args:
        bars: The bars. If None, nothing is shown.
    """

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars

    @contextmanager
    def of_file(self, name: str) -> Generator[Callable[[int, int | None], object]]:
        """Show the progress of a file for as long as this block lasts.

        Args:
            name: The name of the file.

        Yields:
            A function that is called with the number of received bytes, and the length of the file or None.
        """
        bars = self._bars
        if bars is None:
            yield lambda _received, _length: None
            return
        bar = bars.add_task(printable(name), total=None)
        try:
            yield lambda received, length: bars.update(bar, completed=received, total=length)
        finally:
            bars.remove_task(bar)


@contextmanager
def download_progress(*, shown: bool) -> Generator[DownloadProgress]:
    """Show the progress of downloads on stderr for as long as this block lasts, if stderr is a terminal.

    Args:
        shown: Whether to show anything.
    """
    console = Console(stderr=True)
    if not shown or not console.is_terminal or console.is_dumb_terminal:
        yield DownloadProgress(None)
        return
    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    # Only lines that appear in the same terminal have to be printed above the bars.
    on_terminal = Console().is_terminal
    with Progress(*columns, console=console, transient=True, redirect_stdout=on_terminal) as bars:
        yield DownloadProgress(bars)
