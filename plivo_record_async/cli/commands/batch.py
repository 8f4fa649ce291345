"""``batch``: make many calls, one for each line of a file."""

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


@batch.command("start", short_help="Start recording the conferences that FILE names.")
@_batch_options
def batch_start(*, file: BinaryIO, concurrency: int, timeout: float | None, as_json: bool) -> ExitCode:
    """Start recording the conferences that FILE names, one per line.

    Without FILE, or with -, the lines are read from standard input.

    A line is the name of a conference, or a JSON object with the fields conference_name, file_format, callback_url,
    callback_method, transcription_type, transcription_url, transcription_method. FILE is UTF-8 text. Blank lines are
    ignored. Lines are read while calls are made, and each outcome is printed as it arrives.

    A line that is not a request fails and does not stop the others. The batch ends early if Plivo answers 401, or 403
    before any call has succeeded: calls in progress are finished, and the summary says how many lines were not begun.

    \b
    Examples:
      plivo-record batch start rooms.txt
      printf 'sales\\nsupport\\n' | plivo-record batch start --json
      echo '{"conference_name": "board", "file_format": "wav"}' | plivo-record batch start
    """  # noqa: D301 - click wants the control character

    def call(client: RecordClient, requests: AsyncGenerator[StartRequest, None]) -> OutcomeStream:
        return client.start_many(requests, concurrency=concurrency, timeout=timeout)

    return asyncio.run(_Batch(StartRequest, file, Printer(as_json), timeout=timeout).run(call, connections=concurrency))


@batch.command("stop", short_help="Stop recording the conferences that FILE names.")
@_batch_options
def batch_stop(*, file: BinaryIO, concurrency: int, timeout: float | None, as_json: bool) -> ExitCode:
    """Stop recording the conferences that FILE names, one per line.

    Without FILE, or with -, the lines are read from standard input.

    A line is the name of a conference, or a JSON object with the fields conference_name, callback_url, callback_method.
    FILE is UTF-8 text. Blank lines are ignored. Lines are read while calls are made, and each outcome is printed as it
    arrives.

    A line that is not a request fails and does not stop the others. The batch ends early if Plivo answers 401, or 403
    before any call has succeeded: calls in progress are finished, and the summary says how many lines were not begun.

    \b
    Examples:
      plivo-record batch stop rooms.txt
      plivo-record batch stop --json < rooms.txt
    """  # noqa: D301 - click wants the control character

    def call(client: RecordClient, requests: AsyncGenerator[StopRequest, None]) -> OutcomeStream:
        return client.stop_many(requests, concurrency=concurrency, timeout=timeout)

    return asyncio.run(_Batch(StopRequest, file, Printer(as_json), timeout=timeout).run(call, connections=concurrency))


class BatchEndedEarlyError(PlivoRecordError):
    """Plivo refused the account, not only one call.

    Attributes:
        status: The HTTP status of the refusal.
    """

    def __init__(self, refusal: ApiError) -> None:
        super().__init__(
            f"the batch ended early, because Plivo answered {refusal.status} ({refusal.message}): "
            f"{_ADVICE[type(refusal)]}. The lines without an outcome were not begun; run the batch again with them"
        )
        self.status = refusal.status


_ADVICE: dict[type[ApiError], str] = {
    AuthenticationError: "check PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN",
    PermissionDeniedError: "check the account's verification, features and IP allow-list",
}


class _Batch(Generic[RequestT]):
    """A call for each line of a file. A line that is not a request fails like a call, and does not stop the others.

    The batch ends early when outcomes can no longer be printed, and when Plivo refuses the account: no more lines are
    read, and calls that have been sent are finished. In the second case, calls that have not been sent are dropped.

    Args:
        kind: The type of the requests.
        file: The file.
        printer: Prints the outcomes.
        timeout: The seconds that calls in progress may take when the batch ends early.
    """

    def __init__(self, kind: type[RequestT], file: BinaryIO, printer: Printer, *, timeout: float | None) -> None:
        self._kind: type[RequestT] = kind
        self._printer = printer
        self._timeout = timeout or DEFAULT_TIMEOUT
        self._tally = Tally()
        self._ended = EndSignal()
        self._lines = InputLines(file)
        self._name = str(getattr(file, "name", "<stdin>")).replace("<stdin>", "standard input")
        self._refusal: ApiError | None = None
        self._without_outcome = 0
        self._output_failed = False

    async def run(self, call: Call[RequestT], *, connections: int) -> ExitCode:
        """Run the batch to its end.

        Args:
            call: Makes the calls.
            connections: The most connections to Plivo.
        """
        ended = self._ended = end_signal(self._printer)
        unreadable: UnreadableError | None = None
        async with (
            RecordClient(max_connections=connections) as client,
            ending_early(client, ended, grace=self._timeout, on_end=self._lines.end),
            aclosing(call(client, self._requests())) as outcomes,
        ):
            try:
                async for outcome in outcomes:
                    self._handle(outcome)
            except UnreadableError as error:
                unreadable = error
        if self._output_failed:  # exit code 1 would say that the calls without a printed outcome may be repeated
            return ended.exit_code or ExitCode.UNKNOWN
        if ended.is_set():
            self._tally.not_begun = self._without_outcome + await self._lines.count_rest()
        code = self._finish(unreadable)
        return ended.exit_code or code

    def _handle(self, outcome: Outcome[Any, Result]) -> None:
        error = outcome.error
        if self._ended.is_set() and isinstance(error, NotSentError | ClosedError):
            return
        self._without_outcome -= 1
        self._print(outcome)
        whole_account = (AuthenticationError,) if self._tally.done else (AuthenticationError, PermissionDeniedError)
        if isinstance(error, whole_account) and not self._ended.is_set():
            self._refusal = error
            self._lines.end()
            self._ended.set()

    def _print(self, outcome: Outcome[Any, Result]) -> None:
        self._tally.count(outcome.error)
        try:
            self._printer.outcome(outcome)
        except OSError as error:
            self._printer.stop_printing(
                error, "Outcomes can no longer be printed; calls in progress are finished, and no more are begun"
            )
            self._output_failed = True
            self._lines.end()

    def _finish(self, unreadable: UnreadableError | None) -> ExitCode:
        code = self._tally.exit_code
        try:
            self._printer.summary(self._tally, all_read=self._lines.all_read)
        except OSError as error:  # each outcome was printed; only the summary is missing
            self._printer.stop_printing(error, "The summary cannot be printed")
            return max(ExitCode.FAILED, code)
        if self._refusal is not None and (self._tally.not_begun or not self._lines.all_read):
            self._printer.error(BatchEndedEarlyError(self._refusal))
        if unreadable is not None:
            self._printer.error(
                PlivoRecordError(
                    f"{self._name} cannot be read to its end: {unreadable}. Nothing after the last outcome was begun"
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
