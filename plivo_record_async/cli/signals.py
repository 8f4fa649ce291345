"""How SIGINT and SIGTERM end a command."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

__all__ = ["end_signal", "terminated_like_ctrl_c"]


def end_signal() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set from now on, instead of ending the process.

    The event loop handles the signals where it can, because each signal then wakes it up. A handler of the module
    `signal` alone does not if the signal arrives just before the main thread waits, while it releases the GIL.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(ended.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, ended.set)
        except NotImplementedError:  # on Windows
            signal.signal(number, end)
    return ended


@contextmanager
def terminated_like_ctrl_c() -> Generator[threading.Event]:
    """Let SIGTERM interrupt the program like SIGINT inside this block, so that it ends cleanly.

    In a thread, where Python allows no signal handlers, this changes nothing.

    Yields:
        An event that is set once SIGTERM has arrived.
    """
    terminated = threading.Event()

    def terminate(_number: int, _frame: FrameType | None) -> None:
        terminated.set()
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)
        else:  # a shell starts background processes with SIGINT ignored
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield terminated
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield terminated
    finally:
        signal.signal(signal.SIGTERM, before)
