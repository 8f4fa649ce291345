"""One attempt, from waiting for its turn to its answer or its verdict, whoever goes away meanwhile.

The rules it keeps:

- At most ``max_connections`` requests are under way, and the account's quota is never exceeded.
- Each request runs in a task that the sender owns, and ends by its deadline in a value: an answer, "not sent" or
  "unknown".
- A caller that is cancelled gets its ``CancelledError`` at once. If no byte of its request left, the request is
  dropped; if one may have, the request goes on to its end, and what came of it is logged.
- It serves one event loop after another, and one at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from plivo_record_async import _clock
from plivo_record_async._event_loop import LoopBinding
from plivo_record_async.errors import NotSentError
from plivo_record_async.protocol.api.responses import Reply
from plivo_record_async.protocol.clocks import PlivoClock, Reading
from plivo_record_async.transport.connectors.connector import Connector, Exchange
from plivo_record_async.transport.flight import NEVER_ITS_TURN, Call, End, Flight
from plivo_record_async.transport.limiter import Quota
from plivo_record_async.transport.session import Session

__all__ = ["GRACE", "Sender"]

WINDOW = 5.0
"""Seconds. After a 429 that names no time, the next window of Plivo's quota:
https://plivo.com/docs/voice/concepts/account-limits.md"""

LONGEST_PAUSE = 3600.0
"""Seconds. No Retry-After silences a client for longer."""

GRACE = 10.0
"""Seconds that requests under way may still take when a client is closed."""

log = logging.getLogger("plivo_record_async")


class Sender:
    """Sends requests over a connector and owns those that are under way.

    Attributes:
        plivo_clock: Plivo's clock, as the answers tell.
    """

    def __init__(self, connector: Connector, quota: Quota, *, max_connections: int) -> None:
        self.plivo_clock = PlivoClock()
        self._connector = connector
        self._quota = quota
        self._max_connections = max_connections
        self._binding = LoopBinding("this client", until_closed=True)
        self._session: Session | None = None
        self._closed = False

    async def send(self, call: Call[Any]) -> Reply:
        """Send once and bring the answer.

        Raises:
            ClosedError: The call was made on a closed client.
            NotSentError: Nothing left.
            OutcomeUnknownError: It left, or may have, and no status line came back.
            ConfigurationError: The client is in use in another event loop or process.
        """
        exchange = Exchange(deadline=call.deadline, clock=asyncio.get_running_loop().time)
        if self._closed:
            raise call.closed() if call.attempt == 1 else call.closed_meanwhile(exchange)
        session = await self._session_here()
        await self._admit(session, call, exchange)
        flight = self._launch(session, call, exchange)
        try:
            return await flight.reply()
        except asyncio.CancelledError:
            _let_go(flight)
            raise

    async def enter(self) -> None:
        """Take calls in the running event loop, again if it was closed.

        Raises:
            ConfigurationError: The client is in use in another event loop or process.
        """
        session = await self._session_here()
        if session.closed:
            await self.aclose()
            session = await self._session_here()
        self._closed = False
        session.entered += 1

    async def leave(self) -> None:
        """Close, if everybody who entered has left."""
        if (session := self._session) is not None:
            session.entered -= 1
            if session.entered <= 0:
                await self.aclose()

    async def aclose(self, *, grace: float = GRACE) -> None:
        """Refuse new requests, wait up to ``grace`` seconds for those under way, close the connections.

        Raises:
            ConfigurationError: The client is in use in another event loop or process.
        """
        if self._closed and self._session is None:
            return
        session = await self._session_here()
        session.closed = self._closed = True
        for timeout in session.waiting:
            if not timeout.expired():
                timeout.reschedule(0)
        async with session.closing:
            if session is not self._session:
                return
            if session.under_way:
                await asyncio.wait([flight.task for flight in session.under_way], timeout=grace)
                await _give_up(list(session.under_way))
            await session.end()
            self._session = None
            self._binding.unbind()

    async def _session_here(self) -> Session:
        """Return the session of the running event loop. Begin one if there is none, or if its event loop has ended."""
        before = self._session
        if not self._binding.bind() and before is not None:
            return before
        session = self._session = await Session.begin(self._max_connections, self._connector.aclose)
        if before is not None:
            try:
                await before.end()
            except Exception:
                log.debug("Connections of an event loop that has ended could not be closed", exc_info=True)
        return session

    async def _admit(self, session: Session, call: Call[Any], exchange: Exchange) -> None:
        """Wait for a place and for the quota, and hold both."""
        try:
            async with asyncio.timeout_at(call.deadline) as waiting:
                session.waiting.add(waiting)
                try:
                    await session.places.acquire()
                    try:
                        exchange.phase = "quota"
                        await self._quota.acquire()
                    except BaseException:
                        session.places.release()
                        raise
                finally:
                    session.waiting.discard(waiting)
        except TimeoutError:
            raise _no_turn(session, call, exchange) from None
        if session.closed or exchange.seconds_left == 0:
            self._quota.give_back(used=False)
            session.places.release()
            raise _no_turn(session, call, exchange)

    def _launch(self, session: Session, call: Call[Any], exchange: Exchange) -> Flight:
        launched = _clock.read()

        def settle(flight: Flight, end: End) -> None:
            session.under_way.discard(flight)
            session.places.release()
            self._quota.give_back(used=exchange.may_have_left())
            if isinstance(end, Reply):
                self._heed(end, launched)

        flight = Flight(self._connector, call, exchange, at_end=settle)
        session.under_way.add(flight)
        return flight

    def _heed(self, reply: Reply, launched: Reading) -> None:
        """Note what time it is at Plivo, and pause all calls after a 429.

        This happens here because it must precede the next request and does not depend on the caller, who may be gone.
        """
        self.plivo_clock.answered(reply.headers.get("date", ""), launched, _clock.read())
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._quota.pause(WINDOW if reply.retry_after is None else min(reply.retry_after, LONGEST_PAUSE))


def _no_turn(session: Session, call: Call[Any], exchange: Exchange) -> NotSentError:
    if session.closed:
        return call.closed_meanwhile(exchange)
    turn = "a free connection" if exchange.phase == "queue" else "the account's quota"
    return call.not_sent(exchange, f"the deadline passed while waiting for {turn}", NEVER_ITS_TURN)


def _let_go(flight: Flight) -> None:
    """Take leave of a request whose caller was cancelled."""
    if not flight.exchange.may_have_left():
        flight.give_up(asyncio.CancelledError())
    elif flight.call.on_abandoned is not None:
        flight.call.on_abandoned(flight.reply())
    else:
        flight.when_ended(
            lambda end: log.warning(
                "%s was cancelled after it was sent; it ended as %s", flight.call.request.operation, _in_words(end)
            )
        )


async def _give_up(flights: Sequence[Flight]) -> None:
    """Cancel the requests that were still under way when the grace time of closing ended."""
    if not flights:
        return
    if unanswered := sum(not flight.has_ended for flight in flights):
        log.warning(
            "the client was closed before %d of its requests had an answer; each call says what is known", unanswered
        )
    for flight in flights:
        flight.give_up(asyncio.CancelledError(), at_once=True)
    await asyncio.wait([flight.task for flight in flights])


def _in_words(end: End) -> str:
    return f"status {end.status}, api_id {end.api_id}" if isinstance(end, Reply) else str(end)
