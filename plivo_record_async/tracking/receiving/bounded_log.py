"""Log records that outsiders can cause: a limited number in each minute, and each of limited length."""

from __future__ import annotations

import asyncio
import logging

__all__ = ["BoundedLog"]

MAX_RECORDS = 20
"""The most records in a minute, apart from the one that counts the omitted records."""

SECONDS = 60.0

log: logging.Logger = logging.getLogger("plivo_record_async")


class BoundedLog:
    """Logs the first records of each minute, and at the end of the minute the number of omitted records.

    Args:
        about: What the records report, in the plural, for the record with the number.
        longest: The most characters of a record.
    """

    def __init__(self, about: str, *, longest: int = 200) -> None:
        self._about = about
        self._longest = longest
        self._until = 0.0
        self._logged = 0
        self._omitted = 0

    def write(self, text: str, *, level: int = logging.WARNING) -> None:
        """Log a record, unless there were too many in this minute.

        Args:
            text: The message. It is truncated if it is too long.
            level: The level of the record.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= self._until:
            self._count()
            self._until, self._logged = loop.time() + SECONDS, 0
            loop.call_later(SECONDS, self._count)
        if self._logged < MAX_RECORDS:
            self._logged += 1
            log.log(level, "%s", text if len(text) <= self._longest else f"{text[: self._longest - 1]}…")
        else:
            self._omitted += 1

    def _count(self) -> None:
        if self._omitted:
            log.warning("%d more %s in a minute", self._omitted, self._about)
            self._omitted = 0
