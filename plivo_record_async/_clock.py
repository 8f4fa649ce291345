"""The only reader of the wall clock and of chance."""

from __future__ import annotations

import random
import secrets
import time
from datetime import UTC, datetime

__all__ = ["chance", "new_id", "now"]


def now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


def chance() -> float:
    """An even chance from 0 to 1; it spreads retries and guards no secret."""
    return random.random()  # noqa: S311


def new_id() -> str:
    """48 bits of the time in milliseconds, then 80 bits that nobody can guess, as 32 hexadecimal digits.

    Ids that are made one after another lie together in an index, so a store that adds them writes fewer pages.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
