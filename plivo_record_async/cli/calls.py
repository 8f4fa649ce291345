"""``start``, ``stop`` and ``batch``: one call, or many."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, BinaryIO, TypeVar

import attrs
import click

from plivo_record_async.cli.lines import lines
from plivo_record_async.cli.output import ExitCode, Output, Result, Tally
from plivo_record_async.client import RecordClient
from plivo_record_async.protocol.models import Failed, Outcome, StartRequest, StopRequest

__all__ = ["batch", "json_option", "start", "stop"]

RequestT = TypeVar("RequestT", StartRequest, StopRequest)
CommandT = TypeVar("CommandT", bound=Callable[..., Any])
Outcomes = AsyncGenerator[Outcome[Any, Result], None]

_METHOD = click.Choice(["GET", "POST"], case_sensitive=False)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line, for machines.")

_timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="The longest that one call may take in all.  [default: 30]",
)


def _callback_options(command: CommandT) -> CommandT:
    for option in (
        click.option(
            "--callback-method",
            type=_METHOD,
            metavar="[GET|POST]",
            help="How Plivo calls that address.  [default: POST]",
        ),
        click.option(
            "--callback-url", metavar="URL", help="Asynchronous mode: Plivo sends its answer and the rest there."
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("name")
@click.option("--format", "file_format", type=click.Choice(["mp3", "wav"]), help="The file's format.  [default: mp3]")
@_callback_options
@click.option("--transcription-type", metavar="TYPE", help="Passed on to Plivo as given, usually auto.")
@click.option("--transcription-url", metavar="URL", help="Where Plivo sends the transcript.")
@click.option(
    "--transcription-method", type=_METHOD, metavar="[GET|POST]", help="How Plivo calls that address.  [default: POST]"
)
@_timeout_option
@json_option
def start(*, name: str, timeout: float | None, as_json: bool, **options: Any) -> ExitCode:
    """Start recording the conference NAME.

    A name that begins with a dash is given after --, as in: plivo-record start -- -name
    """
    request = _checked(StartRequest, name, **options)
    return asyncio.run(_once(lambda client: client.start_many([request], timeout=timeout), Output(as_json)))


@click.command()
@click.argument("name")
@_callback_options
@_timeout_option
@json_option
def stop(*, name: str, timeout: float | None, as_json: bool, **options: Any) -> ExitCode:
    """Stop recording the conference NAME; harmless to repeat."""
    request = _checked(StopRequest, name, **options)
    return asyncio.run(_once(lambda client: client.stop_many([request], timeout=timeout), Output(as_json)))


def _checked(kind: type[RequestT], name: str, **options: Any) -> RequestT:
    try:
        return kind(name, **options)
    except ValueError as error:
        raise click.UsageError(str(error), click.get_current_context()) from error


async def _once(call: Callable[[RecordClient], Outcomes], output: Output) -> ExitCode:
    """Make one call: its result goes to stdout, its error up."""
    async with RecordClient() as client, aclosing(call(client)) as outcomes:
        async for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
            try:
                output.outcome(outcome)
            except OSError as error:
                output.lost(error)
                return ExitCode.UNKNOWN  # it was executed and nobody was told: 1 would say that it may be repeated
    return ExitCode.DONE


@click.group(no_args_is_help=False)
def batch() -> None:
    """Start or stop recording many conferences concurrently."""


def _batch_options(command: CommandT) -> CommandT:
    for option in (
        json_option,
        _timeout_option,
        click.option(
            "--concurrency",
            type=click.IntRange(min=1),
            metavar="NUMBER",
            default=32,
            show_default=True,
            help="Calls under way at once.",
        ),
        click.argument("file", type=click.File("rb"), default="-"),
    ):
        command = option(command)
    return command


@batch.command("start", short_help="Start recording the conferences that FILE names.")
@_batch_options
def batch_start(*, file: BinaryIO, concurrency: int, timeout: float | None, as_json: bool) -> ExitCode:
    """Start recording the conferences that FILE names, one a line; without FILE, or with -, standard input.

    A line is a conference's name, or a JSON object with the fields conference_name, file_format, callback_url,
    callback_method, transcription_type, transcription_url, transcription_method. Empty lines are passed over. Lines
    are read as calls get done, and each outcome is printed as it comes.
    """

    def call(client: RecordClient, requests: AsyncGenerator[StartRequest, None]) -> Outcomes:
        return client.start_many(requests, concurrency=concurrency, timeout=timeout)

    return asyncio.run(_many(StartRequest, file, call, Output(as_json), connections=concurrency))


@batch.command("stop", short_help="Stop recording the conferences that FILE names.")
@_batch_options
def batch_stop(*, file: BinaryIO, concurrency: int, timeout: float | None, as_json: bool) -> ExitCode:
    """Stop recording the conferences that FILE names, one a line; without FILE, or with -, standard input.

    A line is a conference's name, or a JSON object with the fields conference_name, callback_url, callback_method.
    Empty lines are passed over. Lines are read as calls get done, and each outcome is printed as it comes.
    """

    def call(client: RecordClient, requests: AsyncGenerator[StopRequest, None]) -> Outcomes:
        return client.stop_many(requests, concurrency=concurrency, timeout=timeout)

    return asyncio.run(_many(StopRequest, file, call, Output(as_json), connections=concurrency))


async def _many(
    kind: type[RequestT],
    file: BinaryIO,
    call: Callable[[RecordClient, AsyncGenerator[RequestT, None]], Outcomes],
    output: Output,
    *,
    connections: int,
) -> ExitCode:
    """Make a call for each line of the file; a line that is no request fails like a call, and stops no other.

    When outcomes can no longer be printed, no more lines are read, and what is under way is finished.
    """
    tally, lost = Tally(), asyncio.Event()

    def tell(outcome: Outcome[Any, Result]) -> None:
        tally.count(outcome.error)
        try:
            output.outcome(outcome)
        except OSError as error:
            output.lost(error)
            lost.set()

    async with (
        RecordClient(max_connections=connections) as client,
        aclosing(call(client, _requests(kind, lines(file, lost), tell))) as outcomes,
    ):
        async for outcome in outcomes:
            tell(outcome)
    if lost.is_set():
        return ExitCode.UNKNOWN  # calls were executed and nobody was told: 1 would say that they may be repeated
    try:
        output.summary(tally)
    except OSError as error:  # only the sum is missing; each outcome was told
        output.lost(error)
        return max(ExitCode.FAILED, tally.exit_code)
    return tally.exit_code


async def _requests(
    kind: type[RequestT], source: AsyncGenerator[bytes, None], refuse: Callable[[Outcome[str, Any]], None]
) -> AsyncGenerator[RequestT, None]:
    number = 0
    async for line in source:
        number += 1
        if not line.strip():
            continue
        try:
            request = _request(kind, line.decode())
        except (TypeError, ValueError) as error:
            text = line.decode(errors="backslashreplace")
            refuse(Failed(text, ValueError(f"line {number}: {error}")))
        else:
            yield request


def _request(kind: type[RequestT], line: str) -> RequestT:
    if not line.startswith("{"):
        return kind(line)
    fields = json.loads(line)
    known = [attribute.name for attribute in attrs.fields(kind)]
    if unknown := [name for name in fields if name not in known]:
        raise ValueError(f"unknown field {unknown[0]!r}; there are {', '.join(known)}")
    if "conference_name" not in fields:
        raise ValueError("conference_name is missing")
    return kind(**fields)
