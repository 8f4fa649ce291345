"""Warnings that outsiders can cause: so many a minute at most, each no longer than a screen line."""

from __future__ import annotations

import asyncio
import logging

__all__ = ["BoundedLog"]

LINES = 20
"""The most lines in a minute, besides the one that counts the others."""

SECONDS = 60.0

log = logging.getLogger("plivo_record_async")


class BoundedLog:
    """Writes the first warnings of each minute, and then how many there were besides.

    Args:
        about: What the warnings are about, in the plural, for the line that counts.
        longest: The most characters of a line.
    """

    def __init__(self, about: str, *, longest: int = 200) -> None:
        self._about = about
        self._longest = longest
        self._until = 0.0
        self._lines = 0
        self._left_out = 0

    def write(self, text: str, *, level: int = logging.WARNING) -> None:
        """Write a line, unless there were too many.

        Args:
            text: The line; what is too long is cut.
            level: How serious it is.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= self._until:
            self._count()
            self._until, self._lines = loop.time() + SECONDS, 0
            loop.call_later(SECONDS, self._count)
        if self._lines < LINES:
            self._lines += 1
            log.log(level, "%s", text if len(text) <= self._longest else f"{text[: self._longest - 1]}…")
        else:
            self._left_out += 1

    def _count(self) -> None:
        if self._left_out:
            log.warning("%d more %s in a minute", self._left_out, self._about)
            self._left_out = 0
