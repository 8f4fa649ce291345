"""The only reader of the time of day, and the source of random numbers and IDs for the client and the tracker."""

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
    """Read all clocks of this machine at the same time."""
    return Reading(wall=now(), steady=_steady(), run=_RUN)


def _steady() -> float:
    return time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)


def chance() -> float:
    """Return a random number from 0 to 1. It spreads retries and protects no secret."""
    return random.random()  # noqa: S311


def new_id() -> str:
    """Return a new ID: 48 bits of the time in milliseconds and 80 random bits, as 32 hexadecimal digits.

    Ids that are made one after another lie together in an index, so a store that adds them writes fewer pages.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
