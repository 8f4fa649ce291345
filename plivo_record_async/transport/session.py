"""The state of a client in one event loop, from its first call there until it is closed or the event loop ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import attrs

from plivo_record_async.transport.attempt import Attempt

__all__ = ["Session"]


@attrs.define(eq=False, kw_only=True)
class Session:
    """The attempts of one event loop, and the calls that wait there. `begin` makes one.

    Attributes:
        slots: One for each attempt that may run at the same time.
        waits: The timeouts of the calls that wait for a slot or for the quota.
        attempts: The attempts that are running.
        entered: How many ``async with`` blocks have entered the client and not left it.
        closed: Whether nothing is sent any more.
        closing: Held while the client is being closed.
    """

    slots: asyncio.Semaphore
    waits: set[asyncio.Timeout] = attrs.field(factory=set[asyncio.Timeout])
    attempts: set[Attempt] = attrs.field(factory=set[Attempt])
    entered: int = 0
    closed: bool = False
    closing: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    _at_end: AsyncGenerator[None, None] = attrs.field(alias="at_end")

    @classmethod
    async def begin(cls, max_connections: int, close_connections: Callable[[], Awaitable[None]]) -> Session:
        """Begin a session in the running event loop.

        An asynchronous generator closes the connections, because asyncio closes the generators of an event loop that
        ends (`asyncio.loop.shutdown_asyncgens`). So no connection outlives its event loop if the client is not closed.
        The generator refers to the session, which refers to the generator. Otherwise a client that is deleted would
        take the generator with it before the event loop ends.

        Args:
            max_connections: The most attempts that run at the same time.
            close_connections: Called once, when the session ends.
        """

        async def at_end() -> AsyncGenerator[None, None]:
            try:
                yield
            finally:
                session.closed = True
                await close_connections()

        session = cls(slots=asyncio.Semaphore(max_connections), at_end=at_end())
        await anext(session._at_end)
        return session

    async def end(self) -> None:
        """Close the connections, unless the end of the event loop has done so."""
        await self._at_end.aclose()
