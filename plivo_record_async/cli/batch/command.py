"""The steps of a batch command: read the input, check all of it, and make the calls."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

import attrs

from plivo_record_async.cli.batch.failures import failure_file
from plivo_record_async.cli.batch.reading import InterruptedReadingError, Source, read_source, report_duplicates
from plivo_record_async.cli.batch.running import BatchRun, Calls
from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.items import Items
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.outcomes import Tally
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import end_signal
from plivo_record_async.client import RecordClient
from plivo_record_async.protocol.models import StartRequest, StopRequest

__all__ = ["BatchOptions", "run_batch"]

RequestT = TypeVar("RequestT", StartRequest, StopRequest)

_QUOTA, _WINDOW = 300, 5
"""Plivo permits an account 300 requests in any 5 seconds: https://plivo.com/docs/voice/concepts/account-limits.md"""


@attrs.frozen(kw_only=True)
class BatchOptions:
    """The options of a batch command.

    Attributes:
        printer: Prints the outcomes.
        concurrency: The maximum number of calls at the same time.
        timeout: The time limit of each call, in seconds. If None, the client's own timeout.
        failed: The file for the lines that failed. If None, they are not written.
        dry_run: Whether to only check the input.
        has_journal: Whether a store knows which items were not begun.
    """

    printer: Printer
    concurrency: int
    timeout: float | None
    failed: Path | None = None
    dry_run: bool = False
    has_journal: bool = False


async def run_batch(
    kind: type[RequestT],
    source: Source,
    options: BatchOptions,
    check: Callable[[Items[RequestT]], None],
    open_calls: Callable[[RecordClient, bytes, Items[RequestT]], AbstractAsyncContextManager[Calls]],
) -> ExitCode:
    """Read the input, check all of it, make the calls, and return the exit code.

    Args:
        kind: The type of the requests.
        source: The input.
        options: The options of the command.
        check: Raises an error if the items do not fit the options of the command.
        open_calls: Returns what makes the calls, from the client, the content of the input, and its items.

    Raises:
        InputError: The input is refused. Nothing was sent.
        ConfigurationError: A credential or an option is not valid. Nothing was sent.
    """
    printer = options.printer
    ended = end_signal(printer)
    client = None if options.dry_run else RecordClient(max_connections=options.concurrency)
    with showing_log(printer.warning, note=printer.note):
        try:
            content, items = await read_source(kind, source, printer, ended)
        except InterruptedReadingError as interrupted:
            printer.summary(Tally(not_begun=interrupted.lines), all_read=False)
            return ended.exit_code or ExitCode.INTERRUPTED
        try:
            check(items)
        except InputError as error:
            raise InputError(f"{source.name}: {error}") from error
        duplicates = report_duplicates(items, printer)
        if client is None:
            _print_plan(len(items.valid), duplicates, printer)
            return ExitCode.DONE
        with failure_file(options.failed, items.format, source=source.name) as failures:
            batch = BatchRun(
                items.valid, printer, failures, ended, timeout=options.timeout, has_journal=options.has_journal
            )
            return await batch.run(client, open_calls(client, content, items))


def _print_plan(calls: int, duplicates: int, printer: Printer) -> None:
    seconds = max(calls - 1, 0) // _QUOTA * _WINDOW
    if printer.as_json:
        printer.json_object({"type": "DryRun", "calls": calls, "duplicates": duplicates, "seconds": seconds})
    else:
        printer.line(
            f"dry run: {calls} calls, {duplicates} duplicates, at least {seconds} s at the quota of {_QUOTA} calls in "
            f"{_WINDOW} s; nothing was sent"
        )
