"""The commands ``batch start`` and ``batch stop``: each makes one call for each line of a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, BinaryIO, Generic, TypeVar

import click

from plivo_record_async.cli.commands.calls import OutcomeStream
from plivo_record_async.cli.input.lines import InputLines, UnreadableError
from plivo_record_async.cli.input.options import DEFAULT_TIMEOUT, json_option, timeout_option
from plivo_record_async.cli.input.requests import InvalidLine, read_request
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.outcomes import Result, Tally
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import EndSignal, end_signal, ending_early
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import (
    ApiError,
    AuthenticationError,
    ClosedError,
    NotSentError,
    PermissionDeniedError,
    PlivoRecordError,
)
from plivo_record_async.protocol.models import Failed, Outcome, StartRequest, StopRequest

__all__ = ["batch"]

RequestT = TypeVar("RequestT", StartRequest, StopRequest)
CommandT = TypeVar("CommandT", bound=Callable[..., Any])
Call = Callable[[RecordClient, AsyncGenerator[RequestT, None]], OutcomeStream]


@click.group(no_args_is_help=False)
def batch() -> None:
    """Start or stop recording many conferences concurrently.

    \b
    Examples:
      plivo-record batch start rooms.txt
      plivo-record batch stop rooms.txt --concurrency 64
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
def batch_start(*, file: BinaryIO, concurrency: int, timeout: float | None, as_json: bool) -> ExitCode:
    """Start recording the conferences in FILE, one on each line.

    If FILE is omitted or is -, the lines are read from standard input.

    Each line is the name of a conference, or a JSON object with the field conference_name and any of the fields
    file_format, callback_url, callback_method, transcription_type, transcription_url and transcription_method. FILE
    must be UTF-8 text. Blank lines are ignored. Lines are read while calls are made, and each outcome is printed as it
    arrives.

    A line that is not a valid request counts as a failure, and the batch continues. The batch ends early if Plivo
    answers 401, or 403 before any call has succeeded: calls that have been sent are finished, calls that have not
    been sent are dropped, and the summary says how many lines have no outcome.

    After the first SIGINT (Ctrl-C) or SIGTERM, no more lines are read, calls that have not been sent are dropped, and
    calls that have been sent are awaited for up to ten seconds. A second signal ends the batch at once.

    \b
    Examples:
      plivo-record batch start rooms.txt
      printf 'sales\\nsupport\\n' | plivo-record batch start --json
      echo '{"conference_name": "board", "file_format": "wav"}' | plivo-record batch start
    """  # noqa: D301 - click wants the control character

    def call(client: RecordClient, requests: AsyncGenerator[StartRequest, None]) -> OutcomeStream:
        return client.start_many(requests, concurrency=concurrency, timeout=timeout)

    return asyncio.run(_Batch(StartRequest, file, Printer(as_json), timeout=timeout).run(call, connections=concurrency))


@batch.command("stop", short_help="Stop recording the conferences in FILE.")
@_batch_options
def batch_stop(*, file: BinaryIO, concurrency: int, timeout: float | None, as_json: bool) -> ExitCode:
    """Stop recording the conferences in FILE, one on each line.

    If FILE is omitted or is -, the lines are read from standard input.

    Each line is the name of a conference, or a JSON object with the field conference_name and any of the fields
    callback_url and callback_method. FILE must be UTF-8 text. Blank lines are ignored. Lines are read while calls are
    made, and each outcome is printed as it arrives.

    A line that is not a valid request counts as a failure, and the batch continues. The batch ends early if Plivo
    answers 401, or 403 before any call has succeeded: calls that have been sent are finished, calls that have not
    been sent are dropped, and the summary says how many lines have no outcome.

    After the first SIGINT (Ctrl-C) or SIGTERM, no more lines are read, calls that have not been sent are dropped, and
    calls that have been sent are awaited for up to ten seconds. A second signal ends the batch at once.

    \b
    Examples:
      plivo-record batch stop rooms.txt
      plivo-record batch stop --json < rooms.txt
    """  # noqa: D301 - click wants the control character

    def call(client: RecordClient, requests: AsyncGenerator[StopRequest, None]) -> OutcomeStream:
        return client.stop_many(requests, concurrency=concurrency, timeout=timeout)

    return asyncio.run(_Batch(StopRequest, file, Printer(as_json), timeout=timeout).run(call, connections=concurrency))


class BatchEndedEarlyError(PlivoRecordError):
    """The batch ended early, because Plivo rejects every call of the account.

    Args:
        error: The error of the call that was rejected.

    Attributes:
        status: The HTTP status of the rejected call.
    """

    def __init__(self, error: ApiError) -> None:
        super().__init__(
            f"the batch ended early, because Plivo answered {error.status} ({error.message}): "
            f"{_ADVICE[type(error)]}. The lines without an outcome were not begun; run the batch again with them"
        )
        self.status = error.status


