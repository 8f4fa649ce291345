"""One call of a user: its attempts and the waits between them, within one deadline and one retry budget."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import attrs

from plivo_record_async import _clock
from plivo_record_async.errors import PlivoRecordError, RateLimitError
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.api.retry import RetryBudget, RetryPolicy, decisive_error, may_have_been_executed
from plivo_record_async.protocol.api.status_errors import result_of
from plivo_record_async.protocol.arguments import positive_number
from plivo_record_async.protocol.clocks import PlivoClock
from plivo_record_async.protocol.models import RateLimit
from plivo_record_async.transport.attempt import Call
from plivo_record_async.transport.connectors.connector import Connector
from plivo_record_async.transport.quota import Quota
from plivo_record_async.transport.sender import Sender

__all__ = ["RetryingSender"]

log = logging.getLogger("plivo_record_async")

T = TypeVar("T")


class RetryingSender:
    """Sends each request as often as is safe and useful; `protocol.api.retry` decides about retries.

    Args:
        connector: Sends the requests.
        timeout: Seconds for one call in total.
        rate_limit: The account's quota. If None, there is no limit.
        max_connections: The most requests that are sent or answered at the same time.
        policy: When to retry.

    Attributes:
        timeout: Seconds for one call in total, unless the call has its own.
    """

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
        """Plivo's clock, as its responses report it."""
        return self._sender.plivo_clock

    async def enter(self) -> None:
        """Accept calls in the running event loop, also after `aclose`.

        Raises:
            ConfigurationError: The client is in use in another event loop or process.
        """
        await self._sender.enter()

    async def leave(self) -> None:
        """Close if `leave` was called as often as `enter`.

        Raises:
            ConfigurationError: The client is in use in another event loop or process.
        """
        await self._sender.leave()

    async def aclose(self, *, grace: float) -> None:
        """Refuse new calls, wait for requests that are being sent or answered, and close the connections.

        Args:
            grace: How many seconds to wait.

        Raises:
            ConfigurationError: The client is in use in another event loop or process.
        """
        await self._sender.aclose(grace=grace)

    async def send(
        self,
        request: Request[T],
        timeout: float | None = None,
        *,
        max_retries: int | None = None,
        on_caller_cancelled: Callable[[Awaitable[T]], None] | None = None,
    ) -> T:
        """Send a request, retry it where that is safe, and return its result.

        Args:
            request: The request.
            timeout: Seconds for this call in total. If None, `timeout` of this object applies.
            max_retries: The most retries of this call. If None, the policy applies.
            on_caller_cancelled: Called with the pending result if this call is cancelled after something was sent. If
                None, the result is only logged.

        Raises:
            ValueError: The timeout is not positive and finite.
            TypeError: The timeout is not a number.
            PlivoRecordError: The call failed.
        """
        seconds = self.timeout if timeout is None else positive_number("timeout", timeout)
        deadline = asyncio.get_running_loop().time() + seconds
        policy = self._policy if max_retries is None else attrs.evolve(self._policy, max_retries=max_retries)
        call = Call(request=request, deadline=deadline)
        pending: list[Awaitable[T]] = []
        if on_caller_cancelled is not None:
            call.on_caller_cancelled = lambda response: pending.append(self._result(call, response))
        self._budget.earn()
        error: PlivoRecordError | None = None
        try:
            while True:
                try:
                    doubt = _doubt(error)
                    return await self._result(call, self._sender.send(call), follows_doubt=doubt is not None)
                except PlivoRecordError as latest:
                    error = decisive_error(error, latest)
                    wait = self._wait_before_retry(call, latest, policy)
                    if wait is None:
                        if error is latest:
                            raise
                        raise error from latest
                call.attempt += 1
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            doubt = _doubt(error)
            if on_caller_cancelled is not None and (pending or doubt):
                on_caller_cancelled(_result_after_cancellation(pending, doubt))
            elif doubt is not None:
                log.warning("%s was cancelled after an attempt whose outcome is unknown: %s", request.operation, doubt)
            raise

    async def _result(self, call: Call[T], response: Awaitable[Response], *, follows_doubt: bool = False) -> T:
        received = await response
        return result_of(
            call.request,
            received,
            follows_doubt=follows_doubt,
            called_at=call.called_at,
            failed_at=_clock.now(),
            attempts=call.attempt,
        )

    def _wait_before_retry(self, call: Call[Any], error: PlivoRecordError, policy: RetryPolicy) -> float | None:
        """Return the seconds until the next attempt, or None if the call is not retried."""
        wait = policy.wait(error, repeatable=call.request.repeatable, attempt=call.attempt, jitter=_clock.chance())
        if wait is None:
            return None
        resumes = asyncio.get_running_loop().time() + max(wait, self._quota.paused_for)
        if resumes >= call.deadline:
            return None
        return wait if isinstance(error, RateLimitError) or self._budget.spend() else None


def _doubt(error: PlivoRecordError | None) -> PlivoRecordError | None:
    """Return the error of the attempts so far if one of them may have been executed."""
    return error if error is not None and may_have_been_executed(error) else None


async def _result_after_cancellation(pending: Sequence[Awaitable[T]], doubt: PlivoRecordError | None) -> T:
    """Return or raise the outcome of a cancelled call: that of its pending attempt, or else of the earlier ones."""
    error = doubt
    for attempt in pending:
        try:
            return await attempt
        except PlivoRecordError as latest:
            error = decisive_error(doubt, latest)
    assert error is not None  # noqa: S101 - there is a pending attempt or an earlier error
    raise error
