"""Whether to send again, and when: pure decisions.

Only what is safe is repeated. A start is sent again only when nothing of it was sent, or when Plivo's answer
proves that it was refused (429). Stops and reads are also sent again when their outcome is unknown.
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

__all__ = ["RetryBudget", "RetryPolicy", "leaves_doubt", "most_telling"]

Doubt = OutcomeUnknownError | ServerError | UnexpectedResponseError


def leaves_doubt(error: PlivoRecordError) -> TypeGuard[Doubt]:
    """Whether the request may have been executed although it failed."""
    return isinstance(error, Doubt)


def most_telling(earlier: PlivoRecordError | None, last: PlivoRecordError) -> PlivoRecordError:
    """Which error of a call's attempts tells the truth about the whole call.

    The last one does, unless it speaks of its own attempt only: that this one was not sent, or was refused by
    429, does not undo the doubt about an earlier one; and no refusal undoes a doubt that must not be repeated.
    """
    if isinstance(earlier, OutcomeUnknownError) and not earlier.repeatable and not leaves_doubt(last):
        return earlier
    return last if earlier is None or _weight(last) >= _weight(earlier) else earlier


def _weight(error: PlivoRecordError) -> int:
    if isinstance(error, NotSentError):
        return 0
    if isinstance(error, RateLimitError):
        return 1
    return 2 if leaves_doubt(error) else 3


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often and how long.

    The waits are "full jitter": even in chance between nothing and a bound that doubles with each attempt, so
    that many clients that failed together do not come back together.
    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    Attributes:
        max_retries: How many times one call is sent again at the most.
        first_wait: Upper bound of the wait before the first retry, in seconds.
        longest_wait: Upper bound of any wait, in seconds.
        retry_503_starts: Whether a start that got a 503 without an ``api_id`` is sent again. Off unless
            asked for: nothing proves that it was not executed.
    """

    max_retries: int = 2
    first_wait: float = 0.25
    longest_wait: float = 8.0
    retry_503_starts: bool = False

    def wait(self, error: PlivoRecordError, *, repeatable: bool, attempt: int, jitter: float) -> float | None:
        """Seconds to wait before the next attempt, or ``None`` to give up.

        Args:
            error: How the last attempt ended.
            repeatable: Whether sending the request twice does no harm.
            attempt: How many attempts were made, from 1.
            jitter: Chance, from 0 to 1.
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
                return repeatable and leaves_doubt(error)


@attrs.define
class RetryBudget:
    """A tenth of a client's calls may be retries, so that a broken API is not hammered.

    https://sre.google/sre-book/handling-overload/ (per-client retry budget). Each call earns a tenth of a retry;
    a small reserve lets a quiet client retry at all.
    """

    earned_per_call: float = 0.1
    most: float = 100.0
    balance: float = 10.0

    def earn(self) -> None:
        """Count one call."""
        self.balance = min(self.most, self.balance + self.earned_per_call)

    def spend(self) -> bool:
        """Take one retry out of the budget, if there is one left."""
        if self.balance < 1:
            return False
        self.balance -= 1
        return True
