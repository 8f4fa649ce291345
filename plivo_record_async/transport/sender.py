"""The attempts of a client: they wait for a connection and for the quota, and they survive cancelled callers.

The rules of a `Sender`:

- At most ``max_connections`` attempts run at the same time, and the account's quota is never exceeded.
- Each attempt runs in a task that the sender owns. By its deadline it has a result: a response, "not sent" or
  "unknown".
- A caller that is cancelled gets its ``CancelledError`` at once. If no byte of its request was sent, the attempt ends
  and nothing is sent. If a byte may have been sent, the attempt continues, and its result is logged.
- A sender serves one event loop at a time, and any number of event loops one after another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from plivo_record_async import _clock
from plivo_record_async._event_loop import LoopBinding
from plivo_record_async.errors import NotSentError
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.clocks import PlivoClock, Reading
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.transport.attempt import STILL_QUEUED, Attempt, AttemptResult, Call, closed_client_error
from plivo_record_async.transport.attempt_spans import AttemptSpans
from plivo_record_async.transport.connectors.connector import Connector
from plivo_record_async.transport.connectors.exchange import Exchange
from plivo_record_async.transport.quota import Quota
from plivo_record_async.transport.session import Session

__all__ = ["GRACE", "Sender"]

GRACE = 10.0
"""Seconds for which closing a client waits for requests that are in progress."""

log: logging.Logger = logging.getLogger("plivo_record_async")


class Sender:
    """Sends requests through a connector, and owns the attempts that are running.

    Args:
        connector: The connector that sends the requests.
        quota: The account's quota.
        api_url: The URL of the account, to which the connector adds the path of a request.
        max_connections: The maximum number of attempts that run at the same time.

    Attributes:
        plivo_clock: An estimate of the time at Plivo, made from its responses.
    """

    def __init__(self, connector: Connector, quota: Quota, *, api_url: str, max_connections: int) -> None:
        self.plivo_clock: PlivoClock = PlivoClock()
        self._connector = connector
        self._quota = quota
        self._spans = AttemptSpans(api_url)
        self._max_connections = max_connections
        self._binding = LoopBinding("this client", until_closed=True)
        self._session: Session | None = None
        self._closed = False

    async def send(self, call: Call[Any]) -> Response:
        """Make one attempt of a call.

        Args:
            call: The call.

        Returns:
            The response, whatever its status.

        Raises:
            ClosedError: The client was closed before the call was made.
            NotSentError: No byte of the request left this machine.
            OutcomeUnknownError: A byte of the request may have been sent, and no status line was received.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        exchange = Exchange(deadline=call.deadline, clock=asyncio.get_running_loop().time)
        if self._closed:
            raise call.closed_error(exchange)
        session = await self._current_session()
        try:
            await self._wait_for_turn(session, call, exchange)
        except NotSentError as error:
            _report(call, exchange, error, seconds=0.0)
            raise
        attempt = self._begin_attempt(session, call, exchange)
        try:
            return await attempt.response()
        except asyncio.CancelledError:
            _caller_cancelled(attempt)
            raise

    def check_open(self, operation: str) -> None:
        """Check that the client is not closed, for calls that do not use this sender.

        Args:
            operation: A description of the call.

        Raises:
            ClosedError: The client is closed.
        """
        if self._closed:
            raise closed_client_error(operation)

    async def enter(self) -> None:
        """Open the sender for the running event loop, even if it was closed before.

        Raises:
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        session = await self._current_session()
        if session.closed:
            await self.aclose()
            session = await self._current_session()
        self._closed = False
        session.entered += 1

    async def leave(self) -> None:
        """Close the sender if this is the last `leave`, the one that belongs to the first `enter`.

        Raises:
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        if (session := self._session) is not None:
            session.entered -= 1
            if session.entered <= 0:
                await self.aclose()

    async def aclose(self, *, grace: float = GRACE) -> None:
        """Accept no more calls, wait for the attempts that are running, and close the connections.

        Args:
            grace: The time to wait, in seconds. Attempts that are still running after it are cancelled.

        Raises:
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        if self._closed and self._session is None:
            return
        session = await self._current_session()
        session.closed = self._closed = True
        for timeout in session.waits:
            if not timeout.expired():
                timeout.reschedule(0)
        async with session.closing:
            if session is not self._session:
                return
            if session.attempts:
                await asyncio.wait([attempt.task for attempt in session.attempts], timeout=grace)
                await _cancel_attempts(list(session.attempts))
            await session.end()
            self._session = None
            self._binding.unbind()

    async def _current_session(self) -> Session:
        """Return the session of the running event loop. Begin a new one if it has none."""
        before = self._session
        if not self._binding.bind() and before is not None:
            return before
        close_quota = await self._quota.open()

        async def close() -> None:
            try:
                await self._connector.aclose()
            finally:
                await close_quota()

        session = self._session = await Session.begin(self._max_connections, close)
        if before is not None:
            try:
                await before.end()
            except Exception:
                log.debug("The connections of an event loop that has ended could not be closed", exc_info=True)
        return session

    async def _wait_for_turn(self, session: Session, call: Call[Any], exchange: Exchange) -> None:
        """Wait for one of the ``max_connections`` slots and for a permit of the quota, and take both.

        Raises:
            NotSentError: The deadline passed or the client was closed, so neither is taken.
        """
        try:
            async with asyncio.timeout_at(call.deadline) as wait:
                session.waits.add(wait)
                try:
                    await session.slots.acquire()
                    try:
                        exchange.phase = "quota"
                        await self._take_permit(call, exchange)
                    except BaseException:
                        session.slots.release()
                        raise
                finally:
                    session.waits.discard(wait)
        except TimeoutError:
            raise _still_queued_error(session, call, exchange, self._quota) from None
        if session.closed or exchange.seconds_left == 0:
            self._quota.give_back(used=False)
            session.slots.release()
            raise _still_queued_error(session, call, exchange, self._quota)

    async def _take_permit(self, call: Call[Any], exchange: Exchange) -> None:
        began, waits = exchange.clock(), self._quota.must_wait
        try:
            exchange.permit_is_valid = await self._quota.acquire()
        finally:
            exchange.quota_wait = exchange.clock() - began
            call.observed.quota_wait += exchange.quota_wait
            telemetry().measure("plivo.quota.wait.duration", exchange.quota_wait, {})
            if waits:
                log.debug(
                    "%s waited %.3f seconds for the quota",
                    call.request.operation,
                    exchange.quota_wait,
                    extra={**call.observed.identity, "quota_wait": exchange.quota_wait},
                )

    def _begin_attempt(self, session: Session, call: Call[Any], exchange: Exchange) -> Attempt:
        began = _clock.read()

        def on_done(attempt: Attempt, result: AttemptResult) -> None:
            session.attempts.discard(attempt)
            session.slots.release()
            self._quota.give_back(used=exchange.may_have_been_sent())
            self._spans.end(span, result)
            if isinstance(result, Response):
                self._observe(result, began)

        with self._spans.begin(call.request, call.observed.attempts) as span:
            attempt = Attempt(self._connector, call, exchange, on_done=on_done)
        if call.observed.reports_attempts:
            at = exchange.clock()
            attempt.add_result_callback(lambda result: _report(call, exchange, result, seconds=exchange.clock() - at))
        session.attempts.add(attempt)
        return attempt

    def _observe(self, response: Response, began: Reading) -> None:
        """Update the estimate of Plivo's clock, and pause all calls after a 429.

        The sender does this, and not the caller, because the pause must begin before the next request is sent, and
        because the caller may have been cancelled.
        """
        self.plivo_clock.observe_date(response.headers.get("date", ""), began, _clock.read())
        if (pause := response.quota_pause) is not None:
            self._quota.pause(pause)
            log.debug("Plivo answered 429, so all calls of the client pause for %.3f seconds", pause)
            telemetry().count("plivo.quota.pauses", {})


def _report(call: Call[Any], exchange: Exchange, result: AttemptResult, *, seconds: float) -> None:
    if call.observed.reports_attempts:
        response, error = (result, None) if isinstance(result, Response) else (None, result)
        call.observed.report_attempt(response=response, error=error, seconds=seconds, quota_wait=exchange.quota_wait)


def _still_queued_error(session: Session, call: Call[Any], exchange: Exchange, quota: Quota) -> NotSentError:
    if session.closed:
        return call.closed_meanwhile_error(exchange)
    awaited = "a free connection" if exchange.phase == "queue" else "the account's quota"
    trouble = f" ({quota.trouble})" if quota.trouble and exchange.phase == "quota" else ""
    return call.not_sent_error(exchange, f"the deadline passed while waiting for {awaited}{trouble}", STILL_QUEUED)


def _caller_cancelled(attempt: Attempt) -> None:
    """End an attempt whose caller was cancelled, unless a byte may have been sent. Then report its result later."""
    if not attempt.exchange.may_have_been_sent():
        attempt.abandon(asyncio.CancelledError())
    elif attempt.call.on_caller_cancelled is not None:
        attempt.call.on_caller_cancelled(attempt.response())
    elif attempt.call.request.method != "GET":  # a request that only reads has no consequences
        attempt.add_result_callback(
            lambda result: log.warning(
                "%s was cancelled after it may have been sent. It ended with: %s",
                attempt.call.request.operation,
                _describe(result),
            )
        )


async def _cancel_attempts(attempts: Sequence[Attempt]) -> None:
    """Cancel the attempts that are still running after the time to wait has passed."""
    if not attempts:
        return
    if without_response := sum(not attempt.has_result for attempt in attempts):
        log.warning(
            "The client was closed while %d of its requests had no response. Each of these calls raises an error that "
            "says whether the request may have been executed.",
            without_response,
        )
    for attempt in attempts:
        attempt.abandon(asyncio.CancelledError(), cancel=True)
    await asyncio.wait([attempt.task for attempt in attempts])


def _describe(result: AttemptResult) -> str:
    return f"status {result.status}, api_id {result.api_id}" if isinstance(result, Response) else str(result)
