"""What a client holds in one event loop, from its first call there until it is closed or the loop ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import attrs

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
