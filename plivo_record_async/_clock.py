"""The only reader of the wall clock and of chance."""

from __future__ import annotations

import random
import secrets
from datetime import UTC, datetime

__all__ = ["chance", "new_id", "now"]


def now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


def chance() -> float:
    """An even chance from 0 to 1; it spreads retries and guards no secret."""
    return random.random()  # noqa: S311


def new_id() -> str:
    """128 bits that nobody can guess, as 22 letters of the URL-safe alphabet."""
    return secrets.token_urlsafe(16)
