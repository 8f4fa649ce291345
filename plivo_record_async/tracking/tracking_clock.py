"""The clock that following uses: what time it is, and waiting for the next poll."""

from __future__ import annotations

import asyncio
from typing import Protocol

from plivo_record_async import _clock
from plivo_record_async.protocol.clocks import Reading

__all__ = ["SystemClock", "TrackingClock"]


class TrackingClock(Protocol):
    """A clock for `~plivo_record_async.RecordingTracker`."""

    def read(self) -> Reading:
        """Return the time of day and the steady clock, read at the same moment."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Wait.

        Args:
            seconds: How long, by this clock.
        """
        ...


class SystemClock:
    """The clocks of this machine."""

    def read(self) -> Reading:
        """Return the time of day and the steady clock, read at the same moment."""
        return _clock.read()

    async def sleep(self, seconds: float, /) -> None:
        """Wait.

        Args:
            seconds: How long.
        """
        await asyncio.sleep(seconds)
