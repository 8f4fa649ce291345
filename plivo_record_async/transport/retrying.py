"""One call: its attempts and the waits between them, within one deadline and the retry budget of the client."""

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
from plivo_record_async.protocol.api.result_or_error import result_of
from plivo_record_async.protocol.api.retry import RetryBudget, RetryPolicy, decisive_error, may_have_been_executed
from plivo_record_async.protocol.arguments import positive_number
from plivo_record_async.protocol.clocks import PlivoClock
from plivo_record_async.transport.attempt import Call
from plivo_record_async.transport.connectors.connector import Connector
from plivo_record_async.transport.observed_call import AttemptCallback, ObservedCall
from plivo_record_async.transport.quota import Quota
from plivo_record_async.transport.sender import Sender

__all__ = ["RetryingSender"]

log: logging.Logger = logging.getLogger("plivo_record_async")

T = TypeVar("T")


class RetryingSender:
    """Sends requests, and sends them again where `protocol.api.retry` decides that this is safe.

    Args:
        connector: The connector that sends the requests.
        api_url: The URL of the account, to which the connector adds the path of a request.
        timeout: The time limit of one call, in seconds.
        quota: The quota of the account.
        max_connections: The maximum number of requests that are in progress at the same time.
        policy: The rules for retries.
        on_attempt: The function of the user that is called with the report of each attempt. If None, there is none.

    Attributes:
        timeout: The time limit of a call that has none of its own, in seconds.
    """

    def __init__(
        self,
        connector: Connector,
        *,
        api_url: str,
        timeout: float,
        quota: Quota,
        max_connections: int,
        policy: RetryPolicy,
        on_attempt: AttemptCallback | None = None,
    ) -> None:
        self.timeout = timeout
        self._on_attempt = on_attempt
        self._policy = policy
        self._budget = RetryBudget()
        self._quota = quota
        self._sender = Sender(connector, self._quota, api_url=api_url, max_connections=max_connections)

    @property
    def plivo_clock(self) -> PlivoClock:
        """An estimate of the time at Plivo, made from its responses."""
        return self._sender.plivo_clock

    def check_open(self, operation: str) -> None:
        """Check that the client is not closed, for calls that do not use this sender.

        Args:
            operation: A description of the call.

        Raises:
            ClosedError: The client is closed.
        """
        self._sender.check_open(operation)

    async def enter(self) -> None:
        """Open the sender for the running event loop, even if it was closed before.

        Raises:
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        await self._sender.enter()

    async def leave(self) -> None:
        """Close the sender if this is the last `leave`, the one that belongs to the first `enter`.

        Raises:
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        await self._sender.leave()

    async def aclose(self, *, grace: float) -> None:
        """Accept no more calls, wait for the requests that are in progress, and close the connections.

        Args:
            grace: The time to wait, in seconds. Requests that are still in progress after it are cancelled.

        Raises:
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
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
            timeout: The time limit of this call, in seconds. If None, the sender's own ``timeout`` applies.
            max_retries: The maximum number of retries of this call. If None, the policy decides.
            on_caller_cancelled: A function that is called if this call is cancelled after a byte may have been sent.
                Its argument is an awaitable of the result. If None, the outcome is only logged.

        Returns:
            The result that the request reads from its response.

        Raises:
            ValueError: The timeout is not a finite number above 0.
            TypeError: The timeout is not a number.
            PlivoRecordError: The call failed.
        """
        seconds = self.timeout if timeout is None else positive_number("timeout", timeout)
        deadline = asyncio.get_running_loop().time() + seconds
        policy = self._policy if max_retries is None else attrs.evolve(self._policy, max_retries=max_retries)
        call = Call(request=request, observed=ObservedCall.of(request, self._on_attempt), deadline=deadline)
        self._budget.earn()
        with call.observed:
            return await self._send(call, policy, on_caller_cancelled)

    async def _send(
        self, call: Call[T], policy: RetryPolicy, on_caller_cancelled: Callable[[Awaitable[T]], None] | None
    ) -> T:
        pending: list[Awaitable[T]] = []
        if on_caller_cancelled is not None:
            call.on_caller_cancelled = lambda response: pending.append(self._result(call, response))
        error: PlivoRecordError | None = None
        try:
            while True:
                try:
                    response = self._sender.send(call)
                    return await self._result(
                        call, response, may_be_already_executed=_possible_execution(error) is not None
                    )
                except PlivoRecordError as latest:
                    error = decisive_error(error, latest)
                    wait = self._wait_before_retry(call, latest, policy)
                    if wait is None:
                        if error is latest:
                            raise
                        raise error from latest
                    _log_retry(call.observed, latest, wait)
                call.observed.attempts += 1
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            earlier = _possible_execution(error)
            if on_caller_cancelled is not None and (pending or earlier):
                on_caller_cancelled(_result_after_cancellation(pending, earlier))
            elif earlier is not None:
                description = call.request.operation
                log.warning("%s was cancelled after an attempt with an unknown outcome: %s", description, earlier)
            raise

    async def _result(
        self, call: Call[T], response: Awaitable[Response], *, may_be_already_executed: bool = False
    ) -> T:
        received = call.observed.response = await response
        return result_of(
            call.request,
            received,
            may_be_already_executed=may_be_already_executed,
            called_at=call.called_at,
            failed_at=_clock.now(),
            attempts=call.observed.attempts,
        )

    def _wait_before_retry(self, call: Call[Any], error: PlivoRecordError, policy: RetryPolicy) -> float | None:
        """Return the seconds until the next attempt, or None if the call is not retried."""
        attempt, repeatable = call.observed.attempts, call.request.repeatable
        wait = policy.wait(error, repeatable=repeatable, attempt=attempt, jitter=_clock.chance())
        if wait is None:
            return None
        resumes = asyncio.get_running_loop().time() + max(wait, self._quota.paused_for)
        if resumes >= call.deadline:
            return None
        return wait if isinstance(error, RateLimitError) or self._budget.spend() else None


def _log_retry(call: ObservedCall, error: PlivoRecordError, wait: float) -> None:
    kind = type(error).__name__
    extra = {**call.identity, "attempts": call.attempts, "error": kind, "wait": wait}
    log.debug("%s is retried in %.3f seconds after a %s", call.description, wait, kind, extra=extra)


def _possible_execution(error: PlivoRecordError | None) -> PlivoRecordError | None:
    """Return the error of the attempts so far if one of them may have been executed, or else None."""
    return error if error is not None and may_have_been_executed(error) else None


async def _result_after_cancellation(pending: Sequence[Awaitable[T]], earlier: PlivoRecordError | None) -> T:
    """Return or raise the outcome of a call that was cancelled.

    Args:
        pending: The result of the attempt that was in progress. It is empty if there was none.
        earlier: The error of an earlier attempt that may have been executed. If None, there was none.
    """
    error = earlier
    for attempt in pending:
        try:
            return await attempt
        except PlivoRecordError as latest:
            error = decisive_error(earlier, latest)
    assert error is not None  # noqa: S101 - there is a pending attempt or an earlier error
    raise error
