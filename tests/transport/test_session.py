"""The state of a client in one event loop, which ends with the event loop or before it."""

from __future__ import annotations

import asyncio

from plivo_record_async.transport.session import Session


class Connections:
    closed = 0

    async def close(self) -> None:
        self.closed += 1
        await asyncio.sleep(0)


async def begin(connections: Connections) -> Session:
    return await Session.begin(3, connections.close)


def test_connections_are_closed_with_the_event_loop() -> None:
    connections = Connections()
    session = asyncio.run(begin(connections))
    assert connections.closed == 1
    asyncio.run(session.end())
    assert connections.closed == 1


async def test_ending_closes_connections_once() -> None:
    connections = Connections()
    session = await begin(connections)
    assert connections.closed == 0
    await session.end()
    await session.end()
    assert connections.closed == 1


async def test_session_has_a_slot_for_each_connection() -> None:
    session = await begin(Connections())
    for _ in range(3):
        await session.slots.acquire()
    assert session.slots.locked()
    await session.end()
