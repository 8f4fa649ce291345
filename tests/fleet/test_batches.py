"""`FleetClient`: what it reads, what is new, and what a closed one does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from plivo_record_async import ClosedError, StartRequest
from plivo_record_async.fleet import BatchProgress, FleetClient


@pytest.fixture
async def client(tmp_path: Path) -> AsyncGenerator[FleetClient]:
    async with FleetClient(f"sqlite:///{tmp_path / 'fleet.db'}") as client:
        yield client


def waiting(count: int) -> BatchProgress:
    return BatchProgress(total=count, waiting=count, running=0, started=0, failed=0, unknown=0)


async def test_item_is_identified_by_its_content(client: FleetClient) -> None:
    assert await client.submit("monday", ["a", "b"]) == 2
    assert await client.submit("monday", ["c", "b", "a"]) == 1
    assert await client.submit("monday", [StartRequest("a"), StartRequest("a", file_format="wav")]) == 1
    assert await client.submit("monday", ["a"], transcribe=True) == 1
    assert await client.submit("monday", ["a", "a", StartRequest("a")]) == 2
    assert await client.submit("tuesday", ["a"]) == 1
    assert await client.progress("monday") == waiting(7)
    assert await client.progress("tuesday") == waiting(1)
    assert await client.progress("Monday") == waiting(0)


async def test_items_are_read_lazily(client: FleetClient) -> None:
    read: list[int] = []

    def rooms() -> Iterator[str]:
        for number in range(1000):
            read.append(number)
            yield f"room-{number}"
            if number == 500:
                raise OSError("the source of the names is gone")

    with pytest.raises(OSError, match="the source"):
        await client.submit("monday", rooms())
    assert len(read) == 501
    assert await client.progress("monday") == waiting(400)

    async def all_rooms() -> AsyncIterator[str]:
        for number in range(1000):
            yield f"room-{number}"

    assert await client.submit("monday", all_rooms()) == 600


@pytest.mark.parametrize("requests", ["standup", b"standup", 1])
async def test_what_is_no_iterable_of_items_is_refused(client: FleetClient, requests: Any) -> None:
    with pytest.raises(TypeError, match="requests must be an iterable"):
        await client.submit("monday", requests)


async def test_invalid_item_is_refused(client: FleetClient) -> None:
    with pytest.raises(ValueError, match="must have neither callback_url"):
        await client.submit("monday", [StartRequest("a", callback_url="https://me.example/")])
    with pytest.raises(ValueError, match="batch must not be empty"):
        await client.submit("", ["a"])
    with pytest.raises(TypeError):
        await client.submit("monday", [1])  # type: ignore[list-item]
    assert await client.progress("monday") == waiting(0)


async def test_batch_that_does_not_exist_has_no_outcomes(client: FleetClient) -> None:
    assert [outcome async for outcome in client.outcomes("monday")] == []


async def test_closed_client_is_refused_and_can_be_entered_again(tmp_path: Path) -> None:
    client = FleetClient(f"sqlite:///{tmp_path / 'fleet.db'}")
    with pytest.raises(ClosedError):
        await client.submit("monday", ["a"])
    for count in (1, 0):
        async with client:
            assert await client.submit("monday", ["a"]) == count
    with pytest.raises(ClosedError):
        await client.progress("monday")
