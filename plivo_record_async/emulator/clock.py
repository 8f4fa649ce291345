"""The clocks of the emulator: the time of day, or a virtual time that moves only when it is advanced."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Lock
from typing import Any, Literal, Protocol

import attrs

from plivo_record_async import _clock

__all__ = ["Clock", "ClockMode", "RealClock", "VirtualClock", "clock_of"]

ClockMode = Literal["real", "squeezed", "virtual"]
"""The time of day; the same with short pauses between deliveries; or a time that moves only when it is advanced."""

_END = datetime(9000, 1, 1, tzinfo=UTC)
"""A virtual clock goes no further, so that every later time that is computed is a date too."""
_REAL_PAUSE = 1.0
_SQUEEZED_PAUSE = 0.1
_PASSES_TO_WAKE = 4
"""After so many passes of the event loop, a task that was woken up runs."""


class Clock(Protocol):
    """A clock. `RecordingTracker` and everything in the emulator that waits may use it.

    Attributes:
        mode: Which kind of clock it is.
        first_pause: Seconds before the first retry of a callback.
    """

    mode: ClockMode
    first_pause: float

    def now(self) -> datetime:
        """Return the time (aware, UTC)."""
        ...

    def read(self) -> Any:
        """Return the time and the steady clock, read at the same moment."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of this clock."""
        ...

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a context that raises TimeoutError after so many seconds of this clock."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the clock as JSON values."""
        ...


@attrs.frozen
class RealClock:
    """The time of day.

    Attributes:
        mode: ``real`` or ``squeezed``.
        first_pause: Seconds before the first retry of a callback.
    """

    mode: ClockMode = "real"
    first_pause: float = _REAL_PAUSE

    def now(self) -> datetime:
        """Return the time (aware, UTC)."""
        return _clock.now()

    def read(self) -> Any:
        """Return the time and the steady clock, read at the same moment."""
        return _clock.read()

    async def sleep(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: How long.
        """
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a context that raises TimeoutError when the time is over.

        Args:
            seconds: How long the context may take.
        """
        return asyncio.timeout(seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the clock as JSON values. The time of day is not included."""
        return {"mode": self.mode, "now": None}


class VirtualClock:
    """A time that stands still until it is advanced. It may be used in several event loops and threads.

    It begins at the time of day at which it is made.

    Attributes:
        mode: ``virtual``.
        first_pause: Seconds before the first retry of a callback.
    """

    mode: ClockMode = "virtual"
    first_pause = _REAL_PAUSE

    def __init__(self) -> None:
        self._started = _clock.read()
        self._passed = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the time (aware, UTC)."""
        return self._started.wall + timedelta(seconds=self._passed)

    def read(self) -> Any:
        """Return the time and the steady clock, read at the same moment."""
        return attrs.evolve(self._started, wall=self.now(), steady=self._started.steady + self._passed)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was advanced.

        Args:
            seconds: By how much.
        """
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.Event()
        self._call_later(seconds, woken.set)
        await woken.wait()

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncGenerator[None]:
        """Raise TimeoutError in the context when the clock was advanced by so many seconds.

        Args:
            seconds: How long the context may take.
        """
        loop = asyncio.get_running_loop()
        over = False
        async with asyncio.timeout(None) as limit:

            def expire() -> None:
                if not over:
                    limit.reschedule(loop.time())

            self._call_later(seconds, expire)
            try:
                yield
            finally:
                over = True

    async def advance(self, seconds: float, settle: Callable[[], Awaitable[None]]) -> None:
        """Move the time on. Whatever waits is woken up in the order of its times.

        Args:
            seconds: By how much.
            settle: A coroutine function that waits until what was woken up has done its work.

        Raises:
            ValueError: ``seconds`` is negative, or the time would be after the year 8999. Nothing changes.
        """
        if not seconds >= 0:
            raise ValueError(f"seconds must be a number from 0, not {seconds!r}")
        if seconds > (_END - self.now()).total_seconds():
            raise ValueError(
                f"the clock ends with the year {_END.year - 1}, so it cannot be advanced by {seconds} seconds"
            )
        target = self._passed + seconds
        await settle()
        while wakes := self._pop_earliest(target):
            for wake in wakes:
                wake()
            for _ in range(_PASSES_TO_WAKE):
                await asyncio.sleep(0)
            await settle()
        self._passed = max(self._passed, target)
        await settle()

    def to_dict(self) -> dict[str, Any]:
        """Return the clock as JSON values."""
        return {"mode": self.mode, "now": self.now().isoformat()}

    def _pop_earliest(self, target: float) -> list[Callable[[], None]]:
        """Move the time on to the next timer up to the target; remove and return what wakes all timers of that time."""
        wakes = list[Callable[[], None]]()
        with self._lock:
            if self._timers and self._timers[0][0] <= target:
                self._passed = due = max(self._passed, self._timers[0][0])
                while self._timers and self._timers[0][0] <= due:
                    wakes.append(heapq.heappop(self._timers)[2])
        return wakes

    def _call_later(self, seconds: float, call: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(call)

        with self._lock:
            heapq.heappush(self._timers, (self._passed + seconds, next(self._numbers), wake))


def clock_of(mode: ClockMode) -> RealClock | VirtualClock:
    """Return a new clock.

    Args:
        mode: ``real``, ``squeezed`` or ``virtual``.
    """
    match mode:
        case "virtual":
            return VirtualClock()
        case "squeezed":
            return RealClock("squeezed", _SQUEEZED_PAUSE)
        case "real":
            return RealClock()
