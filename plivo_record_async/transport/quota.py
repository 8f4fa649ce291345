"""The account's quota: Plivo accepts 300 requests in any 5 seconds, and rejects further ones with 429.

https://plivo.com/docs/voice/concepts/account-limits.md
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from bisect import insort
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from math import inf

from plivo_record_async import _clock
from plivo_record_async.protocol.models import RateLimit

__all__ = ["Quota", "SharedRateLimit"]

_TIMER_SLACK = 0.002
"""Seconds. An event loop may run a timer too early, by the resolution of its clock (1 ms in uvloop)."""

_Turn = asyncio.Future[Callable[[], bool]]
"""The future of a call that waits for a permit. It is done when the call has its permit."""


class Quota:
    """One permit for each request that the account allows. A permit becomes free ``per`` seconds after its request.

    The time counts from the *end* of the request. A request arrives at Plivo some time between its beginning and its
    end, so no window of ``per`` seconds contains more arrivals than allowed, by this machine's clock or by Plivo's.
    Calls that wait for a permit receive one in order, and no permit is lost if a waiting call is cancelled.

    A quota serves one event loop after another. Permits that were used in an earlier event loop count until their
    window has passed.

    Args:
        rate: The limit. If None, requests wait only after a 429.
    """

    def __init__(self, rate: RateLimit | None) -> None:
        self._limit: float = inf if rate is None else rate.limit
        self._counts = rate is not None
        self._returns_after = 0.0 if rate is None else rate.per + _TIMER_SLACK
        self._paused_until = -inf
        self._in_use = 0
        self._returns: deque[float] = deque()
        """The times at which used permits become free, by the clock of the event loop, the earliest first."""
        self._waiting: OrderedDict[_Turn, None] = OrderedDict()
        """The calls that wait for a permit, in order."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_ahead = 0.0

    @property
    def trouble(self) -> str | None:
        """Why there are no permits, if the reason is not that they are in use."""
        return None

    @property
    def holders(self) -> int:
        """How many processes share the quota, with this one."""
        return 1

    async def open(self) -> Callable[[], Awaitable[None]]:
        """Prepare the quota for the running event loop.

        Returns:
            A function that ends this use of the quota. It is called once.
        """
        return _do_nothing

    async def acquire(self) -> Callable[[], bool]:
        """Wait until a permit is free and no pause is active, and take the permit.

        Returns:
            A function that returns whether the permit is still valid. It is called immediately before sending begins.
        """
        self._move_to_running_loop()
        is_valid = await self._take() if self._counts else self._permit()
        try:
            while (wait := self.paused_for) > 0:  # noqa: ASYNC110 - another 429 may have extended the pause
                await asyncio.sleep(wait)
        except BaseException:
            self.give_back(used=False)
            raise
        return is_valid

    def give_back(self, *, used: bool, windows: int = 1) -> None:
        """Return a permit.

        Args:
            used: Whether a byte of the request may have been sent. If so, the permit becomes free when its window has
                passed. Otherwise it becomes free at once.
            windows: After how many windows a used permit becomes free. If several processes divide a quota equally, it
                is their number.
        """
        if not self._counts:
            return
        self._in_use -= 1
        if used:
            self._return_at(asyncio.get_running_loop().time() + windows * self._returns_after)
        else:
            self._serve()

    @property
    def must_wait(self) -> bool:
        """Whether a call that asks for a permit now has to wait, because none is free or a pause is active."""
        return (self._counts and (bool(self._waiting) or self._busy >= self._limit)) or self.paused_for > 0

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

    @property
    def _busy(self) -> int:
        """The number of permits that are in use, or whose window has not passed."""
        return self._in_use + len(self._returns)

    async def _take(self) -> Callable[[], bool]:
        if not self._waiting and self._busy < self._limit:
            self._in_use += 1
            return self._permit()
        turn: _Turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        try:
            return await turn
        except asyncio.CancelledError:
            self._waiting.pop(turn, None)
            if not turn.cancelled():  # it received its permit at the same time
                self.give_back(used=False)
            raise

    def _serve(self) -> None:
        """Give the free permits to the calls that wait."""
        while self._waiting and self._busy < self._limit:
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():
                self._in_use += 1
                turn.set_result(self._permit())

    def _permit(self) -> Callable[[], bool]:
        """Return the function that says whether a permit that is taken now is still valid."""
        return _always_valid

    def _return_at(self, time: float) -> None:
        """Let a permit become free at a time of the event loop's clock."""
        insort(self._returns, time)
        asyncio.get_running_loop().call_at(time, self._end_window)

    def _end_window(self) -> None:
        self._returns.popleft()
        self._serve()

    def _move_to_running_loop(self) -> asyncio.AbstractEventLoop:
        """Return the running event loop. If it is a new one, transfer the permits and the pause to its clock."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            ahead = loop.time() - _clock.read().steady
            shift, self._loop, self._loop_ahead = ahead - self._loop_ahead, loop, ahead
            self._paused_until += shift
            times = [time for returns in self._returns if (time := returns + shift) > loop.time()]
            times += [loop.time() + self._returns_after] * self._in_use  # in progress in the earlier event loop
            self._in_use = 0
            self._returns.clear()
            self._waiting.clear()
            for time in times:
                self._return_at(time)
        return loop


class SharedRateLimit(ABC):
    """A quota that several processes share, as an argument of ``RecordClient(rate_limit=…)``."""

    @property
    @abstractmethod
    def limit(self) -> int:
        """The number of requests of all processes together."""

    @property
    @abstractmethod
    def per(self) -> float:
        """The length of the window in seconds."""

    @abstractmethod
    def quota_of(self, auth_id: str) -> Quota:
        """Return the quota of an account. All clients of the same account receive the same object.

        Args:
            auth_id: The auth ID of the client.
        """


async def _do_nothing() -> None:
    pass


def _always_valid() -> bool:
    return True
