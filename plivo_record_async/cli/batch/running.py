"""Make the calls of a batch, and print their outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Protocol

from plivo_record_async.cli.batch.failures import FailureFile
from plivo_record_async.cli.batch.progress import Progress, showing_progress
from plivo_record_async.cli.input.options import DEFAULT_TIMEOUT
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.outcomes import Result, Tally, kind_of
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import EndSignal, ending_early
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import (
    ApiError,
    AuthenticationError,
    ClosedError,
    DownloadError,
    NotSentError,
    PermissionDeniedError,
    PlivoRecordError,
    RecordingFailedError,
    StoreError,
)
from plivo_record_async.protocol.models import Outcome, RecordingState

__all__ = ["BatchEndedEarlyError", "BatchRun", "CallItems", "Calls"]

CallItems = AsyncGenerator[Item[Any], None]
"""The items for which calls are to be made, in their order."""


class Calls(Protocol):
    """What makes the calls of a batch."""

    @property
    def following(self) -> int:
        """The number of recordings that were started and are being followed."""
        ...

    def outcomes(self, items: CallItems) -> AsyncGenerator[Outcome[Item[Any], Result], None]:
        """Make the calls for items, and yield their outcomes.

        Args:
            items: The items.
        """
        ...

    def end_following(self) -> None:
        """End following. The outcomes of the recordings that are being followed are yielded as they are."""
        ...


_ADVICE: dict[type[ApiError], str] = {
    AuthenticationError: "check PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN",
    PermissionDeniedError: "check the account's verification, features and IP allow-list",
}


_FINAL = (AuthenticationError, StoreError)
"""The errors after which no further call can succeed."""

_NOT_EXECUTED = frozenset[RecordingState]({"not_sent", "rejected", "absent", "failed"})


class BatchEndedEarlyError(PlivoRecordError):
    """The batch ended early, because Plivo rejects every call of the account, or the store cannot be used.

    Args:
        error: The error of the call that was rejected, or of the store.

    Attributes:
        status: The HTTP status of the rejected call. If None, the store cannot be used.
    """

    def __init__(self, error: PlivoRecordError) -> None:
        reason = (
            f"Plivo answered {error.status} ({error.message}): {_ADVICE[type(error)]}"
            if isinstance(error, ApiError)
            else str(error)
        )
        super().__init__(
            f"the batch ended early, because {reason}. The lines without an outcome were not begun; "
            "run the batch again with them"
        )
        self.status: int | None = getattr(error, "status", None)


class BatchRun:
    """Makes a call for each item, and prints the outcomes.

    The batch ends early in three cases: if outcomes can no longer be printed, if no further call can succeed because
    Plivo rejects every call of the account or the store cannot be used, and after a signal. Then no more calls are
    begun, and calls that have been sent are finished. In the second and the third case, calls that have not been sent
    are dropped.

    Args:
        items: The items.
        printer: Prints the outcomes.
        failures: Keeps the items that failed.
        ended: The event that ends the batch early.
        timeout: The seconds for which calls in progress are awaited if no further call can succeed.
        has_journal: Whether a store knows which items were not sent. They are not failures, because ``--resume`` sends
            them.
    """

    def __init__(
        self,
        items: Sequence[Item[Any]],
        printer: Printer,
        failures: FailureFile,
        ended: EndSignal,
        *,
        timeout: float | None,
        has_journal: bool = False,
    ) -> None:
        self._items = items
        self._printer = printer
        self._failures = failures
        self._ended = ended
        self._timeout = timeout or DEFAULT_TIMEOUT
        self._has_journal = has_journal
        self._begun = 0
        self._tally = Tally()
        self._settled: set[int] = set()
        self._rejection: PlivoRecordError | None = None
        self._output_failed = False

    async def run(self, client: RecordClient, opened: AbstractAsyncContextManager[Calls]) -> ExitCode:
        """Make the calls, print the outcomes and the summary, and return the exit code.

        Args:
            client: The client that makes the calls. It is entered here.
            opened: Makes the calls. It is entered here.
        """
        async with (
            client,
            opened as calls,
            ending_early(client, self._ended, grace=self._timeout, on_end=calls.end_following),
            showing_progress(self._progress_since(calls, asyncio.get_running_loop().time), self._printer),
            aclosing(calls.outcomes(self._remaining())) as outcomes,
        ):
            async for outcome in outcomes:
                self._handle(outcome, calls)
        if self._output_failed:  # `FAILED` would mean that the calls without a printed outcome may be repeated
            return self._ended.exit_code or ExitCode.UNKNOWN
        if self._ended.is_set():
            not_begun = [item for item in self._items if item.number not in self._settled]
            self._tally.not_begun = len(not_begun)
            for item in () if self._has_journal else not_begun:
                self._write_failure(item)
        code = self._finish()
        return self._ended.exit_code or code

    async def _remaining(self) -> CallItems:
        """Yield the items, until the batch ends early."""
        for item in self._items:
            await asyncio.sleep(0)  # lets other tasks run first, which may end the batch
            if self._ended.is_set() or self._output_failed:
                return
            self._begun += 1
            yield item

    def _progress_since(self, calls: Calls, clock: Callable[[], float]) -> Callable[[], Progress]:
        """Return a function that returns the progress."""
        began = clock()

        def read() -> Progress:
            in_flight = self._begun - len(self._settled) - calls.following
            return Progress(
                total=len(self._items),
                in_flight=in_flight,
                following=calls.following,
                tally=self._tally,
                seconds=clock() - began,
            )

        return read

    def _handle(self, outcome: Outcome[Item[Any], Result], calls: Calls) -> None:
        error = outcome.error
        if self._ended.is_set() and isinstance(error, NotSentError | ClosedError):
            return
        self._settled.add(outcome.request.number)
        self._tally.count(error)
        if kind_of(error) == "failed" and self._belongs_to_another_batch(error):
            self._write_failure(outcome.request)
        self._print(outcome, calls)
        final = _FINAL if self._tally.done else (*_FINAL, PermissionDeniedError)
        if isinstance(error, final) and not self._ended.is_set():
            self._rejection = error
            self._ended.set()

    def _belongs_to_another_batch(self, error: Exception | None) -> bool:
        """Return whether an item that failed may be given to another batch, because nothing else starts it again."""
        return _can_be_repeated(error) and not (self._has_journal and _is_repeated_by_resume(error))

    def _print(self, outcome: Outcome[Item[Any], Result], calls: Calls) -> None:
        try:
            self._printer.outcome(outcome)
        except OSError as error:
            self._printer.stop_printing(
                error, "Outcomes can no longer be printed. Calls in progress are finished, and no more calls are made"
            )
            self._output_failed = True
            calls.end_following()

    def _write_failure(self, item: Item[Any]) -> None:
        try:
            self._failures.write(item)
        except OSError as error:
            self._printer.error(PlivoRecordError(f"the file of --failed is not complete: {error}"))

    def _finish(self) -> ExitCode:
        code = self._tally.exit_code
        try:
            self._printer.summary(self._tally)
        except OSError as error:  # only the summary is missing, each outcome was printed
            self._printer.stop_printing(error, "The summary cannot be printed")
            return max(ExitCode.FAILED, code)
        if self._rejection is not None and self._tally.not_begun:
            self._printer.error(BatchEndedEarlyError(self._rejection))
        return code


def _can_be_repeated(error: Exception | None) -> bool:
    """Return whether a failed call was certainly not executed, so that its item may be given to another batch."""
    if isinstance(error, RecordingFailedError):
        return error.recording.state in _NOT_EXECUTED
    return not isinstance(error, DownloadError | OSError)


def _is_repeated_by_resume(error: Exception | None) -> bool:
    """Return whether ``--resume`` makes a failed call again, because it was not sent."""
    if isinstance(error, RecordingFailedError):
        return error.recording.state == "not_sent"
    return isinstance(error, NotSentError | StoreError)
