"""The account's quota, kept exactly: Plivo accepts 300 requests in 5 seconds and refuses others with 429.

https://plivo.com/docs/voice/concepts/account-limits.md
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf

from plivo_record_async import _clock
from plivo_record_async.protocol.models import RateLimit

__all__ = ["Quota"]

_TIMER_SLACK = 0.002
"""Seconds. Event loops may run a timer early by their clock's resolution (uvloop: a millisecond)."""


class Quota:
    """One permit for each request that the account allows. A permit returns ``per`` seconds after its request *ended*.

    So no window of ``per`` seconds ever holds more arrivals than allowed, neither by this machine's clock nor by
    Plivo's, because a request arrives between its beginning and its end, however long it travels. The permits are an
    `asyncio.Semaphore`, which serves waiters in order, and loses nothing if a waiter is cancelled.

    A quota serves one event loop after another. Permits that were used in an earlier event loop count until their
    window has passed.

    Args:
        rate: The limit. If None, only a 429 makes requests wait.
    """

    def __init__(self, rate: RateLimit | None) -> None:
        self._limit = None if rate is None else rate.limit
        self._returns_after = 0.0 if rate is None else rate.per + _TIMER_SLACK
        self._paused_until = -inf
        self._in_use = 0
        self._returns: deque[float] = deque()
        """When the used permits return, by the clock of the event loop, the earliest first."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_ahead = 0.0
        self._permits = asyncio.Semaphore(0)

    async def acquire(self) -> None:
        """Take a permit. Wait until one is free and no pause is active."""
        self._move_to_running_loop()
        if self._limit is not None:
            await self._permits.acquire()
            self._in_use += 1
        try:
            while (wait := self.paused_for) > 0:  # noqa: ASYNC110 - another 429 may have moved the end
                await asyncio.sleep(wait)
        except BaseException:
            self.give_back(used=False)
            raise

    def give_back(self, *, used: bool) -> None:
        """Return a permit.

        Args:
            used: Whether a byte may have been sent. If so, the permit is free again when its window has passed.
        """
        if self._limit is None:
            return
        self._in_use -= 1
        if not used:
            self._permits.release()
            return
        loop = asyncio.get_running_loop()
        self._returns.append(loop.time() + self._returns_after)
        loop.call_at(self._returns[-1], self._permits.release)
        while self._returns[0] <= loop.time():
            self._returns.popleft()

    @property
    def paused_for(self) -> float:
        """The seconds until the pause ends; 0 or less if no pause is active."""
        return self._paused_until - self._move_to_running_loop().time()

    def pause(self, seconds: float) -> None:
        """Make all requests wait, because Plivo answered with 429.

        Args:
            seconds: How long they wait.
        """
        self._paused_until = max(self._paused_until, self._move_to_running_loop().time() + seconds)

    def _move_to_running_loop(self) -> asyncio.AbstractEventLoop:
        """Return the running event loop. If it is a new one, transfer the permits and the pause to its clock."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            ahead = loop.time() - _clock.read().steady
            shift, self._loop, self._loop_ahead = ahead - self._loop_ahead, loop, ahead
            self._paused_until += shift
            times = [time for returns in self._returns if (time := returns + shift) > loop.time()]
            times += [loop.time() + self._returns_after] * self._in_use  # requests of the earlier event loop
            self._returns, self._in_use = deque(times), 0
            self._permits = asyncio.Semaphore((self._limit or 0) - len(times))
            for time in times:
                loop.call_at(time, self._permits.release)
        return loop
