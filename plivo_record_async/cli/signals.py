"""SIGINT and SIGTERM: how a command is told to end."""

from __future__ import annotations

import asyncio
import signal
import threading
from types import FrameType

__all__ = ["end_signal", "terminate_like_ctrl_c"]


def end_signal() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set from now on, instead of ending the process."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(ended.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return ended


def terminate_like_ctrl_c() -> None:
    """Let SIGTERM do from now on what SIGINT does, so that nothing is left behind.

    In a thread, where Python allows no handlers, it does nothing: whoever embeds a command handles the signals.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda _number, _frame: signal.raise_signal(signal.SIGINT))
