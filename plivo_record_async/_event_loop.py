"""The event loop and the process in which an object works: one of each at a time.

An object may move to another event loop once its own has ended, so one that a module defines serves every loop that the
program runs, one after another.
"""

from __future__ import annotations

import asyncio
import os
import weakref

from plivo_record_async.errors import ConfigurationError

__all__ = ["Home"]


class Home:
    """Where an object works.

    Args:
        name: The object, as errors name it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: weakref.ref[asyncio.AbstractEventLoop] | None = None
        self._process = 0

    def claim(self) -> bool:
        """Make the running event loop the object's own.

        Returns:
            Whether it is a new one.

        Raises:
            ConfigurationError: The object works in another event loop that is running, or the process was forked while
                it worked.
        """
        if self.is_forked:  # first of all, because a forked process has no running event loop
            raise ConfigurationError(
                f"{self._name} was in use before this process was forked; make one in each process, after the fork"
            )
        loop = asyncio.get_running_loop()
        own = None if self._loop is None else self._loop()
        if own is loop:
            return False
        if own is not None and own.is_running():
            raise ConfigurationError(
                f"{self._name} is in use in another event loop that is still running; make one in each event loop, or "
                "close it there first"
            )
        self._loop, self._process = weakref.ref(loop), os.getpid()
        return True

    @property
    def is_forked(self) -> bool:
        """Whether this process was forked from the one in which the object works."""
        return self._process not in {0, os.getpid()}

    def leave(self) -> None:
        """Let the next event loop have the object, in a forked process too."""
        self._loop, self._process = None, 0