_ADVICE: dict[type[ApiError], str] = {
    AuthenticationError: "check PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN",
    PermissionDeniedError: "check the account's verification, features and IP allow-list",
}


class _Batch(Generic[RequestT]):
    """Makes a call for each line of a file, and prints the outcomes.

    The batch ends early in three cases: if outcomes can no longer be printed, if Plivo rejects every call of the
    account, and after a signal. Then no more lines are read, and calls that have been sent are finished. In the second
    and the third case, calls that have not been sent are dropped.

    Args:
        kind: The type of the requests.
        file: The file to read.
        printer: Prints the outcomes.
        timeout: The seconds for which calls in progress are awaited if Plivo rejects every call of the account.
    """

    def __init__(self, kind: type[RequestT], file: BinaryIO, printer: Printer, *, timeout: float | None) -> None:
        self._kind: type[RequestT] = kind
        self._printer = printer
        self._timeout = timeout or DEFAULT_TIMEOUT
        self._tally = Tally()
        self._ended = EndSignal()
        self._lines = InputLines(file)
        self._name = str(getattr(file, "name", "<stdin>")).replace("<stdin>", "standard input")
        self._rejection: ApiError | None = None
        self._without_outcome = 0
        self._output_failed = False

    async def run(self, call: Call[RequestT], *, connections: int) -> ExitCode:
        """Run the batch, and return its exit code.

        Args:
            call: Makes the calls.
            connections: The most connections to Plivo.
        """
        ended = self._ended = end_signal(self._printer)
        unreadable: UnreadableError | None = None
        with showing_log(self._printer.warning):
            try:
                await self._make_calls(call, RecordClient(max_connections=connections))
            except UnreadableError as error:
                unreadable = error
        if self._output_failed:  # `FAILED` would mean that the calls without a printed outcome may be repeated
            return ended.exit_code or ExitCode.UNKNOWN
        if ended.is_set():
            self._tally.not_begun = self._without_outcome + await self._lines.count_rest()
        code = self._finish(unreadable)
        return ended.exit_code or code

    async def _make_calls(self, call: Call[RequestT], client: RecordClient) -> None:
        async with (
            client,
            ending_early(client, self._ended, grace=self._timeout, on_end=self._lines.end),
            aclosing(call(client, self._requests())) as outcomes,
        ):
            async for outcome in outcomes:
                self._handle(outcome)

    def _handle(self, outcome: Outcome[Any, Result]) -> None:
        error = outcome.error
        if self._ended.is_set() and isinstance(error, NotSentError | ClosedError):
            return
        self._without_outcome -= 1
        self._print(outcome)
        whole_account = (AuthenticationError,) if self._tally.done else (AuthenticationError, PermissionDeniedError)
        if isinstance(error, whole_account) and not self._ended.is_set():
            self._rejection = error
            self._lines.end()
            self._ended.set()

    def _print(self, outcome: Outcome[Any, Result]) -> None:
        self._tally.count(outcome.error)
        try:
            self._printer.outcome(outcome)
        except OSError as error:
            self._printer.stop_printing(
                error, "Outcomes can no longer be printed. Calls in progress are finished, and no more calls are made"
            )
            self._output_failed = True
            self._lines.end()

    def _finish(self, unreadable: UnreadableError | None) -> ExitCode:
        code = self._tally.exit_code
        try:
            self._printer.summary(self._tally, all_read=self._lines.all_read)
        except OSError as error:  # only the summary is missing, each outcome was printed
            self._printer.stop_printing(error, "The summary cannot be printed")
            return max(ExitCode.FAILED, code)
        if self._rejection is not None and (self._tally.not_begun or not self._lines.all_read):
            self._printer.error(BatchEndedEarlyError(self._rejection))
        if unreadable is not None:
            self._printer.error(
                PlivoRecordError(
                    f"{self._name} cannot be read to its end: {unreadable}. No call was made for later lines"
                )
            )
            return max(ExitCode.FAILED, code)
        return code

    async def _requests(self) -> AsyncGenerator[RequestT, None]:
        number = 0
        async for line in self._lines:
            number += 1
            if not line.strip():
                continue
            try:
                request = read_request(self._kind, line)
            except (TypeError, ValueError) as error:
                invalid = InvalidLine(number=number, text=line.decode(errors="backslashreplace"))
                self._print(Failed(invalid, ValueError(f"line {number}: {error}")))
            else:
                self._without_outcome += 1
                yield request
