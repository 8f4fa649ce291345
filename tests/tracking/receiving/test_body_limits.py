"""Which requests may send a body, and which are displaced when the memory is full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from plivo_record_async.tracking.receiving.body_limits import REQUEST_BYTES, BodyLimits, TooManyError, TooSlowError
from plivo_record_async.tracking.receiving.request_head import (
    LONGEST_BODY,
    ClientDisconnectedError,
    RequestBody,
    TooLargeError,
)

POST: dict[str, Any] = {"headers": [(b"transfer-encoding", b"chunked")]}
ROOM_FOR_THREE = 3 * REQUEST_BYTES


class Sender:
    """A request whose body arrives when the test says so."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.receive = self._messages.get
        self.request_body = RequestBody(POST, self.receive)

    def send(self, body: bytes, *, more_body: bool = True) -> None:
        self._messages.put_nowait({"type": "http.request", "body": body, "more_body": more_body})

    def hang_up(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})


async def read(limits: BodyLimits, sender: Sender, key: str | None = None) -> bytes:
    async with limits.body(sender.request_body, key) as body:
        return body


@asynccontextmanager
async def reading(limits: BodyLimits, *keys: str) -> AsyncGenerator[list[tuple[Sender, asyncio.Task[bytes]]]]:
    """Return requests that have begun to send their bodies, in this order, and have not ended."""
    senders = [Sender() for _ in keys]
    tasks = [asyncio.create_task(read(limits, sender, key)) for sender, key in zip(senders, keys, strict=True)]
    await asyncio.sleep(0)
    yield list(zip(senders, tasks, strict=True))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def prompt(body: bytes = b"a=b") -> Sender:
    sender = Sender()
    sender.send(body, more_body=False)
    return sender


async def test_a_body_is_read_to_its_end() -> None:
    limits, sender = BodyLimits(max_bytes=ROOM_FOR_THREE, seconds=10), Sender()
    for piece in (b"a=", b"", b"b"):
        sender.send(piece)
    sender.send(b"&c=d", more_body=False)
    assert await read(limits, sender) == b"a=b&c=d"


async def test_request_without_a_body_is_admitted_at_once() -> None:
    async def receive() -> Any:
        raise AssertionError("there is nothing to receive")

    request_body = RequestBody({"headers": [(b"content-length", b"0")]}, receive)
    async with BodyLimits(max_bytes=ROOM_FOR_THREE, seconds=10).body(request_body, None) as body:
        assert body == b""


async def test_body_without_a_length_is_read() -> None:
    """A caller that uses the application without a server need not announce the length."""
    sender = prompt(b"a=b")
    request_body = RequestBody({"headers": []}, sender.receive)
    async with BodyLimits(max_bytes=ROOM_FOR_THREE, seconds=10).body(request_body, None) as body:
        assert body == b"a=b"


async def test_body_that_does_not_arrive_in_time_is_rejected() -> None:
    sender = Sender()
    sender.send(b"a")
    with pytest.raises(TooSlowError, match=r"^its body was not received within 0.01 seconds$") as refused:
        await read(BodyLimits(max_bytes=ROOM_FOR_THREE, seconds=0.01), sender)
    assert refused.value.status == 408


async def test_a_body_that_is_too_long_is_rejected_as_soon_as_that_is_known() -> None:
    sender = Sender()
    sender.send(b"a" * LONGEST_BODY)
    sender.send(b"a")
    with pytest.raises(TooLargeError, match="no callback is so long"):
        await read(BodyLimits(max_bytes=2 * LONGEST_BODY, seconds=10), sender)


async def test_disconnected_request_frees_its_space() -> None:
    limits = BodyLimits(max_bytes=REQUEST_BYTES + 3, seconds=10)
    for _ in range(5):
        sender = Sender()
        sender.hang_up()
        with pytest.raises(ClientDisconnectedError):
            await read(limits, sender)
    assert await read(limits, prompt()) == b"a=b"


async def test_prompt_request_is_admitted_although_slow_ones_use_all_space() -> None:
    limits = BodyLimits(max_bytes=ROOM_FOR_THREE, seconds=10)
    async with reading(limits, "a", "a", "a") as [(_, first), (_, second), (_, third)]:
        assert await read(limits, prompt(b""), "b") == b""
        with pytest.raises(TooManyError, match="at the same time") as refused:
            await first
        assert refused.value.status == 503
        assert not second.done()
        assert not third.done()


async def test_largest_request_is_displaced_and_of_equals_the_oldest() -> None:
    limits = BodyLimits(max_bytes=4 * REQUEST_BYTES, seconds=10)
    async with reading(limits, "genuine", "captured", "other", "captured") as [(one, genuine), *others]:
        assert await read(limits, prompt(b""), "late") == b""
        await asyncio.wait([task for _, task in others], return_when=asyncio.FIRST_COMPLETED)
        assert [task.done() for _, task in others] == [True, False, False]
        one.send(b"a=b", more_body=False)
        assert await genuine == b"a=b"


async def test_bytes_count_like_requests() -> None:
    limits = BodyLimits(max_bytes=5 * REQUEST_BYTES, seconds=10)
    async with reading(limits, "a", "b") as [(small, first), (large, second)]:
        small.send(b"a")
        large.send(b"b" * 2 * REQUEST_BYTES)
        await asyncio.sleep(0.01)
        assert await read(limits, prompt(b"c" * REQUEST_BYTES), "c") == b"c" * REQUEST_BYTES
        with pytest.raises(TooManyError):
            await second
        assert not first.done()


async def test_largest_request_is_displaced_even_if_it_is_the_newest() -> None:
    limits = BodyLimits(max_bytes=2 * REQUEST_BYTES, seconds=10)
    async with reading(limits, "a") as [(_, first)]:
        with pytest.raises(TooManyError):
            await read(limits, prompt(b"b" * 2 * REQUEST_BYTES), "b")
        assert not first.done()
        assert await read(limits, prompt(b""), "c") == b""


async def test_body_keeps_its_space_until_it_is_verified() -> None:
    limits = BodyLimits(max_bytes=2 * REQUEST_BYTES + 3, seconds=10)
    async with AsyncExitStack() as verifying:
        for key in ("a", "a"):
            await verifying.enter_async_context(limits.body(prompt(b"").request_body, key))
        with pytest.raises(TooManyError):
            await read(limits, prompt(), "b")
    assert await read(limits, prompt(), "b") == b"a=b"


async def test_displaced_request_uses_no_space_although_more_of_it_arrives() -> None:
    limits = BodyLimits(max_bytes=2 * REQUEST_BYTES, seconds=10)
    async with reading(limits, "a", "a") as [(sender, first), (other, second)]:
        sender.send(b"a" * REQUEST_BYTES)  # it is read at the moment in which the room is taken away
        assert await read(limits, prompt(b""), "b") == b""
        with pytest.raises(TooManyError):
            await first
        assert await read(limits, prompt(b""), "b") == b""
        await asyncio.sleep(0)  # a request that is displaced is notified now
        other.send(b"", more_body=False)
        assert await second == b""
