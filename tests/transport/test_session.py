"""What belongs to one event loop ends with it, or before."""

from __future__ import annotations

import asyncio

import pytest

from plivo_record_async.errors import ConfigurationError
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


async def test_it_has_a_place_for_each_connection() -> None:
    session = await begin(Connections())
    for _ in range(3):
        await session.places.acquire()
    assert session.places.locked()
    await session.end()


def test_it_belongs_to_its_event_loop_until_that_is_closed() -> None:
    async def is_over() -> bool:
        return session.is_over()

    with asyncio.Runner() as runner:
        session = runner.run(begin(Connections()))
        assert runner.run(is_over()) is False
        with pytest.raises(ConfigurationError, match="in use in another event loop"):
            asyncio.run(is_over())
    assert asyncio.run(is_over()) is True
