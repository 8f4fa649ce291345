"""Read the lines of a file or a pipe as they arrive, without blocking the event loop."""

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

__all__ = ["InputLines", "UnreadableError"]

_CHUNK_SIZE = 64 * 1024
_MAX_LINE = 1024 * 1024
"""The most bytes of a line. A file with longer lines is not a list of conferences."""
_MAX_COUNTED = 64 * 1024 * 1024
"""The most bytes that are read in order to count lines."""


class UnreadableError(Exception):
    """A file that cannot be read to its end. The message says why."""


class InputLines:
    """An iterator over the lines of a file, without their line ends and the byte order mark.

    It reads at most 64 KiB ahead. The iteration raises an `UnreadableError` if the file cannot be read, or if a line is
    longer than 1 MiB.

    Args:
        file: The file or pipe.

    Attributes:
        all_read: Whether the end of the file was reached.
    """

    def __init__(self, file: BinaryIO) -> None:
        # If a daemon thread holds the lock of a buffered reader when the interpreter ends, the interpreter aborts:
        # https://github.com/python/cpython/issues/87135
        self._source: BinaryIO = getattr(file, "raw", file)
        self._read_from: Callable[[int], bytes | None] = self._source.read
        self._ended = asyncio.Event()
        self._complete: deque[bytes] = deque()
        self._incomplete = b""
        self._byte_order_mark = codecs.BOM_UTF8
        self.all_read = False

    def __aiter__(self) -> InputLines:
        """Return itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next line.

        Raises:
            StopAsyncIteration: The end of the file was reached, or `end` was called.
            UnreadableError: The file cannot be read, or the line is longer than 1 MiB.
        """
        await asyncio.sleep(0)  # lets other tasks run first, which may call `end`
        while not (self._complete or self.all_read or self._ended.is_set()):
            await self._read()
        if self._ended.is_set() or not self._complete:
            raise StopAsyncIteration
        return self._complete.popleft()

    def end(self) -> None:
        """End the iteration, even while it waits for a line."""
        self._ended.set()

    async def count_rest(self) -> int:
        """Return the number of remaining lines that are not blank and can be read without waiting.

        `all_read` says whether these are all lines.
        """
        count, left = 0, _MAX_COUNTED
        while True:
            count += sum(1 for line in self._complete if line.strip())
            self._complete.clear()
            if self.all_read or left <= 0 or not _is_ready(self._source):
                return count
            try:
                left -= self._take(await asyncio.wrap_future(self._begin_to_read()))
            except UnreadableError:
                return count

    async def _read(self) -> None:
        """Read the next chunk, unless `end` is called first."""
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
        """Begin to read a chunk in a daemon thread.

        A thread of the event loop itself would delay the end of the command until there is input.
        """
        chunk: Future[bytes] = Future()

        def read() -> None:
            chunk.set_running_or_notify_cancel()
            try:
                while (got := self._read_from(_CHUNK_SIZE)) is None:  # the pipe is non-blocking and empty
                    select.select([self._source], [], [])
                chunk.set_result(got)
            except OSError as error:
                unreadable = UnreadableError(error.strerror or str(error))
                unreadable.__cause__ = error
                chunk.set_exception(unreadable)

        threading.Thread(target=read, daemon=True).start()
        return chunk

    def _take(self, chunk: bytes) -> int:
        """Split a chunk into lines, and return its size."""
        *lines, self._incomplete = (self._incomplete + chunk).split(b"\n")
        if not chunk:
            self.all_read = True
            lines, self._incomplete = [self._incomplete] if self._incomplete else [], b""
        for line in lines:
            self._complete.append(line.removeprefix(self._byte_order_mark).removesuffix(b"\r"))
            self._byte_order_mark = b""
        if len(self._incomplete) > _MAX_LINE:
            raise UnreadableError("it has a line of more than 1 MiB, so it is not a list of conferences")
        return len(chunk)


def _is_ready(source: BinaryIO) -> bool:
    """Return whether a read would not block."""
    try:
        number = source.fileno()
    except OSError:
        return True  # the content is in memory
    if stat.S_ISREG(os.fstat(number).st_mode):
        return True
    try:
        return bool(select.select([number], [], [], 0)[0])
    except (OSError, ValueError):
        return False  # select takes only sockets on Windows, and no descriptor above 1023
