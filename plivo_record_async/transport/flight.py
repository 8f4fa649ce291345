"""One request under way: what is sent, by when, and what it comes to.

It comes to its end not later than at its deadline, whoever waits for it: to an answer, or to the verdict "not sent"
or "unknown".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs

from plivo_record_async import _clock
from plivo_record_async.errors import ClosedError, NotSentError, OutcomeUnknownError
from plivo_record_async.protocol.api.endpoints import Request
from plivo_record_async.protocol.api.responses import Reply
from plivo_record_async.transport.connectors.connector import Connector, Exchange

__all__ = ["NEVER_ITS_TURN", "Call", "End", "Flight"]

NEVER_ITS_TURN = "its turn never came"

T = TypeVar("T")

End = Reply | NotSentError | OutcomeUnknownError


@attrs.define(kw_only=True)
class Call(Generic[T]):
    """One call of the user's: what, since when, until when.

    Attributes:
        request: What to send.
        deadline: By the event loop's clock; nothing is waited for after it.
        called_at: When the call was made.
        on_abandoned: Is called with the pending answer if the caller is cancelled after something was sent.
        attempt: Which attempt this is, from 1.
    """

    request: Request[T]
    deadline: float
    called_at: datetime = attrs.field(factory=_clock.now)
    on_abandoned: Callable[[Awaitable[Reply]], None] | None = None
    attempt: int = 1

    def not_sent(self, exchange: Exchange, reason: str, proof: str) -> NotSentError:
        """The verdict that nothing left."""
        return NotSentError(
            self.request.operation,
            reason,
            phase=exchange.phase,
            evidence=proof,
            called_at=self.called_at,
            failed_at=_clock.now(),
            attempts=self.attempt,
        )

    def closed(self) -> ClosedError:
        """The verdict that it was made on a closed client."""
        return ClosedError(
            f"{self.request.operation}: the client is closed, so nothing was sent. "
            "Enter it again with 'async with client:', or make a new RecordClient, and then call again."
        )

    def closed_meanwhile(self, exchange: Exchange) -> NotSentError:
        """The verdict that the client was closed after the call was made."""
        return self.not_sent(exchange, "the client was closed", NEVER_ITS_TURN)

    def unknown(self, exchange: Exchange, reason: str) -> OutcomeUnknownError:
        """The verdict that something left, or may have, and no answer came."""
        return OutcomeUnknownError(
            self.request.operation,
            reason,
            phase=exchange.phase,
            evidence="sending had begun" if exchange.sent_at else "the transport does not report when sending begins",
            called_at=self.called_at,
            sent_at=exchange.sent_at,
            failed_at=_clock.now(),
            attempts=self.attempt,
            repeatable=self.request.repeatable,
        )

    def verdict(self, exchange: Exchange, error: BaseException) -> NotSentError | OutcomeUnknownError:
        """The verdict on a request that ended without an answer."""
        match error:
            case _ if exchange.seconds_left == 0:
                reason = "the deadline passed"
            case asyncio.CancelledError():
                reason = "the client was closed before it had ended"
            case _:
                reason = f"{type(error).__name__}: {error}".rstrip(": ")
        verdict = (
            self.unknown(exchange, reason)
            if exchange.may_have_left(error)
            else self.not_sent(exchange, reason, "it ended before sending began")
        )
        verdict.__cause__ = error
        return verdict


class Flight:
    """A request on its way through a connector.

    Attributes:
        call: The call that it belongs to.
        exchange: What is known of it.
        task: Sends it, and holds its connection until the task is done: with some lanes, longer than anybody waits.
    """

    def __init__(
        self, connector: Connector, call: Call[Any], exchange: Exchange, *, at_end: Callable[[Flight, End], None]
    ) -> None:
        """Launch it; ``at_end`` is called when its task is done."""
        loop = asyncio.get_running_loop()
        exchange.phase = "connect"
        self.call = call
        self.exchange = exchange
        self._can_be_cancelled = connector.can_be_cancelled
        self._given_up: BaseException | None = None
        self._at_end = at_end
        self._end: asyncio.Future[End] = loop.create_future()
        self.task = loop.create_task(connector.send(call.request, exchange))
        self.task.add_done_callback(self._land)
        self._deadline = loop.call_at(call.deadline, self.give_up, TimeoutError())

    @property
    def has_ended(self) -> bool:
        """Whether it is known what it came to."""
        return self._end.done()

    async def reply(self) -> Reply:
        """Wait until the request ends. Cancelling the caller does not cancel the request.

        Raises:
            NotSentError: Nothing left.
            OutcomeUnknownError: It left, or may have, and no status line came back.
        """
        end = await asyncio.shield(self._end)
        if isinstance(end, Reply):
            return end
        raise end

    def give_up(self, why: BaseException, *, at_once: bool = False) -> None:
        """End it. What has not left stays here.

        Args:
            why: What it ends as.
            at_once: Cancel its task, even if that leaves its connection open until its deadline.
        """
        self.exchange.abandoned = True
        self._given_up = self._given_up or why
        if self._can_be_cancelled or at_once:
            self.task.cancel()
        else:
            self._come_to(self._result(why))

    def when_ended(self, callback: Callable[[End], None]) -> None:
        """Have ``callback`` called with what it comes to."""
        self._end.add_done_callback(lambda end: callback(end.result()))

    def _land(self, task: asyncio.Task[Reply]) -> None:
        self._deadline.cancel()
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        end = task.result() if error is None else self._result(self._given_up or error)
        self._at_end(self, end)
        self._come_to(end)

    def _come_to(self, end: End) -> None:
        if not self._end.done():
            self._end.set_result(end)

    def _result(self, error: BaseException) -> End:
        return self.exchange.partial or self.call.verdict(self.exchange, error)
