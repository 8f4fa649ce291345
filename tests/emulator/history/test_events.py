from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import attrs

from plivo_record_async.emulator.history.events import EventStream


@attrs.frozen
class Entry:
    id: int

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "text": "a\nb"}


async def events(listening: AsyncGenerator[bytes], count: int) -> list[tuple[str, str, Any]]:
    """The next events: ID, kind and data."""
    found: list[tuple[str, str, Any]] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            for block in (await anext(listening)).decode().split("\n\n"):
                if block and not block.startswith(":"):
                    fields = dict(line.split(": ", 1) for line in block.split("\n"))
                    found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


async def test_listener_receives_events_from_now_on() -> None:
    stream = EventStream(10)
    stream.publish("request", Entry(1))
    listening = stream.listen()
    assert (await anext(listening)).startswith(b":")
    stream.publish("delivery", Entry(2))
    ((_, kind, data),) = await events(listening, 1)
    assert (kind, data) == ("delivery", {"id": 2, "text": "a\nb"})
    waiting = asyncio.create_task(events(listening, 1))
    await asyncio.sleep(0)
    stream.publish("recording", Entry(3))
    assert [each[1] for each in await waiting] == ["recording"]
    await listening.aclose()


async def test_listener_continues_after_the_last_event_that_it_received() -> None:
    stream = EventStream(10)
    first = stream.listen()
    await anext(first)
    for number in (1, 2, 3):
        stream.publish("request", Entry(number))
    ids = [each[0] for each in await events(first, 3)]
    assert [each[2]["id"] for each in await events(stream.listen(ids[0]), 2)] == [2, 3]
    last = stream.listen(ids[2])
    await anext(last)
    stream.publish("request", Entry(4))
    assert [each[2]["id"] for each in await events(last, 1)] == [4]


async def test_listener_that_cannot_continue_receives_a_reset() -> None:
    stream = EventStream(2)
    first = stream.listen()
    await anext(first)
    stream.publish("request", Entry(0))
    ((early, _, _),) = await events(first, 1)
    for number in range(1, 5):
        stream.publish("request", Entry(number))
    for last_event_id in (
        early,
        "another-1",
        "",
        *(early.split("-")[0] + f"-{number}" for number in ("999", "1" * 5000, "²", "-1", "1_0")),
    ):
        ((_, kind, data),) = await events(stream.listen(last_event_id), 1)
        assert (kind, list(data)) == ("reset", ["reason"])
    ((resumed, kind, _),) = await events(first, 1)  # this one was too slow
    assert kind == "reset"
    stream.publish("request", Entry(5))
    assert [each[2]["id"] for each in await events(stream.listen(resumed), 1)] == [5]


async def test_stream_without_events_sends_a_comment() -> None:
    stream = EventStream(2, heartbeat=0.01)
    listening = stream.listen()
    assert await anext(listening) == await anext(listening) == b": the emulator is running\n\n"


async def test_closed_stream_ends_its_listeners() -> None:
    stream = EventStream(2)
    listening = stream.listen()
    await anext(listening)
    stream.close()
    assert [each async for each in listening] == []


async def test_events_may_be_published_by_another_thread() -> None:
    stream = EventStream(10)
    listening = stream.listen()
    await anext(listening)
    waiting = asyncio.create_task(events(listening, 1))
    await asyncio.sleep(0)
    await asyncio.to_thread(stream.publish, "fault", Entry(1))
    assert [each[1] for each in await waiting] == ["fault"]


@attrs.frozen
class Counted:
    """An entry that counts how often it is formatted."""

    formatted: list[int]

    def to_dict(self) -> dict[str, Any]:
        self.formatted.append(1)
        return {"text": "x" * 5_000}


async def test_event_is_formatted_once_for_all_listeners() -> None:
    stream = EventStream(100)
    listeners = [stream.listen() for _ in range(50)]
    for listener in listeners:
        await anext(listener)
    formatted: list[int] = []
    stream.publish("request", Counted(formatted))
    assert len({await anext(listener) for listener in listeners}) == 1
    assert len(formatted) == 1


async def test_listener_receives_a_small_piece_at_a_time() -> None:
    stream = EventStream(100)
    listener = stream.listen()
    await anext(listener)
    for _ in range(50):
        stream.publish("request", Counted([]))
    received = 0
    while received < 50:
        piece = await anext(listener)
        assert len(piece) < 25_000
        received += piece.count(b"event: request")
    assert received == 50
