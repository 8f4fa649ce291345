"""Printing that holds nothing up: a slow reader keeps a thread waiting, and never the event loop."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, asynccontextmanager
from queue import SimpleQueue
from typing import TextIO, TypeVar

__all__ = ["printing"]

NewsT = TypeVar("NewsT")

_MOST = 10_000
"""News that may wait for the reader; what comes on top is not shown, so that memory stays bounded."""

_PATIENCE = 2.0
"""Seconds that the reader has in the end to take what is left."""

log = logging.getLogger("plivo_record_async")


@asynccontextmanager
async def printing(
    view: AbstractContextManager[Callable[[NewsT], None]], ended: asyncio.Event
) -> AsyncGenerator[Callable[[NewsT], None]]:
    """Show in a daemon thread what is told in this block; telling neither waits nor fails.

    Args:
        view: Shows; it is entered, called and left in the thread.
        ended: Is set when nothing can be shown any more, as when the reader has gone.

    Yields:
        What tells.

    Raises:
        OSError: The reader had gone, or the disk was full; raised at the end of the block.
    """
    told: SimpleQueue[NewsT | None] = SimpleQueue()
    missed = 0

    def tell(news: NewsT) -> None:
        nonlocal missed
        if told.qsize() >= _MOST:
            missed += 1
            return
        told.put(news)
        if missed:
            number, missed = missed, 0
            log.warning("%d lines before this one were not shown, because the reader was too slow", number)

    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_unbuffered, streams)
    printed = asyncio.wrap_future(_in_thread(view, told))
    printed.add_done_callback(lambda _: ended.set())
    try:
        yield tell
    finally:
        told.put(None)
        done, _ = await asyncio.wait({printed}, timeout=_PATIENCE)
        if done:
            sys.stdout, sys.stderr = streams
            printed.result()


def _in_thread(view: AbstractContextManager[Callable[[NewsT], None]], told: SimpleQueue[NewsT | None]) -> Future[None]:
    over: Future[None] = Future()
    over.set_running_or_notify_cancel()

    def run() -> None:
        try:
            with view as show:
                while (news := told.get()) is not None:
                    show(news)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it goes to the block
            over.set_exception(error)
        else:
            over.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return over


def _unbuffered(stream: TextIO) -> TextIO:
    """The stream without its buffer, whose lock, held by a daemon thread, is fatal at the interpreter's end.

    https://github.com/python/cpython/issues/87135
    """
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if not isinstance(raw, io.FileIO):
        return stream
    file = io.FileIO(raw.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(file, stream.encoding, stream.errors, write_through=True)
