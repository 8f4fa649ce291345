"""Lines of a file or pipe as they come, without ever stopping the event loop."""

from __future__ import annotations

import asyncio
import codecs
import os
import select
import stat
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, BinaryIO

__all__ = ["Lines", "UnreadableError"]

_AT_ONCE = 64 * 1024
_LONGEST = 1024 * 1024
"""Bytes of a line. A file with longer ones is no list of conferences."""
_MOST_TO_COUNT = 64 * 1024 * 1024
"""Bytes. More than this is not read only to be counted."""


class UnreadableError(Exception):
    """The file cannot be read to its end; the message says why."""


class Lines:
    """Iterates over the lines, without their ends and without a byte order mark; reads no more ahead than 64 KiB.

    The iteration raises `UnreadableError` if the file cannot be read, or has a line of more than 1 MiB.

    Args:
        file: The file or pipe.
        ended: Once it is set no line is given, nor waited for, any more.

    Attributes:
        all_read: Whether the end of the file was reached.
    """

    def __init__(self, file: BinaryIO, ended: asyncio.Event) -> None:
        # A buffered reader's lock, held by a daemon thread, is fatal at the interpreter's end:
        # https://github.com/python/cpython/issues/87135
        self._source: BinaryIO = getattr(file, "raw", file)
        self._read_from: Callable[[int], bytes | None] = self._source.read
        self._ended = ended
        self._whole: deque[bytes] = deque()
        self._part = b""
        self._mark = codecs.BOM_UTF8
        self.all_read = False

    def __aiter__(self) -> Lines:
        """Return itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next line."""
        await asyncio.sleep(0)  # what has happened may be a reason to set ``ended``, and is looked at first
        while not (self._whole or self.all_read or self._ended.is_set()):
            await self._read()
        if self._ended.is_set() or not self._whole:
            raise StopAsyncIteration
        return self._whole.popleft()

    async def count_rest(self) -> int:
        """Return how many lines that are not blank were not given, of those that can be read without waiting.

        `all_read` tells whether that was the rest of the file.
        """
        count, left = 0, _MOST_TO_COUNT
        while True:
            count += sum(1 for line in self._whole if line.strip())
            self._whole.clear()
            if self.all_read or left <= 0 or not _is_ready(self._source):
                return count
            try:
                left -= self._take(await asyncio.wrap_future(self._begin_to_read()))
            except UnreadableError:
                return count

    async def _read(self) -> None:
        """Take what there is, waiting for it, or nothing if it is ``ended`` first."""
        reading = asyncio.wrap_future(self._begin_to_read())
        ending = asyncio.create_task(self._ended.wait())
        either: set[asyncio.Future[Any]] = {reading, ending}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
        if reading.done():
            self._take(reading.result())

    def _begin_to_read(self) -> Future[bytes]:
        """Read in a daemon thread; one of the loop's own would be joined at the end, and an interrupt would wait."""
        chunk: Future[bytes] = Future()

        def read() -> None:
            chunk.set_running_or_notify_cancel()
            try:
                while (got := self._read_from(_AT_ONCE)) is None:  # a pipe that somebody has made non-blocking
                    select.select([self._source], [], [])
                chunk.set_result(got)
            except OSError as error:
                refused = UnreadableError(error.strerror or str(error))
                refused.__cause__ = error
                chunk.set_exception(refused)

        threading.Thread(target=read, daemon=True).start()
        return chunk

    def _take(self, chunk: bytes) -> int:
        """Part what was read into lines; return how much it was."""
        *whole, self._part = (self._part + chunk).split(b"\n")
        if not chunk:
            self.all_read = True
            whole, self._part = [self._part] if self._part else [], b""
        for line in whole:
            self._whole.append(line.removeprefix(self._mark).removesuffix(b"\r"))
            self._mark = b""
        if len(self._part) > _LONGEST:
            raise UnreadableError("it has a line of more than 1 MiB, so it is no list of conferences")
        return len(chunk)


def _is_ready(source: BinaryIO) -> bool:
    """Whether reading would return at once, be it with nothing at the end."""
    try:
        number = source.fileno()
    except OSError:
        return True  # it is in memory
    if stat.S_ISREG(os.fstat(number).st_mode):
        return True
    try:
        return bool(select.select([number], [], [], 0)[0])
    except (OSError, ValueError):
        return False  # Windows selects sockets only, and none a number beyond 1023
