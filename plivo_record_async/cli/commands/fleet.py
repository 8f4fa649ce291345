"""The commands ``fleet worker``, ``fleet submit`` and ``fleet progress``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, closing, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from plivo_record_async import stores
from plivo_record_async.cli.batch.followed.options import address_of
from plivo_record_async.cli.batch.followed.tracking import check_followable
from plivo_record_async.cli.batch.progress import Progress, showing_progress
from plivo_record_async.cli.batch.reading import InterruptedReadingError, Source, read_source, report_duplicates
from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.cli.input.arguments import CheckedText, InputFile
from plivo_record_async.cli.input.options import json_option, store_option
from plivo_record_async.cli.input.store import open_store, usable_store
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.outcomes import Tally, printable
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import end_signal, ending_early, run_reading
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.protocol.arguments import utf8_text
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.stores.sqlite.store import SQLiteStore
from plivo_record_async.tracker import RecordingTracker

if TYPE_CHECKING:
    from plivo_record_async.fleet import BatchProgress, FleetClient

__all__ = ["fleet"]

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_READ_EVERY = 1.0
"""The seconds after which the progress is read again."""


@click.group(no_args_is_help=False)
def fleet() -> None:
    """Start recording many conferences with several workers.

    The workers share a database, from which each of them takes items. The database is an SQLite file for one worker, or
    PostgreSQL for any number of workers on any number of machines.

    \b
    Examples:
      plivo-record fleet worker --database postgresql://db/plivo --store postgresql://db/plivo
      plivo-record fleet submit monday rooms.csv --database postgresql://db/plivo
      plivo-record fleet progress monday --database postgresql://db/plivo --follow
    """  # noqa: D301 - click wants the control character


def _fleet_options(command: CommandT) -> CommandT:
    for option in (
        json_option,
        click.option(
            "--fleet", "name", metavar="NAME", default="plivo-record", show_default=True, help="The name of the fleet."
        ),
        click.option(
            "--database",
            metavar="URL",
            default="sqlite:///fleet.db",
            show_default=True,
            help="The database of the fleet: sqlite:///FILE or a postgresql:// address.",
        ),
    ):
        command = option(command)
    return command


@fleet.command("worker", short_help="Take items from the fleet, and start them.")
@_fleet_options
@store_option("Keep the recordings in this store, which all workers share.", default="recordings.db")
@click.option("--worker", metavar="NAME", help="The name of this worker, for logs.  [default: this machine's name]")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    default=64,
    show_default=True,
    help="The number of items in progress.",
)
@click.option(
    "--public-url",
    metavar="URL",
    help="The URL at which Plivo reaches the workers.  [default: none; Plivo is asked about the recordings]",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="The address to listen on for --public-url.  [default: 127.0.0.1:8766]",
)
def fleet_worker(
    *,
    database: str,
    name: str,
    store: str,
    worker: str | None,
    concurrency: int,
    public_url: str | None,
    listen: str | None,
    as_json: bool,
) -> ExitCode:
    """Take items from the fleet's database, start them, and follow their recordings.

    When it takes items, the command prints one line: "ready" and the name of the worker. It runs until it receives
    SIGINT or SIGTERM. After the first signal, it takes no more items. Starts that have not been sent are left to the
    other workers, and starts that have been sent are awaited for up to ten seconds. A second signal does not wait for
    them.

    If a worker dies, the others take over its items. No start is sent twice: the store knows which starts were sent.
    Those that the worker was sending have an unknown outcome.

    With a --store in PostgreSQL, the workers share the quota of the account, too.

    With --json, the line is an object of the type Ready.

    \b
    Examples:
      plivo-record fleet worker
      plivo-record fleet worker --database postgresql://db/plivo --store postgresql://db/plivo
    """  # noqa: D301 - click wants the control character
    if listen is not None and public_url is None:
        raise click.UsageError("--listen needs --public-url", click.get_current_context())
    address = None if public_url is None else address_of(public_url, listen)
    from plivo_record_async.fleet import Fleet  # noqa: PLC0415 - it needs the extra and takes a second

    async def work() -> ExitCode:
        printer = Printer(as_json)
        ended = end_signal(printer)
        async with AsyncExitStack() as stack:
            stack.enter_context(showing_log(printer.warning, note=printer.note))
            stack.enter_context(usable_store())
            client = await stack.enter_async_context(_client_of(store, concurrency))
            tracker = RecordingTracker(client, public_url=public_url, store=open_store(store))
            member = Fleet(tracker, database, name=name, worker=worker, concurrency=concurrency)
            await stack.enter_async_context(ending_early(client, ended))
            await stack.enter_async_context(tracker)
            if address is not None:
                with needed_extra("emulator"):
                    from plivo_record_async.serving import open_listener, serving  # noqa: PLC0415 - the extra
                listening = stack.enter_context(closing(open_listener(*address)))
                await stack.enter_async_context(serving(tracker, listening))
            await stack.enter_async_context(member)
            if as_json:
                printer.json_object({"type": "Ready", "fleet": name, "worker": member.worker})
            else:
                printer.line(f"ready {printable(member.worker)}")
            await ended.wait()
        return ExitCode.DONE

    return asyncio.run(work())


def _client_of(store: str, concurrency: int) -> RecordClient:
    """Return a client that shares the quota with the other workers, if they share a store in PostgreSQL."""
    if isinstance(open_store(store), SQLiteStore):
        return RecordClient(max_connections=concurrency)
    return RecordClient(max_connections=concurrency, rate_limit=stores.PostgresRateLimit(store))


@fleet.command("submit", short_help="Add the conferences in FILE to a batch.")
@click.argument("batch", metavar="NAME", type=CheckedText(utf8_text, "NAME"))
@click.argument("file", type=InputFile(), default="-")
@_fleet_options
def fleet_submit(*, batch: str, file: BinaryIO, database: str, name: str, as_json: bool) -> ExitCode:
    """Add the conferences in FILE to the batch NAME. The workers of the fleet start them.

    FILE is read and checked as by batch start, before anything is added. It is safe to repeat the command: lines that
    the batch already has are not added again. A conference that occurs in several lines is started as often.

    The command needs no credentials, and no worker has to run.

    With --json, the line is an object of the type Submitted.

    \b
    Examples:
      plivo-record fleet submit monday rooms.csv --database postgresql://db/plivo
      printf 'sales\\nsupport\\n' | plivo-record fleet submit monday
    """  # noqa: D301 - click wants the control character
    from plivo_record_async.fleet import FleetClient  # noqa: PLC0415 - it needs the extra and takes a second

    source, printer = Source.of(file), Printer(as_json)

    async def submit() -> ExitCode:
        with suppress(InterruptedReadingError):
            _, items = await read_source(StartRequest, source, printer, asyncio.Event())
            check_followable(items)
            report_duplicates(items, printer)
            async with FleetClient(database, name=name) as client:
                new = sum(
                    [
                        await client.submit(
                            batch,
                            [item.request for item in items.valid if bool(item.transcribe) is transcribe],
                            transcribe=transcribe,
                        )
                        for transcribe in (False, True)
                    ]
                )
            total = len(items.valid)
            if as_json:
                printer.json_object({"type": "Submitted", "batch": batch, "total": total, "new": new})
            else:
                printer.line(f"submitted {printable(batch)}: {total} conferences, {new} new")
        return ExitCode.DONE

    return run_reading(submit(), printer, "; repeat the command to add the rest")


@fleet.command("progress", short_help="Show the progress of a batch.")
@click.argument("batch", metavar="NAME", type=CheckedText(utf8_text, "NAME"))
@click.option("--follow", is_flag=True, help="Wait until every item has an outcome, and show the progress meanwhile.")
@_fleet_options
def fleet_progress(*, batch: str, follow: bool, database: str, name: str, as_json: bool) -> ExitCode:
    """Show how many items of the batch NAME are waiting, running, started, failed and unknown.

    With --follow, the progress is shown on standard error until every item has an outcome. The last line is on standard
    output.

    The exit code is 3 if an outcome is unknown, 1 if an item failed, and otherwise 0. The command needs no credentials,
    and no worker has to run.

    With --json, each line is an object of the type BatchProgress. With --follow, there is one for each change.

    \b
    Examples:
      plivo-record fleet progress monday --database postgresql://db/plivo
      plivo-record fleet progress monday --follow
    """  # noqa: D301 - click wants the control character
    from plivo_record_async.fleet import FleetClient  # noqa: PLC0415 - it needs the extra and takes a second

    printer = Printer(as_json)

    async def show() -> ExitCode:
        async with FleetClient(database, name=name) as client:
            progress = await client.progress(batch)
            if not progress.total:
                raise PlivoRecordError(f"the fleet {name!r} has no batch {batch!r}")
            if follow:
                progress = await _follow(client, batch, progress, printer)
        _print_progress(progress, batch, printer)
        return _tally(progress).exit_code

    return run_reading(show(), printer)


async def _follow(client: FleetClient, batch: str, progress: BatchProgress, printer: Printer) -> BatchProgress:
    """Show the progress until every item has an outcome, and return it."""
    clock = asyncio.get_running_loop().time
    began, first = clock(), progress

    def read() -> Progress:
        return Progress(
            total=progress.total,
            in_flight=progress.running,
            following=0,
            tally=_tally(progress),
            seconds=clock() - began,
            made_before=first.started + first.failed + first.unknown,
        )

    async with AsyncExitStack() as stack:
        if not printer.as_json:
            await stack.enter_async_context(showing_progress(read, printer))
        while progress.waiting + progress.running:
            before = progress
            if printer.as_json:
                _print_progress(progress, batch, printer)
            while progress == before:
                await asyncio.sleep(_READ_EVERY)
                progress = await client.progress(batch)
    return progress


def _tally(progress: BatchProgress) -> Tally:
    return Tally(done=progress.started, failed=progress.failed, unknown=progress.unknown)


def _print_progress(progress: BatchProgress, batch: str, printer: Printer) -> None:
    counts = progress.to_dict()
    if printer.as_json:
        printer.json_object({"type": "BatchProgress", "batch": batch} | counts)
    else:
        parts = ", ".join(f"{number} {kind}" for kind, number in counts.items() if kind != "total")
        printer.line(f"{printable(batch)}: {counts['total']} items, {parts}")
