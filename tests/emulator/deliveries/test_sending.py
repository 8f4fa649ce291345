from __future__ import annotations

import asyncio
from contextlib import aclosing

from plivo_record_async.emulator.account.callbacks import DeliveryOptions, HttpCallback
from plivo_record_async.emulator.clock import RealClock
from plivo_record_async.emulator.deliveries.sending import CallbackSender, DeliveryResult


async def answer(response: bytes) -> DeliveryResult:
    """The result of a callback to a server that answers with these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, aclosing(CallbackSender(RealClock())) as sender:
        host, port = server.sockets[0].getsockname()
        request = HttpCallback(method="GET", url=f"http://{host}:{port}/", headers={}, content=None)
        return await sender.send(request, DeliveryOptions())


async def test_result_contains_the_answer() -> None:
    result = await answer(b"HTTP/1.1 403 No\r\nX-Why: \xe9\r\nContent-Length: 9\r\n\r\nbad token")
    assert (result.status, result.error, result.failure) == (403, "answered 403", "4xx")
    assert (result.headers["x-why"], result.body, result.body_bytes) == ("é", b"bad token", 9)


async def test_first_part_of_a_long_answer_is_kept() -> None:
    result = await answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert (len(result.body), result.body_bytes, result.error) == (16_384, 100_000, None)


async def test_answer_that_breaks_off_is_not_retried() -> None:
    result = await answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbad")
    assert (result.status, result.body, result.failure) == (200, b"bad", None)
    assert str(result.error).startswith("the answer broke off: ")
