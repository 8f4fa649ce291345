"""The state of a client in one event loop, from its first call there until the client is closed or the loop ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import attrs

from plivo_record_async.transport.attempt import Attempt

__all__ = ["Session"]


@attrs.define(eq=False, kw_only=True)
class Session:
    """The attempts of a client that run in one event loop, and the calls that wait there. Use `begin` to create one.

    Attributes:
        slots: The semaphore with one slot for each attempt that may run at the same time.
        waits: The timeouts of the calls that wait for a slot or for the quota.
        attempts: The attempts that are running.
        entered: The number of ``async with`` blocks of the client that are open.
        closed: Whether the client was closed, so that nothing more is sent.
        closing: The lock that is held while the client is being closed.
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

        An asynchronous generator closes the connections, because asyncio closes all asynchronous generators of an event
        loop that ends (`asyncio.loop.shutdown_asyncgens`). So no connection outlives its event loop, even if the client
        is never closed. The generator and the session refer to each other, so that deleting the client does not delete
        the generator before the event loop ends.

        Args:
            max_connections: The maximum number of attempts that run at the same time.
            close_connections: A function that closes the connections. It is called once, when the session ends.

        Returns:
            The session.
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
        """Close the connections, unless they were closed when their event loop ended."""
        await self._at_end.aclose()
