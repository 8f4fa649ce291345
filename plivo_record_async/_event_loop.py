"""The event loop and the process that an object belongs to.

An object belongs to one event loop at a time. After its event loop has ended, it can be used in another one. So an
object that a module creates can be used in every event loop that the program runs, one after another.
"""

from __future__ import annotations

import asyncio
import os
import weakref

from plivo_record_async.errors import ConfigurationError

__all__ = ["LoopBinding"]


class LoopBinding:
    """The event loop and the process that an object belongs to.

    Args:
        name: The description of the object in errors.
        until_closed: Whether the object stays bound to an event loop that has stopped until that loop is closed,
            because it has connections that only this loop can close. If not, another event loop can use the object as
            soon as its own is not running.
    """

    def __init__(self, name: str, *, until_closed: bool = False) -> None:
        self._name = name
        self._until_closed = until_closed
        self._loop: weakref.ref[asyncio.AbstractEventLoop] | None = None
        self._process = 0

    def bind(self) -> bool:
        """Bind the object to the running event loop.

        Returns:
            True if the object was not bound to this event loop before.

        Raises:
            ConfigurationError: The object is in use in another event loop, or the process was forked while the object
                was in use.
        """
        process = os.getpid()
        if self._process not in (0, process):  # checked first, because a forked process has no running event loop
            raise ConfigurationError(
                f"{self._name} was in use before this process was forked; make one in each process after the fork, "
                "or close it before the fork"
            )
        loop = asyncio.get_running_loop()
        own = None if self._loop is None else self._loop()
        if own is loop:
            return False
        if own is not None and self._is_in_use(own):
            raise ConfigurationError(
                f"{self._name} is in use in another event loop that is still "
                f"{'open' if self._until_closed else 'running'}; make one in each event loop, or close it there first"
            )
        self._loop, self._process = weakref.ref(loop), process
        return True

    @property
    def is_forked(self) -> bool:
        """Whether this process was forked from the process that the object belongs to."""
        return self._process != 0 and self._process != os.getpid()

    def unbind(self) -> None:
        """Release the object, so that any event loop can bind it, even in a forked process."""
        self._loop, self._process = None, 0

    def _is_in_use(self, loop: asyncio.AbstractEventLoop) -> bool:
        return not loop.is_closed() if self._until_closed else loop.is_running()
