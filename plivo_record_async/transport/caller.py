"""One call of the user's: attempts and the waits between them, within one deadline and one budget."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

import attrs

from plivo_record_async import _clock
from plivo_record_async.errors import PlivoRecordError, RateLimitError
from plivo_record_async.protocol.api.endpoints import Request
from plivo_record_async.protocol.api.responses import Reply, read
from plivo_record_async.protocol.api.retry import RetryBudget, RetryPolicy, leaves_doubt, most_telling
from plivo_record_async.protocol.arguments import positive
from plivo_record_async.protocol.clocks import PlivoClock
from plivo_record_async.protocol.models import RateLimit
from plivo_record_async.transport.connectors.connector import Connector
from plivo_record_async.transport.flight import Call
from plivo_record_async.transport.limiter import Quota
from plivo_record_async.transport.sender import Sender

__all__ = ["Caller"]

log = logging.getLogger("plivo_record_async")

T = TypeVar("T")


class Caller:
    """Makes calls over a connector; what may be sent again, and when, is decided in `protocol.retry`."""

    def __init__(
        self,
        connector: Connector,
        *,
        timeout: float,
        rate_limit: RateLimit | None,
        max_connections: int,
        policy: RetryPolicy,
    ) -> None:
        self.timeout = timeout
        self._policy = policy
        self._budget = RetryBudget()
        self._quota = Quota(rate_limit)
        self._sender = Sender(connector, self._quota, max_connections=max_connections)

    @property
    def plivo_clock(self) -> PlivoClock:
        """Plivo's clock, as the answers tell."""
        return self._sender.plivo_clock

    async def enter(self) -> None:
        """Take calls in the running event loop, again if it was closed."""
        await self._sender.enter()

    async def leave(self) -> None:
        """Close, if everybody who entered has left."""
        await self._sender.leave()

    async def aclose(self, *, grace: float) -> None:
        """Refuse new calls, wait up to ``grace`` seconds for requests under way, close the connections."""
        await self._sender.aclose(grace=grace)

    async def call(
        self,
        request: Request[T],
        timeout: float | None = None,
        *,
        max_retries: int | None = None,
        on_abandoned: Callable[[Awaitable[T]], None] | None = None,
    ) -> T:
        """Send ``request`` as often as is safe and useful, and bring its result.

        Args:
            request: What to send.
            timeout: Seconds for everything together; the caller's own if absent.
            max_retries: How many times it is sent again at the most. If None, the policy decides.
            on_abandoned: Is called with the pending result if this call is cancelled after something was sent. If
                None, the result is only logged.
        """
        seconds = self.timeout if timeout is None else positive("timeout", timeout)
        deadline = asyncio.get_running_loop().time() + seconds
        policy = self._policy if max_retries is None else attrs.evolve(self._policy, max_retries=max_retries)
        call = Call(request=request, deadline=deadline)
        under_way: list[Awaitable[T]] = []
        if on_abandoned is not None:
            call.on_abandoned = lambda reply: under_way.append(self._read(call, reply))
        self._budget.earn()
        error: PlivoRecordError | None = None
        try:
            while True:
                try:
                    return await self._attempt(call, doubtful=error is not None and leaves_doubt(error))
                except PlivoRecordError as latest:
                    error = most_telling(error, latest)
                    wait = self._wait_before_retry(call, latest, policy)
                    if wait is None:
                        if error is latest:
                            raise
                        raise error from latest
                call.attempt += 1
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            doubt = error if error is not None and leaves_doubt(error) else None
            if on_abandoned is not None and (under_way or doubt):
                on_abandoned(_end(under_way, doubt))
            elif doubt is not None:
                log.warning("%s was cancelled after an attempt whose outcome is unknown: %s", request.operation, doubt)
            raise

    async def _attempt(self, call: Call[T], *, doubtful: bool) -> T:
        """Send once and read the answer; a 404 after a doubtful attempt may mean that it was executed."""
        return await self._read(call, self._sender.send(call), doubtful=doubtful)

    async def _read(self, call: Call[T], coming: Awaitable[Reply], *, doubtful: bool = False) -> T:
        request = call.request
        reply = await coming
        if doubtful and reply.status == HTTPStatus.NOT_FOUND and request.read_gone is not None:
            with contextlib.suppress(ValueError):
                return request.read_gone(reply)
        return read(
            reply,
            request.read,
            request.operation,
            repeatable=request.repeatable,
            missing=request.missing,
            called_at=call.called_at,
            failed_at=_clock.now(),
            attempts=call.attempt,
        )

    def _wait_before_retry(self, call: Call[Any], error: PlivoRecordError, policy: RetryPolicy) -> float | None:
        """Seconds until the next attempt, or ``None``."""
        wait = policy.wait(error, repeatable=call.request.repeatable, attempt=call.attempt, jitter=_clock.chance())
        if wait is None:
            return None
        resumes = asyncio.get_running_loop().time() + max(wait, self._quota.paused_for)
        if resumes >= call.deadline:
            return None
        return wait if isinstance(error, RateLimitError) or self._budget.spend() else None


async def _end(under_way: Sequence[Awaitable[T]], doubt: PlivoRecordError | None) -> T:
    """The end of a call whose caller has gone: what the attempt under way comes to, and what an earlier one left."""
    error = doubt
    for attempt in under_way:
        try:
            return await attempt
        except PlivoRecordError as latest:
            error = most_telling(doubt, latest)
    assert error is not None  # noqa: S101 - one of the two there is
    raise error
