"""The only reader of clocks and of chance."""

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
"""The clock that goes on while the machine is suspended. Where none is named, `time.monotonic` does."""


def now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


def read() -> Reading:
    """Read all clocks of this machine at the same moment."""
    return Reading(wall=now(), steady=_steady(), run=_RUN)


def _steady() -> float:
    return time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)


def chance() -> float:
    """An even chance from 0 to 1; it spreads retries and guards no secret."""
    return random.random()  # noqa: S311


def new_id() -> str:
    """48 bits of the time in milliseconds, then 80 bits that nobody can guess, as 32 hexadecimal digits.

    Ids that are made one after another lie together in an index, so a store that adds them writes fewer pages.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
