"""Lines of a file or pipe as they come, without ever stopping the event loop."""

from __future__ import annotations

import asyncio
import codecs
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from typing import Any, BinaryIO

__all__ = ["lines"]

_AT_ONCE = 64 * 1024


async def lines(file: BinaryIO, ended: asyncio.Event) -> AsyncGenerator[bytes, None]:
    """Each line without its end, and without a byte order mark; no more is read ahead than 64 KiB.

    Args:
        file: The file or pipe.
        ended: Once it is set no line is given, nor waited for, any more.

    Raises:
        OSError: The file cannot be read.
    """
    rest, mark = b"", codecs.BOM_UTF8
    while chunk := await _read(file, ended):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if ended.is_set():
                return
            yield line.removeprefix(mark).removesuffix(b"\r")
            mark = b""
    if rest and not ended.is_set():
        yield rest.removeprefix(mark)


async def _read(file: BinaryIO, ended: asyncio.Event) -> bytes:
    """What there is, waiting for it in a daemon thread; nothing if that is ``ended`` first.

    A thread of the loop's own executor would be joined at the end, so an interrupt would wait for the pipe's next
    line; and a buffered reader's lock, held by a daemon thread, is fatal at the interpreter's end:
    https://github.com/python/cpython/issues/87135
    """
    source: BinaryIO = getattr(file, "raw", file)
    chunk: Future[bytes] = Future()

    def read() -> None:
        chunk.set_running_or_notify_cancel()
        try:
            chunk.set_result(source.read(_AT_ONCE) or b"")
        except OSError as error:
            chunk.set_exception(error)

    threading.Thread(target=read, daemon=True).start()
    reading = asyncio.wrap_future(chunk)
    ending = asyncio.create_task(ended.wait())
    either: set[asyncio.Future[Any]] = {reading, ending}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.cancel()
    return reading.result() if reading.done() else b""
