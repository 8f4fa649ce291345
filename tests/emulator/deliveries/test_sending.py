from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import aclosing

import httpx
import pytest

from plivo_record_async.emulator.account.callbacks import DeliveryOptions, HttpCallback
from plivo_record_async.emulator.clock import RealClock
from plivo_record_async.emulator.deliveries.sending import CallbackSender, DeliveryResult, unanswered


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
    assert (result.status, result.error, result.failure) == (403, "the receiver answered 403", "status")
    assert result.retry_class == "4xx"
    assert (result.headers["x-why"], result.body, result.body_bytes) == ("é", b"bad token", 9)


async def test_first_part_of_a_long_answer_is_kept() -> None:
    result = await answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert (len(result.body), result.body_bytes, result.error) == (16_384, 100_000, None)


async def test_answer_that_breaks_off_is_not_retried() -> None:
    result = await answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbad")
    assert (result.status, result.body, result.failure) == (200, b"bad", "broke_off")
    assert (result.error, result.retry_class) == ("the response broke off after 3 bytes", None)


@pytest.mark.parametrize(
    ("response", "failure", "error"),
    [
        (b"", "disconnected", "the receiver closed the connection without a response"),
        (b"no HTTP at all\r\n\r\n", "invalid_response", "the response is not valid HTTP"),
    ],
)
async def test_response_that_is_no_http_is_a_failure(response: bytes, failure: str, error: str) -> None:
    result = await answer(response)
    assert (result.failure, result.error, result.retry_class) == (failure, error, "rt")


@pytest.mark.parametrize(
    ("error", "failure", "words"),
    [
        (httpx.ReadError(""), "reset", "the connection was reset before a response arrived"),
        (httpx.ConnectError("network"), "unreachable", "no connection to h:1 is possible"),
        (httpx.UnsupportedProtocol("ftp"), "invalid_url", "the URL cannot be called"),
    ],
)
def test_exception_is_described_in_words(error: Exception, failure: str, words: str) -> None:
    result = unanswered(error, "http://h:1/cb", DeliveryOptions())
    assert (result.failure, result.error) == (failure, words)


def test_cause_of_a_failed_connection_is_found() -> None:
    error = httpx.ConnectError("All connection attempts failed")
    error.__cause__ = ExceptionGroup("several addresses", [OSError("a"), ConnectionRefusedError("b")])
    assert unanswered(error, "http://h:1/cb", DeliveryOptions()).error == "h:1 refused the connection"
    error.__cause__ = socket.gaierror(-2, "Name or service not known")
    assert unanswered(error, "http://h:1/cb", DeliveryOptions()).error == "the name in h:1 cannot be resolved"
    error.__cause__ = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1)")
    assert "the TLS connection to h:1 failed" in str(unanswered(error, "http://h:1/", DeliveryOptions()).error)
