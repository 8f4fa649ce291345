"""The time of day, which only this module reads, and the random numbers and IDs of the client and the tracker."""

from __future__ import annotations

import random
import secrets
import sys
import time
from datetime import UTC, datetime

from plivo_record_async.protocol.clocks import Reading

__all__ = ["chance", "new_id", "now", "read"]

_RUN = secrets.token_hex(8)

_STEADY = getattr(time, {"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC"}.get(sys.platform, ""), None)
"""The clock that continues while the machine is suspended. If None, `time.monotonic` is used."""


def now() -> datetime:
    """Return the current time (aware, UTC)."""
    return datetime.now(UTC)


def read() -> Reading:
    """Return the time of all clocks of this machine."""
    return Reading(wall=now(), steady=_steady(), run=_RUN)


def _steady() -> float:
    return time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)


def chance() -> float:
    """Return a random number from 0 to 1. It is used for the waits between attempts, not for secrets."""
    return random.random()  # noqa: S311


def new_id() -> str:
    """Return a new ID: 48 bits of the time in milliseconds and 80 random bits, as 32 hexadecimal digits.

    IDs that are created one after another are neighbours in an index, so a store that adds them writes fewer pages.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
