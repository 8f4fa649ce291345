"""One attempt of a call: it sends the request once, and ends with a response or an error.

By its deadline an attempt has a result, even if its caller was cancelled: a response, "not sent" or "unknown".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs

from plivo_record_async import _clock
from plivo_record_async.errors import ClosedError, NotSentError, OutcomeUnknownError
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.transport.connectors.connector import Connector
from plivo_record_async.transport.connectors.exchange import Exchange
from plivo_record_async.transport.observed_call import ObservedCall

__all__ = ["STILL_QUEUED", "Attempt", "AttemptResult", "Call", "closed_client_error"]

STILL_QUEUED = "it was still waiting to be sent"
"""The evidence that a request was not sent because it ended while it waited for a connection or for the quota."""

T = TypeVar("T")

AttemptResult = Response | NotSentError | OutcomeUnknownError
"""What an attempt ends with."""


def closed_client_error(operation: str) -> ClosedError:
    """Return the error of a call on a closed client.

    Args:
        operation: A description of the call.
    """
    return ClosedError(
        f"{operation}: the client is closed, so nothing was sent. "
        "Enter the client again with 'async with client:', or create a new RecordClient, and then call again."
    )


@attrs.define(kw_only=True)
class Call(Generic[T]):
    """One call: its request, when it was made, and by when it ends.

    Attributes:
        request: The request to send.
        observed: What is observed of the call, such as the number of its attempts.
        deadline: The time by which the call ends, by the event loop's clock.
        called_at: When the call was made (aware, UTC).
        on_caller_cancelled: A function that is called if the caller is cancelled after a byte may have been sent. Its
            argument is an awaitable of the response. If None, the result is only logged.
    """

    request: Request[T]
    observed: ObservedCall
    deadline: float
    called_at: datetime = attrs.field(factory=_clock.now)
    on_caller_cancelled: Callable[[Awaitable[Response]], None] | None = None

    def not_sent_error(self, exchange: Exchange, reason: str, evidence: str) -> NotSentError:
        """Return the error of an attempt of which no byte was sent.

        Args:
            exchange: What was observed of the attempt.
            reason: Why the attempt failed.
            evidence: Why it is certain that nothing was sent.
        """
        return NotSentError(
            self.request.operation,
            reason,
            phase=exchange.phase,
            evidence=evidence,
            called_at=self.called_at,
            failed_at=_clock.now(),
            attempts=self.observed.attempts,
        )

    def outcome_unknown_error(self, exchange: Exchange, reason: str) -> OutcomeUnknownError:
        """Return the error of an attempt that may have been sent and got no response.

        Args:
            exchange: What was observed of the attempt.
            reason: Why the attempt failed.
        """
        return OutcomeUnknownError(
            self.request.operation,
            reason,
            phase=exchange.phase,
            evidence="sending had begun" if exchange.sent_at else "the transport does not report when sending begins",
            called_at=self.called_at,
            sent_at=exchange.sent_at,
            failed_at=_clock.now(),
            attempts=self.observed.attempts,
            repeatable=self.request.repeatable,
            warning=self.request.warning,
            start_id=self.request.start_id,
        )

    def closed_error(self, exchange: Exchange) -> ClosedError | NotSentError:
        """Return the error of an attempt that cannot begin because the client is closed.

        Args:
            exchange: What was observed of the attempt.

        Returns:
            A `ClosedError` if this is the first attempt of the call, because the client was closed before the call was
            made. Otherwise a `NotSentError`, because the client was closed during the call.
        """
        if self.observed.attempts > 1:
            return self.closed_meanwhile_error(exchange)
        return closed_client_error(self.request.operation)

    def closed_meanwhile_error(self, exchange: Exchange) -> NotSentError:
        """Return the error of an attempt that was still waiting to be sent when the client was closed.

        Args:
            exchange: What was observed of the attempt.
        """
        return self.not_sent_error(exchange, "the client was closed", STILL_QUEUED)

    def no_response_error(self, exchange: Exchange, cause: BaseException) -> NotSentError | OutcomeUnknownError:
        """Return the error of an attempt that ended without a response.

        Args:
            exchange: What was observed of the attempt.
            cause: The exception with which the attempt ended.
        """
        match cause:
            case _ if exchange.seconds_left == 0:
                reason = "the deadline passed"
            case _ if exchange.lacked_permit:
                reason = "the lease of the shared quota ended before sending began"
            case asyncio.CancelledError():
                reason = "the client was closed before the request ended"
            case _:
                reason = f"{type(cause).__name__}: {cause}".rstrip(": ")
        error = (
            self.outcome_unknown_error(exchange, reason)
            if exchange.may_have_been_sent(cause)
            else self.not_sent_error(exchange, reason, "it failed before sending began")
        )
        error.__cause__ = cause
        return error


class Attempt:
    """One request that is being sent through a connector. Sending begins when the object is created.

    Attributes:
        call: The call that the attempt belongs to.
        exchange: What has been observed of the attempt.
        task: The task that sends the request and holds its connection. If the connector cannot be cancelled, the task
            may continue after the result is known.
    """

    def __init__(
        self,
        connector: Connector,
        call: Call[Any],
        exchange: Exchange,
        *,
        on_done: Callable[[Attempt, AttemptResult], None],
    ) -> None:
        """Begin to send the request.

        Args:
            connector: The connector that sends the request.
            call: The call that the attempt belongs to.
            exchange: The object in which the connector notes what it observes.
            on_done: A function that is called with the attempt and its result when the task is done.
        """
        loop = asyncio.get_running_loop()
        exchange.phase = "connect"
        self.call = call
        self.exchange = exchange
        self._can_be_cancelled = connector.can_be_cancelled
        self._abandoned_because: BaseException | None = None
        self._on_done = on_done
        self._result: asyncio.Future[AttemptResult] = loop.create_future()
        self.task: asyncio.Task[Response] = loop.create_task(connector.send(call.request, exchange))
        self.task.add_done_callback(self._task_done)
        self._deadline = loop.call_at(call.deadline, self.abandon, TimeoutError())

    @property
    def has_result(self) -> bool:
        """Whether the result is known."""
        return self._result.done()

    async def response(self) -> Response:
        """Wait for the response and return it. Cancelling the caller does not cancel the request.

        Raises:
            NotSentError: No byte of the request left this machine.
            OutcomeUnknownError: A byte of the request may have been sent, and no status line was received.
        """
        result = await asyncio.shield(self._result)
        if isinstance(result, Response):
            return result
        raise result

    def abandon(self, cause: BaseException, *, cancel: bool = False) -> None:
        """End the attempt. If no byte has been sent yet, none will be sent.

        Args:
            cause: The exception with which the attempt ends. If the attempt is abandoned twice, the first one counts.
            cancel: Whether to cancel the task even if the connector cannot be cancelled cleanly: it may then keep the
                connection open until the deadline.
        """
        self.exchange.abandoned = True
        self._abandoned_because = self._abandoned_because or cause
        if self._can_be_cancelled or cancel:
            self.task.cancel()
        else:
            self._set_result(self._result_after(cause))

    def add_result_callback(self, callback: Callable[[AttemptResult], None]) -> None:
        """Add a function that is called when the result is known.

        Args:
            callback: The function. Its argument is the result.
        """
        self._result.add_done_callback(lambda result: callback(result.result()))

    def _task_done(self, task: asyncio.Task[Response]) -> None:
        self._deadline.cancel()
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        result = task.result() if error is None else self._result_after(self._abandoned_because or error)
        self._on_done(self, result)
        self._set_result(result)

    def _set_result(self, result: AttemptResult) -> None:
        if not self._result.done():
            self._result.set_result(result)

    def _result_after(self, error: BaseException) -> AttemptResult:
        return self.exchange.partial_response or self.call.no_response_error(self.exchange, error)
