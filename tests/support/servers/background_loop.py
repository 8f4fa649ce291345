"""An event loop in a thread of its own, for the servers of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

import attrs
from anyio.from_thread import BlockingPortal, start_blocking_portal

ContextT = TypeVar("ContextT")


@attrs.frozen
class BackgroundLoop:
    """An event loop in a thread of its own, and the ways to run something in it."""

    portal: BlockingPortal
    loop: asyncio.AbstractEventLoop

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the background loop and wait for it in this one."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    @contextmanager
    def enter(self, context: AbstractAsyncContextManager[ContextT]) -> Generator[ContextT]:
        """Keep an asynchronous context manager entered in the background loop for the length of the block."""
        with self.portal.wrap_async_context_manager(context) as entered:
            yield entered


@contextmanager
def background_loop() -> Generator[BackgroundLoop]:
    """Run an event loop in a thread of its own for the length of the block."""
    with start_blocking_portal() as portal:
        yield BackgroundLoop(portal, portal.call(running_loop))


async def running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()
