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
from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import attrs

from plivo_record_async import _clock
from plivo_record_async._http import Evidence, Lane
from plivo_record_async._limiter import Quota
from plivo_record_async._session import Session
from plivo_record_async.errors import ClosedError, NotSentError, OutcomeUnknownError
from plivo_record_async.protocol.clocks import PlivoClock, Reading
from plivo_record_async.protocol.endpoints import Request
from plivo_record_async.protocol.responses import Reply, retry_after

__all__ = ["Call", "Sender"]

WINDOW = 5.0
"""Seconds. After a 429 that names no time, the next window of Plivo's quota:
https://plivo.com/docs/voice/concepts/account-limits.md"""

LONGEST_PAUSE = 3600.0
"""Seconds. No Retry-After silences a client for longer."""

GRACE = 10.0
"""Seconds that requests under way may still take when a client is closed."""

NEVER_ITS_TURN = "its turn never came"

log = logging.getLogger("plivo_record_async")

T = TypeVar("T")

End = Reply | NotSentError | OutcomeUnknownError


@attrs.define(kw_only=True)
class Call(Generic[T]):
    """One call of the user's: what, since when, until when.

    Attributes:
        request: What to send.
        deadline: By the event loop's clock; nothing is waited for after it.
        called_at: When the call was made.
        late: Takes the answer to come, if the caller goes away after something was sent.
        attempt: Which attempt this is, from 1.
    """

    request: Request[T]
    deadline: float
    called_at: datetime = attrs.field(factory=_clock.now)
    late: Callable[[Awaitable[Reply]], None] | None = None
    attempt: int = 1

    def not_sent(self, evidence: Evidence, reason: str, proof: str) -> NotSentError:
        """The verdict that nothing left."""
        return NotSentError(
            self.request.operation,
            reason,
            phase=evidence.phase,
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

    def closed_meanwhile(self, evidence: Evidence) -> NotSentError:
        """The verdict that the client was closed after the call was made."""
        return self.not_sent(evidence, "the client was closed", NEVER_ITS_TURN)

    def unknown(self, evidence: Evidence, reason: str) -> OutcomeUnknownError:
        """The verdict that something left, or may have, and no answer came."""
        return OutcomeUnknownError(
            self.request.operation,
            reason,
            phase=evidence.phase,
            evidence="sending had begun" if evidence.sent_at else "the transport does not report when sending begins",
            called_at=self.called_at,
            sent_at=evidence.sent_at,
            failed_at=_clock.now(),
            attempts=self.attempt,
            repeatable=self.request.repeatable,
        )


class Sender:
    """Sends requests over a lane and owns those that are under way.

    Attributes:
        plivo_clock: Plivo's clock, as the answers tell.
    """

    def __init__(self, lane: Lane, quota: Quota, *, max_connections: int) -> None:
        self.plivo_clock = PlivoClock()
        self._lane = lane
        self._quota = quota
        self._max_connections = max_connections
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
        evidence = Evidence()
        if self._closed:
            raise call.closed() if call.attempt == 1 else call.closed_meanwhile(evidence)
        session = await self._session_here()
        await self._admit(session, call, evidence)
        task = self._launch(session, call, evidence)
        try:
            return await _end(task)
        except asyncio.CancelledError:
            self._let_go(task, call, evidence)
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
                _, late = await asyncio.wait(session.under_way, timeout=grace)
                for task in late:
                    task.cancel()
                if late:
                    log.warning(
                        "the client was closed before %d of its requests had an answer; each call says what is known",
                        len(late),
                    )
                    await asyncio.wait(late)
            await session.end()
            self._session = None

    async def _session_here(self) -> Session:
        """Return the session of the running event loop; begin one if there is none, or if its loop has ended."""
        before = self._session
        if before is not None and not before.is_over():
            return before
        session = self._session = await Session.begin(self._max_connections, self._lane.aclose)
        if before is not None:
            try:
                await before.end()
            except Exception:
                log.debug("Connections of an event loop that has ended could not be closed", exc_info=True)
        return session

    async def _admit(self, session: Session, call: Call[Any], evidence: Evidence) -> None:
        """Wait for a place and for the quota, and hold both."""
        try:
            async with asyncio.timeout_at(call.deadline) as waiting:
                session.waiting.add(waiting)
                try:
                    await session.places.acquire()
                    try:
                        evidence.phase = "quota"
                        await self._quota.acquire()
                    except BaseException:
                        session.places.release()
                        raise
                finally:
                    session.waiting.discard(waiting)
        except TimeoutError:
            if session.closed:
                raise call.closed_meanwhile(evidence) from None
            turn = "a free connection" if evidence.phase == "queue" else "the account's quota"
            raise call.not_sent(evidence, f"the deadline passed while waiting for {turn}", NEVER_ITS_TURN) from None
        if session.closed:
            self._quota.give_back(used=False)
            session.places.release()
            raise call.closed_meanwhile(evidence)

    def _launch(self, session: Session, call: Call[Any], evidence: Evidence) -> asyncio.Task[End]:
        task = asyncio.create_task(self._exchange(call, evidence))
        session.under_way.add(task)

        def settle(task: asyncio.Task[End]) -> None:
            session.under_way.discard(task)
            session.places.release()
            self._quota.give_back(used=evidence.may_have_left())

        task.add_done_callback(settle)
        return task

    async def _exchange(self, call: Call[Any], evidence: Evidence) -> End:
        evidence.phase = "connect"
        launched = _clock.read()
        error: BaseException | None = None
        seconds = call.deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(call.deadline):
                await self._lane.exchange(call.request, evidence, seconds)
        except (Exception, asyncio.CancelledError) as caught:  # noqa: BLE001 - the evidence decides, whatever it is
            error = caught
        if evidence.status is None:
            return _verdict(call, evidence, error)
        reply = Reply(
            status=evidence.status,
            headers=evidence.headers,
            body=bytes(evidence.body),
            complete=error is None,
            sent_at=evidence.sent_at,
        )
        self._heed(reply, launched)
        return reply

    def _heed(self, reply: Reply, launched: Reading) -> None:
        """Note what time it is at Plivo, and pause all calls after a 429.

        Here, before another one takes this one's place, and even if nobody waits.
        """
        self.plivo_clock.answered(reply.headers.get("date", ""), launched, _clock.read())
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            seconds = retry_after(reply.headers, _clock.now().timestamp())
            self._quota.pause(WINDOW if seconds is None else min(seconds, LONGEST_PAUSE))

    def _let_go(self, task: asyncio.Task[End], call: Call[Any], evidence: Evidence) -> None:
        if not evidence.may_have_left():
            task.cancel()
            return

        if call.late is not None:
            call.late(_end(task))
            return

        def report(task: asyncio.Task[End]) -> None:
            log.warning("%s was cancelled after it was sent; it ended as %s", call.request.operation, _in_words(task))

        task.add_done_callback(report)


async def _end(task: asyncio.Task[End]) -> Reply:
    """Wait for a request that goes on even if nobody waits any more."""
    end = await asyncio.shield(task)
    if isinstance(end, Reply):
        return end
    raise end


def _verdict(call: Call[Any], evidence: Evidence, error: BaseException | None) -> NotSentError | OutcomeUnknownError:
    match error:
        case TimeoutError():
            reason = "the deadline passed"
        case asyncio.CancelledError():
            reason = "the client was closed before it had ended"
        case _:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
    verdict = (
        call.unknown(evidence, reason)
        if evidence.may_have_left(error)
        else call.not_sent(evidence, reason, "it ended before sending began")
    )
    verdict.__cause__ = error
    return verdict


def _in_words(task: asyncio.Task[End]) -> str:
    end = task.result()
    return f"status {end.status}, api_id {end.api_id}" if isinstance(end, Reply) else str(end)
