"""The account's quota of requests: https://plivo.com/docs/voice/concepts/account-limits.md ."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Any

__all__ = ["Quota"]


class Quota:
    """A sliding window: at most so many requests in any period of so many seconds.

    Requests that are refused do not count.

    Args:
        limit: How many requests are admitted in a period.
        per: The length of the period, in seconds.
    """

    def __init__(self, limit: int, per: float) -> None:
        self.limit = limit
        self.per = per
        self.refused: int = 0
        self._admitted: deque[datetime] = deque(maxlen=limit)

    def admit(self, now: datetime) -> float | None:
        """Count a request.

        Args:
            now: The time (aware).

        Returns:
            None if the request is admitted. If not, the seconds until the next one is.
        """
        wait = self._wait(now)
        if wait > 0:
            self.refused += 1
            return wait
        self._admitted.append(now)
        return None

    def clear(self) -> None:
        """Forget all requests."""
        self._admitted.clear()
        self.refused = 0

    def to_dict(self, now: datetime) -> dict[str, Any]:
        """Return the window as JSON values.

        Args:
            now: The time (aware).
        """
        period = timedelta(seconds=self.per)
        used = sum(now - each < period for each in list(self._admitted))
        wait = self._wait(now)
        return {
            "limit": self.limit,
            "per": self.per,
            "used": used,
            "left": self.limit - used,
            "refused": self.refused,
            "next_in": round(wait, 3),
        }

    def _wait(self, now: datetime) -> float:
        """Return the seconds until a request is admitted, or 0."""
        if len(self._admitted) < self.limit:
            return 0.0
        return max(0.0, self.per - (now - self._admitted[0]).total_seconds())
