"""Writing to a partial file in threads, so that the event loop is never blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import attrs

from plivo_record_async.protocol.media.resuming import RemoteFile
from plivo_record_async.transport.downloads.part_file import PartFile

__all__ = ["PartWriter", "in_thread"]

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

_WRITE_SIZE = 1024 * 1024
"""The number of bytes that are written at once."""

_MOST_PIECES = 4096
"""The number of pieces that are written at once, even if they are small, because each of them takes memory."""


@attrs.define
class PartWriter:
    """Writes to a partial file in a thread, while the next bytes are received.

    Attributes:
        part: The partial file.
    """

    part: PartFile
    _unwritten: list[bytes] = attrs.field(factory=list[bytes], init=False)
    _size: int = attrs.field(default=0, init=False)
    _writing: asyncio.Future[None] | None = attrs.field(default=None, init=False)

    async def add(self, piece: bytes) -> None:
        """Write bytes, together with later ones.

        Args:
            piece: The bytes.
        """
        self._unwritten.append(piece)
        self._size += len(piece)
        if self._size >= _WRITE_SIZE or len(self._unwritten) >= _MOST_PIECES:
            await self._write()

    async def restart(self, remote: RemoteFile) -> None:
        """Empty the partial file.

        Args:
            remote: The file that will be written to it.
        """
        self._unwritten, self._size = [], 0
        await self._settle()
        await in_thread(self.part.restart, remote)

    async def flush(self) -> None:
        """Write all bytes, and wait until they are written."""
        await self._write()
        await self._settle()

    async def _write(self) -> None:
        await self._settle()
        pieces, self._unwritten, self._size = self._unwritten, [], 0
        self._writing = asyncio.ensure_future(asyncio.to_thread(lambda: self.part.write(b"".join(pieces))))

    async def _settle(self) -> None:
        """Wait until the bytes that are being written are written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await _settled(writing)


async def in_thread(function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
    """Run a blocking function in a thread.

    If the caller is cancelled, the function is still awaited, because two threads must not use a file at the same time.

    Args:
        function: The function.
        *args: Its arguments.
        **kwargs: Its keyword arguments.

    Returns:
        The result of the function.
    """
    return await _settled(asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs)))


async def _settled(work: asyncio.Future[ResultT]) -> ResultT:
    """Return the result of a function that runs in a thread. If the caller is cancelled, it is still awaited."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            await asyncio.wait([work])
        raise
