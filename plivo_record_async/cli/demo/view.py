"""How the demo's events are shown: as JSON lines, as plain lines, or live in a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from plivo_record_async.cli.demo.scenario import DemoConference, Event
from plivo_record_async.cli.output.outcomes import printable
from plivo_record_async.cli.output.printer import Printer

__all__ = ["view"]

_DETAILS = {
    "started": "started, recording {recording_id}",
    "accepted": "accepted, api_id {api_id}",
    "recorded": "recorded: {length}",
    "transcribed": "transcribed: {transcription}",
    "failed": "failed: {error}",
}
_SIGNS = {
    "waiting": ("·", "dim"),
    "recording": ("●", "red"),
    "over": ("◑", "yellow"),
    "done": ("✔", "green"),
    "failed": ("✘", "bold red"),
}
_FIGURES = {"duration": "bold", "accepted": "cyan", "over": "yellow", "recorded": "green", "text": "green"}
_OVER = {"conference ended": "ended", "stopped": "stopped", "failed": "failed"}
_NOTES = (
    "accepted: Plivo accepted the start; recorded, text: a callback reported the file, the transcript; in seconds",
    "duration: as the callback reported it, or ~ as measured here, from response to response",
)
_WIDE_ENOUGH_FOR_LINES = 98
"""The width of a terminal that shows the lines of the table and ten characters of each ID."""


def view(printer: Printer, conferences: Sequence[DemoConference]) -> AbstractContextManager[Callable[[Event], None]]:
    """Return a context manager whose value shows events: as JSON if requested, live in a terminal, or as plain lines.

    Args:
        printer: Prints the lines.
        conferences: The conferences, which change while the demo runs.
    """
    console = Console()
    if printer.as_json:
        return nullcontext(printer.json_object)
    if console.is_terminal and not console.is_dumb_terminal:
        return _live(console, conferences)
    return nullcontext(lambda event: printer.line("\n".join(_lines(event, conferences))))


def _lines(event: Event, conferences: Sequence[DemoConference]) -> Iterable[str]:
    match event:
        case {"type": "Opened", "plivo": plivo, "listener": listener}:
            return [f"Plivo at {plivo}", f"callbacks received at {listener}" if listener else "no callbacks received"]
        case {"type": "Chapter", "at": at, "title": title}:
            return ["", f"{at:6.2f}  {title}"]
        case {"type": "Happened", "at": at, "what": what, "conference_name": name, "mode": mode}:
            fields = {key: printable(str(value or "?")) for key, value in event.items()}
            fields["length"] = _length(event["duration_ms"] or 0)
            return [f"{at:6.2f}  {printable(name)}  {mode:5}  {_DETAILS.get(what, '{what}').format(**fields)}"]
        case {"type": "Warned", "at": at, "text": text}:
            return [f"{at:6.2f}  {printable(text)}"]
        case closed:
            plain = Console(file=io.StringIO(), width=1_000_000, color_system=None, force_terminal=False)
            with plain.capture() as table:
                plain.print(_table(conferences, None, padding=2))
            return ["", *table.get().splitlines(), "", _summary(closed, conferences), *_NOTES]


@contextmanager
def _live(console: Console, conferences: Sequence[DemoConference]) -> Generator[Callable[[Event], None]]:
    """Draw progress while the demo runs, and a table at its end."""
    head, spinner = Text(style="dim"), Spinner("dots")
    legend = Text.assemble(*((f"{sign} {name}   ", style) for name, (sign, style) in _SIGNS.items()))

    def progress() -> RenderableType:
        states = Columns(map(_state, conferences), padding=(0, 2), equal=True)
        return Group(head, "", spinner, "", _bars(conferences), "", states, "", legend)

    with Live(console=console, get_renderable=progress, refresh_per_second=15, transient=True) as live:

        def show(event: Event) -> None:
            match event:
                case {"type": "Opened"}:
                    head.append(", ".join(_lines(event, conferences)))
                case {"type": "Chapter", "title": title}:
                    spinner.update(text=Text(title, style="bold"))
                case {"type": "Warned", "text": text}:
                    console.print(Text(printable(text), style="bold red"))
                case {"type": "Closed", "ok": ok}:
                    live.stop()
                    lines = box.SIMPLE_HEAD if console.width >= _WIDE_ENOUGH_FOR_LINES else None
                    sign, style = _SIGNS["done" if ok else "failed"]
                    summary = Text(f"{sign} {_summary(event, conferences)}", style=style)
                    console.print(head, _table(conferences, lines, padding=1), summary)
                    console.print(*(Text(note, style="dim") for note in _NOTES), sep="\n")
                case _:  # the next drawing shows what happened to a conference
                    pass

        yield show


def _bars(conferences: Sequence[DemoConference]) -> Table:
    bars = Table.grid(padding=(0, 2))
    for title, times in {
        "starts accepted": [conference.accepted_at for conference in conferences],
        "recordings over": [conference.over_at for conference in conferences],
        "files recorded": [conference.time_of("recorded") for conference in conferences if conference.mode == "async"],
        "transcripts": [conference.time_of("transcribed") for conference in conferences if conference.transcribe],
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
    for title, style in {"room": "bold", "mode": "", "api_id": "dim", "recording": "dim"}.items():
        table.add_column(title, style=style)
    for title, style in _FIGURES.items():
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
        style = "red" if conference.error else ""
        table.add_row(*cells, duration, accepted, over, recorded, text, style=style)
    return table


def _length(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.2f} s"


def _summary(closed: Event, conferences: Sequence[DemoConference]) -> str:
    started = sum(conference.accepted_at is not None for conference in conferences)
    executed = "" if closed["executions"] is None else f"{closed['executions']} starts executed, "
    problems = f"problems: {len(closed['problems'])}" if closed["problems"] else "no problems"
    return (
        f"{started} of {len(conferences)} recordings started, {executed}{closed['callbacks']} callbacks verified, "
        f"{problems}, {closed['at']:.1f} s"
    )
