"""Whether a request is sent again, and when.

Only what is safe is repeated. A start is sent again only if no byte of it was sent, or if Plivo's answer proves that
it was refused (429). Stops and reads are also sent again if they may have been executed.
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
"""The errors of requests that may have been executed."""


def may_have_been_executed(error: PlivoRecordError) -> TypeGuard[PossiblyExecuted]:
    """Return whether a request may have been executed although it ended with an error.

    Args:
        error: The error.
    """
    return isinstance(error, PossiblyExecuted)


def decisive_error(earlier: PlivoRecordError | None, last: PlivoRecordError) -> PlivoRecordError:
    """Return the error that is true of a whole call.

    It is the error of the last attempt, unless that error says something about this attempt only: that the last attempt
    was not sent, or was refused by a 429, does not prove that an earlier one was not executed. And of a request that is
    not repeatable, no refusal proves that.

    Args:
        earlier: The decisive error of the earlier attempts. If None, there were none.
        last: The error of the last attempt.
    """
    if isinstance(earlier, OutcomeUnknownError) and not earlier.repeatable and not may_have_been_executed(last):
        return earlier
    return last if earlier is None or _certainty(last) >= _certainty(earlier) else earlier


def _certainty(error: PlivoRecordError) -> int:
    """Return how much an error says about a whole call: the error with the greater number decides."""
    if isinstance(error, NotSentError):
        return 0
    if isinstance(error, RateLimitError):
        return 1
    return 2 if may_have_been_executed(error) else 3


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often a call is retried, and how long it waits before each retry.

    The waits have "full jitter": they are random between 0 and a bound that doubles with each attempt, so that many
    clients that failed at the same time do not retry at the same time.
    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    Attributes:
        max_retries: The most retries of one call.
        first_wait: The upper bound of the wait before the first retry, in seconds.
        longest_wait: The upper bound of any wait, in seconds.
        retry_503_starts: Whether a start that was answered with a 503 without an ``api_id`` is sent again. Nothing
            proves that Plivo had not executed it, so this is off by default.
    """

    max_retries: int = 2
    first_wait: float = 0.25
    longest_wait: float = 8.0
    retry_503_starts: bool = False

    def wait(self, error: PlivoRecordError, *, repeatable: bool, attempt: int, jitter: float) -> float | None:
        """Return how long to wait before the next attempt.

        Args:
            error: The error of the last attempt.
            repeatable: Whether it is harmless to send the request twice.
            attempt: How many attempts were made, from 1.
            jitter: A random number from 0 to 1.

        Returns:
            Seconds, or None if the call is not to be retried.
        """
        if attempt > self.max_retries or not self._is_safe(error, repeatable=repeatable):
            return None
        if isinstance(error, RateLimitError):
            return 0.0  # the quota holds back all calls of the client, this one too
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
    """Limits retries to a tenth of a client's calls, so that they do not overload an API that is failing.

    Each call earns a tenth of a retry, and a client that makes few calls begins with a small reserve. See "per-client
    retry budget" in https://sre.google/sre-book/handling-overload/.

    Attributes:
        earned_per_call: The retries that one call earns.
        most: The largest balance.
        balance: The retries that are left.
    """

    earned_per_call: float = 0.1
    most: float = 100.0
    balance: float = 10.0

    def earn(self) -> None:
        """Add what one call earns."""
        self.balance = min(self.most, self.balance + self.earned_per_call)

    def spend(self) -> bool:
        """Take one retry out of the budget.

        Returns:
            Whether one was left.
        """
        if self.balance < 1:
            return False
        self.balance -= 1
        return True
