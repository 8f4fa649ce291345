"""Print in a thread, so that a slow reader of the output never blocks the event loop."""

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

EventT = TypeVar("EventT")

_MAX_WAITING = 10_000
"""The most events that wait to be shown. Further events are dropped, so that memory stays bounded."""

_FLUSH_TIMEOUT = 2.0
"""The seconds at the end in which the reader can read the remaining lines."""

log: logging.Logger = logging.getLogger("plivo_record_async")


@asynccontextmanager
async def printing(
    view: AbstractContextManager[Callable[[EventT], None]], ended: asyncio.Event
) -> AsyncGenerator[Callable[[EventT], None]]:
    """Show events in a daemon thread for as long as this block lasts.

    Args:
        view: A context manager that returns a function which shows an event. It is entered, called and left in the
            thread.
        ended: An event that is set when nothing more can be printed, for example because the reader has closed the
            pipe.

    Yields:
        A function that shows an event. It returns at once and raises nothing.

    Raises:
        OSError: The output could not be written. The error is raised at the end of the block.
    """
    waiting: SimpleQueue[EventT | None] = SimpleQueue()
    dropped = 0

    def show(event: EventT) -> None:
        nonlocal dropped
        if waiting.qsize() >= _MAX_WAITING:
            dropped += 1
            return
        waiting.put(event)
        if dropped:
            number, dropped = dropped, 0
            log.warning("%d lines before this one were not shown, because the reader was too slow", number)

    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_unbuffered, streams)
    printed = asyncio.wrap_future(_in_thread(view, waiting))
    printed.add_done_callback(lambda _: ended.set())
    try:
        yield show
    finally:
        waiting.put(None)
        done, _ = await asyncio.wait({printed}, timeout=_FLUSH_TIMEOUT)
        if done:
            sys.stdout, sys.stderr = streams
            printed.result()


def _in_thread(
    view: AbstractContextManager[Callable[[EventT], None]], waiting: SimpleQueue[EventT | None]
) -> Future[None]:
    """Start a thread that shows the events of a queue until it gets None. The future ends with the thread."""
    over: Future[None] = Future()
    over.set_running_or_notify_cancel()

    def run() -> None:
        try:
            with view as show:
                while (event := waiting.get()) is not None:
                    show(event)
        except BaseException as error:  # noqa: BLE001 - every exception is raised in the block
            over.set_exception(error)
        else:
            over.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return over


def _unbuffered(stream: TextIO) -> TextIO:
    """Return the stream without its buffer.

    If a daemon thread holds the lock of the buffer when the interpreter ends, the interpreter aborts:
    https://github.com/python/cpython/issues/87135
    """
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if not isinstance(raw, io.FileIO):
        return stream
    file = io.FileIO(raw.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(file, stream.encoding, stream.errors, write_through=True)
