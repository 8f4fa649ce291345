"""The decision whether a request is sent again, and when.

A request is sent again only if that is safe. A start is sent again only if no byte of it was sent, or if Plivo rejected
it with 429. Stops and reads are also sent again if they may have been executed.
"""

from __future__ import annotations

from typing import TypeGuard

import attrs

from plivo_record_async.errors import (
    NotSentError,
    OutcomeUnknownError,
    PlivoRecordError,
    RateLimitError,
    ServerError,
    UnexpectedResponseError,
)

__all__ = ["RetryBudget", "RetryPolicy", "decisive_error", "may_have_been_executed"]

PossiblyExecuted = OutcomeUnknownError | ServerError | UnexpectedResponseError
"""The errors after which a request may have been executed."""


def may_have_been_executed(error: PlivoRecordError) -> TypeGuard[PossiblyExecuted]:
    """Return whether a request that ended with an error may have been executed.

    Args:
        error: The error.
    """
    return isinstance(error, PossiblyExecuted)


def decisive_error(earlier: PlivoRecordError | None, last: PlivoRecordError) -> PlivoRecordError:
    """Return the error that describes a whole call with several attempts.

    This is the error of the last attempt, unless it only describes that attempt. If the last attempt was not sent, or
    was rejected with 429, an earlier attempt may still have been executed. If a request is not repeatable, a later
    attempt that is rejected never proves that an earlier one was not executed.

    Args:
        earlier: The decisive error of the earlier attempts. If None, this is the first attempt.
        last: The error of the last attempt.

    Returns:
        One of the two errors.
    """
    if isinstance(earlier, OutcomeUnknownError) and not earlier.repeatable and not may_have_been_executed(last):
        return earlier
    return last if earlier is None or _certainty(last) >= _certainty(earlier) else earlier


def _certainty(error: PlivoRecordError) -> int:
    """Return how much the error of one attempt says about the whole call. The error with the greater number decides."""
    if isinstance(error, NotSentError):
        return 0
    if isinstance(error, RateLimitError):
        return 1
    return 2 if may_have_been_executed(error) else 3


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often a call is retried, and how long it waits before each retry.

    The waits have "full jitter": the length of each is random, between 0 and a limit that doubles with each attempt. So
    many clients that fail at the same time do not retry at the same time.
    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    Attributes:
        max_retries: The maximum number of retries of one call.
        first_wait: The limit of the wait before the first retry, in seconds.
        longest_wait: The limit of any wait, in seconds.
        retry_503_starts: Whether to retry a start after a 503 without an ``api_id``. Such a response does not prove
            that the start was not executed.
    """

    max_retries: int = 2
    first_wait: float = 0.25
    longest_wait: float = 8.0
    retry_503_starts: bool = False

    def wait(self, error: PlivoRecordError, *, repeatable: bool, attempt: int, jitter: float) -> float | None:
        """Return how long to wait before the next attempt.

        Args:
            error: The error of the last attempt.
            repeatable: Whether it is safe to send the request twice.
            attempt: The number of attempts so far, at least 1.
            jitter: A random number from 0 to 1.

        Returns:
            The length of the wait in seconds, or None if the call must not be retried.
        """
        if attempt > self.max_retries or not self._is_safe(error, repeatable=repeatable):
            return None
        if isinstance(error, RateLimitError):
            return 0.0  # the quota pauses all calls of the client, including this one
        return jitter * min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))

    def _is_safe(self, error: PlivoRecordError, *, repeatable: bool) -> bool:
        match error:
            case RateLimitError():
                return True
            case NotSentError(phase="connect" | "send"):
                return True
            case OutcomeUnknownError(status=503, api_id=None) if self.retry_503_starts:
                return True
            case _:
                return repeatable and may_have_been_executed(error)


@attrs.define
class RetryBudget:
    """A limit on the retries of a client: about a tenth of its calls, so that an API that is failing is not overloaded.

    Each call adds a tenth of a retry to the budget. The budget is not empty at the beginning, so that a client that
    makes few calls can retry too. See "per-client retry budget" in https://sre.google/sre-book/handling-overload/ .

    Attributes:
        earned_per_call: The part of a retry that one call adds.
        most: The maximum of ``balance``.
        balance: The number of retries that are left.
    """

    earned_per_call: float = 0.1
    most: float = 100.0
    balance: float = 10.0

    def earn(self) -> None:
        """Add the part of a retry that one call earns."""
        self.balance = min(self.most, self.balance + self.earned_per_call)

    def spend(self) -> bool:
        """Take one retry out of the budget, if one is left.

        Returns:
            Whether one was left.
        """
        if self.balance < 1:
            return False
        self.balance -= 1
        return True
