"""The command ``status``: it shows what is known about a followed recording."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import attrs
import click

from plivo_record_async.cli.input.options import json_option
from plivo_record_async.cli.input.store import usable_store
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.outcomes import printable
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.protocol.models import RecordingStatus
from plivo_record_async.stores import SQLiteStore

__all__ = ["status"]


@click.command(short_help="Show what is known about a followed recording.")
@click.argument("start_id", metavar="START_ID")
@click.option(
    "--db",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    default=Path("recordings.db"),
    show_default=True,
    help="The SQLite file in which the recording is stored.",
)
@json_option
def status(*, start_id: str, db: Path, as_json: bool) -> ExitCode:
    """Show what is known about the followed recording START_ID, and how its state was reached.

    The command only reads the file, so a tracker may use the file at the same time. It sends nothing to Plivo.

    \b
    Examples:
      plivo-record status 0198f2c5d1a0b7e6c3f4a5968778695a
      plivo-record status 0198f2c5d1a0b7e6c3f4a5968778695a --db recordings.db --json
    """  # noqa: D301 - click wants the control character
    found = asyncio.run(_read(start_id, db))
    facts = {"type": "RecordingStatus"} | attrs.asdict(found)
    steps = facts.pop("history")
    printer = Printer(as_json)
    if as_json:
        printer.json_object(facts | {"steps": steps})
        return ExitCode.DONE
    for name, value in facts.items():
        if name != "type" and value is not None:
            printer.line(f"{name:<15} {printable(str(value))}")
    printer.line()
    for step in found.history:
        line = f"{step.at.isoformat(timespec='milliseconds')}  {step.kind:<20} {step.state:<11}  {step.description}"
        printer.line(printable(line))
    return ExitCode.DONE


async def _read(start_id: str, db: Path) -> RecordingStatus:
    async with aclosing(SQLiteStore(db)) as store:
        with usable_store():
            record = await store.get(start_id)
    if record is None:
        raise PlivoRecordError(f"{db} has no start with the ID {start_id!r}. It may have been deleted")
    return record.status
