"""The account's quota, kept exactly: Plivo takes 300 requests in 5 seconds and refuses the rest with 429.

https://plivo.com/docs/voice/concepts/account-limits.md
"""

from __future__ import annotations

import asyncio

from plivo_record_async.protocol.models import RateLimit

__all__ = ["Quota"]

_TIMER_SLACK = 0.002
"""Seconds. Event loops may run a timer early by their clock's resolution (uvloop: a millisecond)."""


class Quota:
    """As many permits as requests are allowed; each comes back ``per`` seconds after its request *ended*.

    So no window of ``per`` seconds ever holds more arrivals than allowed, and that not only by our clock but
    also by Plivo's: a request arrives between its start and its end, however long the way. The permits are an
    `asyncio.Semaphore`: first come, first served, and a waiter that is cancelled leaves nothing behind.
    """

    def __init__(self, rate: RateLimit | None) -> None:
        self._permits = None if rate is None else asyncio.Semaphore(rate.limit)
        self._returns_after = 0.0 if rate is None else rate.per + _TIMER_SLACK
        self._paused_until = 0.0

    async def acquire(self) -> None:
        """Wait for a permit and for the end of a pause."""
        if self._permits is not None:
            await self._permits.acquire()
        try:
            while (wait := self.paused_for) > 0:  # noqa: ASYNC110 - another 429 may have moved the end
                await asyncio.sleep(wait)
        except BaseException:
            self.give_back(used=False)
            raise

    def give_back(self, *, used: bool) -> None:
        """Return a permit: at once if nothing was sent on it, or else when its window has passed."""
        if self._permits is None:
            return
        if used:
            asyncio.get_running_loop().call_later(self._returns_after, self._permits.release)
        else:
            self._permits.release()

    @property
    def paused_for(self) -> float:
        """Seconds until a pause ends; not above 0 if there is none."""
        return self._paused_until - asyncio.get_running_loop().time()

    def pause(self, seconds: float) -> None:
        """Hold all calls back: Plivo said 429, so somebody else uses the account's quota too."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)
