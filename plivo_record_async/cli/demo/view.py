"""How the demo's events are shown: as JSON lines, as plain lines, or live in a terminal."""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from rich import box
from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from plivo_record_async.cli.demo.scenario import DemoConference, Show
from plivo_record_async.cli.output.outcomes import printable
from plivo_record_async.cli.output.printer import Printer

__all__ = ["view"]

_SIGNS = {
    "waiting": ("·", "dim"),
    "recording": ("●", "red"),
    "over": ("◑", "yellow"),
    "done": ("✔", "green"),
    "failed": ("✘", "bold red"),
}
_TEXTS = {"room": "bold", "mode": "", "api_id": "dim", "recording": "dim"}
_NUMBERS = {"duration": "bold", "accepted": "cyan", "over": "yellow", "recorded": "green", "text": "green"}
_OVER = {"conference ended": "ended", "stopped": "stopped", "failed": "failed"}
_NOTES = (
    "accepted: Plivo accepted the start; recorded, text: a callback reported the file, the transcript; in seconds\n"
    "duration: as the callback reported it, or ~ as measured here, from response to response"
)
_WIDE_ENOUGH_FOR_LINES = 98
"""The width of a terminal that shows the lines of the table and ten characters of each ID."""


def view(printer: Printer, conferences: Sequence[DemoConference]) -> AbstractContextManager[Show]:
    """Return a context manager whose value shows events: as JSON if requested, live in a terminal, or as plain lines.

    Args:
        printer: Prints the lines.
        conferences: The conferences, which change while the demo runs.
    """
    console = Console()
    if printer.as_json:
        return nullcontext(lambda event, _: printer.json_object(event))
    if console.is_terminal and not console.is_dumb_terminal:
        return _live(console, conferences)
    return nullcontext(partial(_print_line, printer, conferences))


def _print_line(printer: Printer, conferences: Sequence[DemoConference], event: dict[str, Any], line: str) -> None:
    if event["type"] == "Closed":
        console = Console(file=io.StringIO(), width=1_000_000, color_system=None, force_terminal=False)
        with console.capture() as table:
            console.print(_table(conferences, None, padding=2))
        printer.line(f"\n{table.get()}\n{line}\n{_NOTES}")
    else:
        before = "\n" if event["type"] == "Chapter" else ""
        printer.line(f"{before}{event['at']:6.2f}  {printable(line)}")


@contextmanager
def _live(console: Console, conferences: Sequence[DemoConference]) -> Generator[Show]:
    """Draw progress while the demo runs, and a table at its end."""
    spinner = Spinner("dots")
    legend = Text.assemble(*((f"{sign} {state}   ", style) for state, (sign, style) in _SIGNS.items()))

    def progress() -> Group:
        states = Columns(map(_state, conferences), padding=(0, 2), equal=True)
        return Group("", spinner, "", _bars(conferences), "", states, "", legend)

    with Live(console=console, get_renderable=progress, refresh_per_second=15, transient=True) as live:

        def show(event: dict[str, Any], line: str) -> None:
            match event:
                case {"type": "Happened"}:  # the next drawing shows what happened to a conference
                    pass
                case {"type": "Chapter"}:
                    spinner.update(text=Text(line, style="bold"))
                case {"type": "Closed", "ok": ok}:
                    live.stop()
                    sign, style = _SIGNS["done" if ok else "failed"]
                    lines = box.SIMPLE_HEAD if console.width >= _WIDE_ENOUGH_FOR_LINES else None
                    console.print(_table(conferences, lines, padding=1), Text(f"{sign} {line}", style))
                    console.print(Text(_NOTES, "dim"))
                case _:
                    console.print(Text(printable(line), "bold red" if event["type"] == "Warned" else "dim"))

        yield show


def _bars(conferences: Sequence[DemoConference]) -> Table:
    bars = Table.grid(padding=(0, 2))
    for title, times in {
        "starts accepted": [each.accepted_at for each in conferences],
        "recordings over": [each.over_at for each in conferences],
        "files recorded": [each.time_of("recorded") for each in conferences if each.mode == "async"],
        "transcripts": [each.time_of("transcribed") for each in conferences if each.transcribe],
    }.items():
        total, number = len(times), len(times) - times.count(None)
        bars.add_row(title, ProgressBar(total=total or 1, completed=number, width=56), f"{number}/{total}")
    return bars


def _state(conference: DemoConference) -> Text:
    """Return the sign, the name and the length of a conference."""
    if conference.error is not None:
        state = "failed"
    elif conference.time_of(conference.last_step) is not None:
        state = "done"
    elif conference.over_at is not None:
        state = "over"
    else:
        state = "waiting" if conference.accepted_at is None else "recording"
    length = _length(conference.duration_ms) if conference.duration_ms else ""
    return Text.assemble(_SIGNS[state], f" {printable(conference.conference_name)} ", (f"{length:<8}", "dim"))


def _table(conferences: Sequence[DemoConference], lines: box.Box | None, padding: int) -> Table:
    """Return the final table. Where it is too wide, rich shortens names and IDs."""
    table = Table(box=lines, padding=(0, padding, 0, 0), pad_edge=False)
    for title, style in _TEXTS.items():
        table.add_column(title, style=style)
    for title, style in _NUMBERS.items():
        table.add_column(title, style=style, justify="right", no_wrap=True)
    for conference in conferences:
        texts = (conference.conference_name, conference.mode, conference.api_id or "-", conference.recording_id or "-")
        cells = [Text(printable(text), no_wrap=True, overflow="ellipsis") for text in texts]
        measured = "-" if conference.measured_ms is None else f"~{_length(conference.measured_ms)}"
        duration = measured if conference.duration_ms is None else _length(conference.duration_ms)
        over = next(
            (f"{_OVER[each['what']]} {each['at']:.2f}" for each in conference.steps if each["what"] in _OVER), "-"
        )
        times = (conference.accepted_at, conference.time_of("recorded"), conference.time_of("transcribed"))
        accepted, recorded, text = ("-" if at is None else f"{at:.2f}" for at in times)
        table.add_row(*cells, duration, accepted, over, recorded, text, style="red" if conference.error else "")
    return table


def _length(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.2f} s"
