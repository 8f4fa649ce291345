"""How the demo's events are shown: as JSON lines, as plain lines, or live in a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from plivo_record_async.cli.demo.room_status import RoomStatus, What
from plivo_record_async.cli.demo.scenario import Event
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
_FIGURES = {"duration": "bold", "accepted": "cyan", "over": "yellow", "recorded": "green", "text": "green"}
_OVER = {"conference ended": "ended", "stopped": "stopped", "failed": "failed"}
_SIGNS = {
    "waiting": ("·", "dim"),
    "recording": ("●", "red"),
    "over": ("◑", "yellow"),
    "done": ("✔", "green"),
    "failed": ("✘", "bold red"),
}
_WIDE_ENOUGH_FOR_LINES = 98
"""The width of a terminal that shows the lines of the table and ten characters of each ID."""
_NOTES = (
    "accepted: Plivo took the start; recorded, text: the file, the transcript, by verified callback; in seconds",
    "duration: as the callback gave it, or ~ as measured here, from answer to answer",
)


def view(printer: Printer, rooms: Sequence[RoomStatus]) -> AbstractContextManager[Callable[[Event], None]]:
    """Return what shows the events inside a block: JSON if asked for, live in a terminal, or else plain lines."""
    console = Console()
    if printer.as_json:
        return nullcontext(printer.json_object)
    if console.is_terminal and not console.is_dumb_terminal:
        return _live(console, rooms)
    return nullcontext(lambda event: printer.line("\n".join(_lines(event, rooms))))


def _lines(event: Event, rooms: Sequence[RoomStatus]) -> Sequence[str]:
    match event:
        case {"type": "Opened", "plivo": plivo, "listener": listener}:
            return [f"Plivo at {plivo}", f"callbacks received at {listener}" if listener else "no callbacks received"]
        case {"type": "Chapter", "at": at, "title": title}:
            return ["", f"{at:6.2f}  {title}"]
        case {"type": "Happened", "at": at, "what": what, "conference_name": name, "mode": mode}:
            facts = {key: printable(str(value or "?")) for key, value in event.items()}
            facts["length"] = f"{(event['duration_ms'] or 0) / 1000:.2f} s"
            return [f"{at:6.2f}  {printable(name)}  {mode:5}  {_DETAILS.get(str(what), str(what)).format(**facts)}"]
        case {"type": "Warned", "at": at, "text": text}:
            return [f"{at:6.2f}  {printable(text)}"]
        case closed:
            plain = Console(file=io.StringIO(), width=1_000_000, color_system=None, force_terminal=False)
            with plain.capture() as table:
                plain.print(_filled(Table(box=None, padding=(0, 2, 0, 0), pad_edge=False), rooms))
            return ["", *table.get().splitlines(), "", _summary(closed, rooms), *_NOTES]


@contextmanager
def _live(console: Console, rooms: Sequence[RoomStatus]) -> Generator[Callable[[Event], None]]:
    """Draw progress while the demo runs, and a table at its end."""
    head, spinner = Text(style="dim"), Spinner("dots")

    def progress() -> RenderableType:
        states = Columns(map(_state, rooms), padding=(0, 2), equal=True)
        legend = Text.assemble(*((f"{sign} {name}   ", style) for name, (sign, style) in _SIGNS.items()))
        return Group(head, "", spinner, "", _bars(rooms), "", states, "", legend)

    with Live(console=console, get_renderable=progress, refresh_per_second=15, transient=True) as live:

        def show(event: Event) -> None:
            match event:
                case {"type": "Opened", "plivo": plivo, "listener": listener}:
                    head.append(f"Plivo at {plivo}" + (f", callbacks received at {listener}" if listener else ""))
                case {"type": "Chapter", "title": title}:
                    spinner.update(text=Text(title, style="bold"))
                case {"type": "Warned", "text": text}:
                    console.print(Text(printable(text), style="bold red"))
                case {"type": "Closed"}:
                    live.stop()
                    sign, style = _SIGNS["done" if event["ok"] else "failed"]
                    lines = box.SIMPLE_HEAD if console.width >= _WIDE_ENOUGH_FOR_LINES else None
                    table = _filled(Table(box=lines, padding=(0, 1, 0, 0), pad_edge=False), rooms)
                    console.print(head, table, Text(f"{sign} {_summary(event, rooms)}", style=style))
                    console.print(*(Text(note, style="dim") for note in _NOTES), sep="\n")
                case _:  # the next drawing shows what happened to a room
                    pass

        yield show


def _bars(rooms: Sequence[RoomStatus]) -> Table:
    bars = Table.grid(padding=(0, 2))
    rows: Sequence[tuple[str, Sequence[RoomStatus], Sequence[What]]] = (
        ("starts accepted", rooms, ("started", "accepted")),
        ("recordings over", rooms, ("conference ended", "stopped", "recorded")),
        ("files recorded", [room for room in rooms if room.mode == "async"], ("recorded",)),
        ("transcripts", [room for room in rooms if room.transcribe], ("transcribed",)),
    )
    for title, concerned, whats in rows:
        number, total = sum(room.at(*whats) is not None for room in concerned), len(concerned)
        bars.add_row(title, ProgressBar(total=total or 1, completed=number, width=56), f"{number}/{total}")
    return bars


def _state(room: RoomStatus) -> Text:
    """Return a room's sign, name and length."""
    if room.error is not None:
        state = "failed"
    elif room.at(room.last) is not None:
        state = "done"
    elif room.over is not None:
        state = "over"
    else:
        state = "waiting" if room.accepted is None else "recording"
    length = f"{room.duration_ms / 1000:.2f} s" if room.duration_ms else ""
    return Text.assemble(_SIGNS[state], f" {printable(room.name)} ", (f"{length:<8}", "dim"))


def _filled(table: Table, rooms: Sequence[RoomStatus]) -> Table:
    """Add the columns and rows of the final table; where it is too wide, rich shortens names and IDs."""
    for title, style in {"room": "bold", "mode": "", "api_id": "dim", "recording": "dim"}.items():
        table.add_column(title, style=style)
    for title, style in _FIGURES.items():
        table.add_column(title, style=style, justify="right", no_wrap=True)
    for room in rooms:
        texts = (room.name, room.mode, room.api_id or "-", room.recording_id or "-")
        cells = [Text(printable(text), no_wrap=True, overflow="ellipsis") for text in texts]
        over = next((f"{_OVER[what]} {at:.2f}" for at, what in room.steps if what in _OVER), "-")
        accepted, recorded, text = map(_seconds, (room.accepted, room.at("recorded"), room.at("transcribed")))
        style = "red" if room.error is not None else ""
        table.add_row(*cells, _length(room), accepted, over, recorded, text, style=style)
    return table


def _length(room: RoomStatus) -> str:
    if room.duration_ms is not None:
        return f"{room.duration_ms / 1000:.2f} s"
    return "-" if room.measured_ms is None else f"~{room.measured_ms / 1000:.2f} s"


def _seconds(at: float | None) -> str:
    return "-" if at is None else f"{at:.2f}"


def _summary(closed: Event, rooms: Sequence[RoomStatus]) -> str:
    started = sum(room.accepted is not None for room in rooms)
    executed = "" if closed["executions"] is None else f"{closed['executions']} starts executed, "
    problems = f"problems: {len(closed['problems'])}" if closed["problems"] else "no problems"
    return (
        f"{started} of {len(rooms)} recordings started, {executed}{closed['callbacks']} callbacks verified, "
        f"{problems}, {closed['at']:.1f} s"
    )
