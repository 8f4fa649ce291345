"""The command ``status``: it shows what a store contains about one followed recording, or lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, get_args

import click

from plivo_record_async.cli.input.arguments import CONFERENCE_NAME, Time
from plivo_record_async.cli.input.options import json_option, store_option
from plivo_record_async.cli.input.store import open_existing_store, store_name, usable_store
from plivo_record_async.cli.output.attributes import attribute_lines, time_text
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.outcomes import printable
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.output.statuses import status_line, status_object
from plivo_record_async.cli.signals import run_reading
from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.protocol.models import RecordingState, RecordingStatus
from plivo_record_async.stores.interface import Store
from plivo_record_async.stores.paging import list_records

__all__ = ["status"]

_STATES: tuple[RecordingState, ...] = get_args(RecordingState)


@click.command(short_help="Show what is known about followed recordings.")
@click.argument("start_id", metavar="[START_ID]", required=False)
@click.option(
    "--state",
    "states",
    type=click.Choice(_STATES),
    metavar="STATE",
    multiple=True,
    help="List only recordings in this state. This option may be given several times.",
)
@click.option(
    "--conference",
    "conference_name",
    type=CONFERENCE_NAME,
    metavar="NAME",
    help="List only the recordings of this conference.",
)
@click.option(
    "--updated-after",
    type=Time(),
    metavar="TIME",
    help="List only recordings whose status changed at or after this time.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="NUMBER", help="List at most this many recordings.")
@click.option("--count", is_flag=True, help="Print only how many recordings are in each state.")
@click.option("--transcript", is_flag=True, help="Print only the transcript of the recording START_ID.")
@store_option("Read this store. It must exist.", default="recordings.db")
@json_option
def status(
    *, start_id: str | None, store: str, count: bool, transcript: bool, as_json: bool, **filters: Any
) -> ExitCode:
    """Show what is known about the followed recording START_ID, and how its state was reached.

    Without START_ID, the command lists the recordings in the store, beginning with the one whose status changed last.
    Each line has the time of that change, the state, the conference, the IDs, and what went wrong. TIME is a date or a
    time in ISO 8601, such as 2026-05-01 or 2026-05-01T09:30:00+02:00. Without an offset, it is in UTC.

    The states are planned, sending, accepted, started, recorded, transcribed, not_sent, rejected, unknown, absent,
    failed and unconfirmed.

    The command only reads the store, so a tracker may use it at the same time. It sends nothing to Plivo and needs no
    credentials.

    \b
    Examples:
      plivo-record status
      plivo-record status --state unknown --state unconfirmed
      plivo-record status --count
      plivo-record status 0198f2c5d1a0b7e6c3f4a5968778695a --store recordings.db --json
      plivo-record status 0198f2c5d1a0b7e6c3f4a5968778695a --transcript
    """  # noqa: D301 - click wants the control character
    printer = Printer(as_json)
    given = {name: value for name, value in filters.items() if value}
    if start_id is not None and (given or count):
        raise click.UsageError("a START_ID cannot be combined with --count or a filter", click.get_current_context())
    if start_id is None and transcript:
        raise click.UsageError("--transcript needs a START_ID", click.get_current_context())
    if count and given:
        raise click.UsageError("--count cannot be combined with a filter", click.get_current_context())
    if start_id is None:
        show = partial(_show_counts, printer) if count else partial(_list, printer, given)
    else:
        show = partial(_show_transcript if transcript else _show_one, printer, start_id, store_name(store))
    return run_reading(_with_store(open_existing_store(store), show), printer)


async def _with_store(store: Store, show: Callable[[Store], Awaitable[None]]) -> ExitCode:
    async with aclosing(store):
        with usable_store():
            await show(store)
    return ExitCode.DONE


async def _list(printer: Printer, filters: dict[str, Any], store: Store) -> None:
    limit, number = filters.pop("limit", None), 0
    async with aclosing(list_records(store, **filters)) as records:
        async for record in records:
            found = record.status
            if printer.as_json:
                printer.json_object(status_object(found))
            else:
                printer.line(f"{time_text(found.updated_at)}  {status_line(found)}")
            number += 1
            if number == limit:
                return


async def _show_counts(printer: Printer, store: Store) -> None:
    counts = await store.counts()
    for state in _STATES:
        number = counts.get(state, 0)
        if printer.as_json:
            printer.json_object({"type": "Count", "state": state, "count": number})
        elif number:
            printer.line(f"{state:<11}  {number}")


async def _show_one(printer: Printer, start_id: str, name: str, store: Store) -> None:
    found = await _status(store, start_id, name)
    facts = status_object(found)
    if printer.as_json:
        printer.json_object(facts | {"steps": found.to_dict()["history"]})
        return
    del facts["type"]
    for line in attribute_lines(facts):
        printer.line(line)
    printer.line()
    for step in found.history:
        line = f"{step.at.isoformat(timespec='milliseconds')}  {step.kind:<20} {step.state:<11}  {step.description}"
        printer.line(printable(line))


async def _show_transcript(printer: Printer, start_id: str, name: str, store: Store) -> None:
    found = await _status(store, start_id, name)
    text = found.transcription
    if text is None:
        raise PlivoRecordError(f"the recording {start_id!r} has no transcript; its state is {found.state}")
    if printer.as_json:
        printer.json_object({"type": "Transcript", "start_id": start_id, "transcription": text})
    else:
        printer.line("\n".join(map(printable, text.splitlines())))


async def _status(store: Store, start_id: str, name: str) -> RecordingStatus:
    record = await store.get(start_id)
    if record is None:
        raise PlivoRecordError(f"{name} has no start with the ID {start_id!r}. It may have been deleted")
    return record.status
