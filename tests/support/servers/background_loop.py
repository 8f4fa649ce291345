"""An event loop in a thread of its own, where the servers live."""

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
    """An event loop in a thread of its own, and a way to have things done there."""

    portal: BlockingPortal
    loop: asyncio.AbstractEventLoop

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done there; meanwhile this loop goes on."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    @contextmanager
    def enter(self, context: AbstractAsyncContextManager[ContextT]) -> Generator[ContextT]:
        with self.portal.wrap_async_context_manager(context) as entered:
            yield entered


@contextmanager
def background_loop() -> Generator[BackgroundLoop]:
    """An event loop in a thread of its own, for the length of the block."""
    with start_blocking_portal() as portal:
        yield BackgroundLoop(portal, portal.call(running_loop))


async def running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()
