"""The commands ``batch start`` and ``batch stop``: each makes one call for each line of a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from plivo_record_async.cli.batch.command import BatchOptions, run_batch
from plivo_record_async.cli.batch.reading import Source
from plivo_record_async.cli.batch.running import Calls
from plivo_record_async.cli.batch.sending import api_calls, check_not_transcribed
from plivo_record_async.cli.input.items import Items
from plivo_record_async.cli.input.options import json_option, timeout_option
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.client import RecordClient
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.models import StartRequest, StopRequest

__all__ = ["batch"]

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


@click.group(no_args_is_help=False)
def batch() -> None:
    """Start or stop recording many conferences concurrently.

    \b
    Examples:
      plivo-record batch start rooms.csv
      plivo-record batch stop rooms.csv --concurrency 64
    """  # noqa: D301 - click wants the control character


def _batch_options(command: CommandT) -> CommandT:
    for option in (
        json_option,
        timeout_option,
        click.option(
            "--concurrency",
            type=click.IntRange(min=1),
            metavar="NUMBER",
            default=32,
            show_default=True,
            help="The number of concurrent calls.",
        ),
        click.argument("file", type=click.File("rb"), default="-"),
    ):
        command = option(command)
    return command


@batch.command("start", short_help="Start recording the conferences in FILE.")
@_batch_options
@click.option("--dry-run", is_flag=True, help="Check FILE and print what would be done. Nothing is sent.")
@click.option(
    "--failed",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the lines that failed to this file, in the format of the input.",
)
def batch_start(
    *, file: BinaryIO, concurrency: int, timeout: float | None, as_json: bool, failed: Path | None, dry_run: bool
) -> ExitCode:
    """Start recording the conferences in FILE.

    If FILE is omitted or is -, standard input is read. FILE must be UTF-8 text. Its first line decides the format:

    \b
    - If one of its cells is conference_name, FILE is CSV. The other columns may
      be file_format, transcription_type, transcription_url,
      transcription_method, callback_url, callback_method and transcribe.
    - Otherwise each line is the name of a conference, or a JSON object with
      these fields. Commas belong to the name.

    Blank lines are ignored. All of FILE is read and checked before the first call. If a line is not valid, nothing is
    sent. A conference that occurs in several lines is reported, and recorded as often.

    Each outcome is printed as it arrives. The batch ends early if Plivo answers 401, or 403 before any call has
    succeeded: calls that have been sent are finished, calls that have not been sent are dropped, and the summary says
    how many lines have no outcome.

    After the first SIGINT (Ctrl-C) or SIGTERM, calls that have not been sent are dropped, and calls that have been sent
    are awaited for up to ten seconds. A second signal ends the batch at once.

    \b
    Examples:
      plivo-record batch start rooms.csv --dry-run
      printf 'sales\\nsupport\\n' | plivo-record batch start --json
      echo '{"conference_name": "board", "file_format": "wav"}' | plivo-record batch start
    """  # noqa: D301 - click wants the control character
    options = BatchOptions(
        printer=Printer(as_json), concurrency=concurrency, timeout=timeout, failed=failed, dry_run=dry_run
    )

    def open_calls(
        client: RecordClient, _content: bytes, items: Items[StartRequest]
    ) -> AbstractAsyncContextManager[Calls]:
        check_not_transcribed(items.valid)
        return api_calls(client, endpoints.start_recording, concurrency=concurrency, timeout=timeout)

    return asyncio.run(run_batch(StartRequest, Source.of(file), options, open_calls))


@batch.command("stop", short_help="Stop recording the conferences in FILE.")
@_batch_options
def batch_stop(*, file: BinaryIO, concurrency: int, timeout: float | None, as_json: bool) -> ExitCode:
    """Stop recording the conferences in FILE.

    FILE is read and checked as by batch start. The columns of a CSV file, and the fields of a JSON object, may be
    conference_name, callback_url and callback_method.

    Each outcome is printed as it arrives. The batch ends early, and signals end it, as described at batch start.

    \b
    Examples:
      plivo-record batch stop rooms.csv
      plivo-record batch stop --json < rooms.csv
    """  # noqa: D301 - click wants the control character
    options = BatchOptions(printer=Printer(as_json), concurrency=concurrency, timeout=timeout)

    def open_calls(client: RecordClient, _content: bytes, _items: object) -> AbstractAsyncContextManager[Calls]:
        return api_calls(client, endpoints.stop_recording, concurrency=concurrency, timeout=timeout)

    return asyncio.run(run_batch(StopRequest, Source.of(file), options, open_calls))
