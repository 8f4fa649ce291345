"""What a client holds in one event loop, from its first call there until it is closed or the loop ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable

import attrs

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.transport.flight import Flight

__all__ = ["Session"]


@attrs.define(eq=False, kw_only=True)
class Session:
    """The tasks and waiters of one event loop. `begin` makes one.

    Attributes:
        places: One for each request that may be under way.
        waiting: The timeouts of the calls that wait for their turn.
        under_way: The requests that are being sent or answered.
        entered: How many ``async with`` blocks have entered the client and not left it.
        closed: Whether nothing is sent any more.
        closing: Held while the client is being closed.
    """

    places: asyncio.Semaphore
    waiting: set[asyncio.Timeout] = attrs.field(factory=set[asyncio.Timeout])
    under_way: set[Flight] = attrs.field(factory=set[Flight])
    entered: int = 0
    closed: bool = False
    closing: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    _loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop)
    _process: int = attrs.field(factory=os.getpid)
    _at_end: AsyncGenerator[None, None] = attrs.field(alias="at_end")

    @classmethod
    async def begin(cls, max_connections: int, close_connections: Callable[[], Awaitable[None]]) -> Session:
        """Begin in the running event loop; ``close_connections`` is called once, when the session ends.

        It is called by an asynchronous generator, because asyncio closes those of an event loop that ends
        (`asyncio.loop.shutdown_asyncgens`): so no connection outlives its loop if nobody closes the client. It refers
        to the session that refers to it; otherwise it would be gone when the loop looks for it, if the client is.
        """

        async def at_end() -> AsyncGenerator[None, None]:
            try:
                yield
            finally:
                session.closed = True
                await close_connections()

        session = cls(places=asyncio.Semaphore(max_connections), at_end=at_end())
        await anext(session._at_end)
        return session

    async def end(self) -> None:
        """Close the connections, if the end of the event loop has not done so."""
        await self._at_end.aclose()

    def is_over(self) -> bool:
        """Whether its event loop has ended, so that another one may begin.

        Raises:
            ConfigurationError: It is in use in another event loop, or was used before this process was forked.
        """
        if self._process != os.getpid():
            raise ConfigurationError(
                "this client was used before the process forked: make one in each process, or close it before the fork"
            )
        if self._loop is not asyncio.get_running_loop() and not self._loop.is_closed():
            raise ConfigurationError(
                "this client is in use in another event loop, and a client serves one event loop at a time: "
                "close it there first (await client.aclose()), or make one in each event loop"
            )
        return self._loop.is_closed()
