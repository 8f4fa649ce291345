"""Warnings that outsiders can cause: a limited number in each minute, and each of limited length."""

from __future__ import annotations

import asyncio
import logging

__all__ = ["BoundedLog"]

LINES = 20
"""The most lines in a minute, besides the one that counts the lines that were left out."""

SECONDS = 60.0

log = logging.getLogger("plivo_record_async")


class BoundedLog:
    """Logs the first lines of each minute, and at its end the number of lines that were left out.

    Args:
        about: What the lines are about, in the plural, for the line with the number.
        longest: The most characters of a line.
    """

    def __init__(self, about: str, *, longest: int = 200) -> None:
        self._about = about
        self._longest = longest
        self._until = 0.0
        self._lines = 0
        self._left_out = 0

    def write(self, text: str, *, level: int = logging.WARNING) -> None:
        """Log a line, unless there were too many in this minute.

        Args:
            text: The line. It is truncated if it is too long.
            level: The level of the line.
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
