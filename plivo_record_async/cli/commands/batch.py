"""The commands ``batch start`` and ``batch stop``: each makes one call for each line of a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from plivo_record_async.cli.batch.command import BatchOptions, run_batch
from plivo_record_async.cli.batch.followed.options import FollowingOptions, following_of
from plivo_record_async.cli.batch.followed.tracking import check_followable
from plivo_record_async.cli.batch.reading import Source
from plivo_record_async.cli.batch.running import Calls
from plivo_record_async.cli.batch.sending import ApiCalls, check_not_transcribed
from plivo_record_async.cli.input.arguments import InputFile
from plivo_record_async.cli.input.items import Items
from plivo_record_async.cli.input.options import json_option, store_option, timeout_option
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
      plivo-record batch start rooms.csv --store r.db --batch monday --download files
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
        click.argument("file", type=InputFile(), default="-"),
    ):
        command = option(command)
    return command


_FOLLOWING_OPTIONS = (
    store_option("Keep the recordings, and what was begun, in this store."),
    click.option("--batch", "name", metavar="NAME", help="The name of the batch in the store."),
    click.option("--resume", is_flag=True, help="Continue a batch that ended early."),
    click.option(
        "--wait",
        type=click.Choice(["accepted", "recorded", "transcribed"]),
        metavar="STAGE",
        help="What to wait for: accepted, recorded or transcribed.  [default: accepted, or recorded with --download]",
    ),
    click.option(
        "--download",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Download the file of each recording into this directory.",
    ),
    click.option(
        "--public-url",
        metavar="URL",
        help="The URL at which Plivo reaches this command.  [default: none; Plivo is asked about the recordings]",
    ),
    click.option(
        "--listen",
        metavar="HOST:PORT",
        help="The address to listen on for --public-url.  [default: 127.0.0.1:8766]",
    ),
)


def _following_options(command: CommandT) -> CommandT:
    for option in reversed(_FOLLOWING_OPTIONS):
        command = option(command)
    return command


@batch.command("start", short_help="Start recording the conferences in FILE.")
@_batch_options
@_following_options
@click.option("--dry-run", is_flag=True, help="Check FILE and print what would be done. Nothing is sent.")
@click.option(
    "--failed",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the lines that were certainly not executed to this file, in the format of the input.",
)
def batch_start(
    *,
    file: BinaryIO,
    concurrency: int,
    timeout: float | None,
    as_json: bool,
    failed: Path | None,
    dry_run: bool,
    name: str | None,
    **options: Any,
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

    With --store, the store is the journal of the batch. After Ctrl-C, a crash or kill -9, the same command with
    --resume continues it: it sends only what was certainly not sent, and prints the outcome of every line. It refuses
    a FILE that was changed.

    With --wait recorded or --wait transcribed, the batch follows its recordings to their ends. Callbacks are received
    at --public-url. Without it, Plivo is asked about the recordings, and nothing has to be reachable from outside.
    --wait transcribed requests transcripts. --download downloads the files; files that are there already are verified.

    Each outcome is printed as it arrives, and the progress is shown on standard error. The batch ends early if Plivo
    answers 401, or 403 before any call has succeeded, or if the store cannot be used: calls that have been sent are
    finished, calls that have not been sent are dropped, and the summary says how many lines have no outcome.

    After the first SIGINT (Ctrl-C) or SIGTERM, calls that have not been sent are dropped, and calls that have been sent
    are awaited for up to ten seconds. A second signal ends the batch at once.

    \b
    Examples:
      plivo-record batch start rooms.csv --dry-run
      plivo-record batch start rooms.csv --store r.db --batch monday --download files
      plivo-record batch start rooms.csv --store r.db --batch monday --download files --resume
      printf 'sales\\nsupport\\n' | plivo-record batch start --json
    """  # noqa: D301 - click wants the control character
    source = Source.of(file)
    following = following_of(
        FollowingOptions(batch=name, **options),
        is_stdin=source.is_stdin,
        concurrency=concurrency,
        timeout=timeout,
    )

    def check(items: Items[StartRequest]) -> None:
        if following is None:
            check_not_transcribed(items.valid)
        else:
            check_followable(items)

    def open_calls(
        client: RecordClient, content: bytes, items: Items[StartRequest]
    ) -> AbstractAsyncContextManager[Calls]:
        if following is not None:
            return following.open(client, content, items)
        calls: Calls = ApiCalls(
            client=client, endpoint=endpoints.start_recording, concurrency=concurrency, timeout=timeout
        )
        return nullcontext(calls)

    batch_options = BatchOptions(
        printer=Printer(as_json),
        concurrency=concurrency,
        timeout=timeout,
        failed=failed,
        dry_run=dry_run,
        has_journal=name is not None,
    )
    return asyncio.run(run_batch(StartRequest, source, batch_options, check, open_calls))


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

    def open_calls(client: RecordClient, *_: object) -> AbstractAsyncContextManager[Calls]:
        calls: Calls = ApiCalls(
            client=client, endpoint=endpoints.stop_recording, concurrency=concurrency, timeout=timeout
        )
        return nullcontext(calls)

    return asyncio.run(run_batch(StopRequest, Source.of(file), options, lambda _: None, open_calls))
