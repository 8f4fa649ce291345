"""The background tasks of a tracker in one event loop, and how they end when it closes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

__all__ = ["BackgroundTasks"]


class BackgroundTasks:
    """The tasks that run beside the calls of a tracker.

    A task is *required* if it must run to its end, such as a user's handler: closing the tracker waits for it. A task
    is *droppable* if its work can be done again at any time, such as a reconciliation: closing cancels it.

    The task that closes the tracker may be one of these tasks. It neither waits for itself nor cancels itself.
    """

    def __init__(self) -> None:
        self._required: set[asyncio.Task[None]] = set()
        self._droppable: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], *, droppable: bool = False) -> asyncio.Task[None]:
        """Run a coroutine in a new task, and keep a reference to the task until it ends.

        Args:
            work: The coroutine.
            droppable: Whether closing the tracker cancels the task instead of waiting for it.

        Returns:
            The task.
        """
        task = asyncio.create_task(work)
        owner = self._droppable if droppable else self._required
        owner.add(task)
        task.add_done_callback(owner.discard)
        return task

    @property
    def required(self) -> Collection[asyncio.Task[None]]:
        """The required tasks that are running, apart from the current one."""
        return _others(self._required)

    @property
    def required_count(self) -> int:
        """The number of required tasks that are running."""
        return len(self._required)

    async def cancel_droppable(self) -> None:
        """Cancel the droppable tasks and wait until they have ended."""
        await _cancel(_others(self._droppable))

    async def cancel_required(self) -> None:
        """Cancel the required tasks and wait until they have ended."""
        await _cancel(_others(self._required))


def _others(tasks: set[asyncio.Task[None]]) -> Collection[asyncio.Task[None]]:
    return tasks - {task for task in [asyncio.current_task()] if task}


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
