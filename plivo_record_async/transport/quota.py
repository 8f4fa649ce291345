"""The account's quota: Plivo accepts 300 requests in any 5 seconds, and rejects further ones with 429.

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
"""Seconds. An event loop may run a timer too early, by the resolution of its clock (1 ms in uvloop)."""


class Quota:
    """One permit for each request that the account allows. A permit becomes free ``per`` seconds after its request.

    The time counts from the *end* of the request. A request arrives at Plivo some time between its beginning and its
    end, so no window of ``per`` seconds contains more arrivals than allowed, by this machine's clock or by Plivo's.
    The permits are an `asyncio.Semaphore`, which serves waiters in order and loses no permit if a waiter is cancelled.

    A quota serves one event loop after another. Permits that were used in an earlier event loop count until their
    window has passed.

    Args:
        rate: The limit. If None, requests wait only after a 429.
    """

    def __init__(self, rate: RateLimit | None) -> None:
        self._limit = None if rate is None else rate.limit
        self._returns_after = 0.0 if rate is None else rate.per + _TIMER_SLACK
        self._paused_until = -inf
        self._in_use = 0
        self._returns: deque[float] = deque()
        """The times at which used permits become free, by the clock of the event loop, the earliest first."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_ahead = 0.0
        self._permits = asyncio.Semaphore(0)

    async def acquire(self) -> None:
        """Wait until a permit is free and no pause is active, and take the permit."""
        self._move_to_running_loop()
        if self._limit is not None:
            await self._permits.acquire()
            self._in_use += 1
        try:
            while (wait := self.paused_for) > 0:  # noqa: ASYNC110 - another 429 may have extended the pause
                await asyncio.sleep(wait)
        except BaseException:
            self.give_back(used=False)
            raise

    def give_back(self, *, used: bool) -> None:
        """Return a permit.

        Args:
            used: Whether a byte of the request may have been sent. If so, the permit becomes free when its window has
                passed. Otherwise it becomes free at once.
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
        """Make all requests wait, after a 429.

        Args:
            seconds: The length of the pause. A pause that is already active is never shortened.
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
            times += [loop.time() + self._returns_after] * self._in_use  # in progress in the earlier event loop
            self._returns, self._in_use = deque(times), 0
            self._permits = asyncio.Semaphore((self._limit or 0) - len(times))
            for time in times:
                loop.call_at(time, self._permits.release)
        return loop
