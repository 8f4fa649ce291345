"""The ways in which the fault server misbehaves: each is a `Fault`, or returns one."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.support.servers.fault_server import Connection, Fault, ServerRequest, response_head, started_body
from tests.support.servers.fault_server import succeeds as succeeds  # noqa: PLC0414 - listed here because tests use it like a fault

# Before the request was read: nothing is executed


async def resets_on_accept(connection: Connection) -> None:
    connection.reset()


async def sends_408_on_accept(connection: Connection) -> None:
    """Send 408 before any request, as servers do on idle connections."""
    await connection.send(response_head(408, {"Connection": "close", "Content-Length": "0"}))
    await connection.close()


async def resets_unread(exchange: ServerRequest) -> None:
    exchange.reset()


async def closes_unread(exchange: ServerRequest) -> None:
    await exchange.close()


async def stalls_unread(exchange: ServerRequest) -> None:
    await exchange.stall()


# After the work was done: no answer, or a wrong one


async def executes_and_resets(exchange: ServerRequest) -> None:
    await exchange.execute()
    exchange.reset()


async def executes_and_closes(exchange: ServerRequest) -> None:
    await exchange.execute()
    await exchange.close()


async def executes_and_stalls(exchange: ServerRequest) -> None:
    """Answer after `FaultServer.release`."""
    await exchange.execute()
    await exchange.stall()
    await succeeds(exchange)


async def cuts_in_head(exchange: ServerRequest) -> None:
    await exchange.execute()
    await exchange.send(response_head(202, {"Content-Length": "9"})[:-3])
    await exchange.close()


async def cuts_in_body(exchange: ServerRequest) -> None:
    await exchange.execute()
    body = started_body(exchange.name)
    await exchange.send(response_head(202, {"Content-Length": str(len(body))}) + body[: len(body) // 2])
    await exchange.close()


async def cuts_before_last_chunk(exchange: ServerRequest) -> None:
    """Send all of the JSON, but not the last chunk that ends a chunked body."""
    await exchange.execute()
    body = started_body(exchange.name)
    await exchange.send(
        response_head(202, {"Transfer-Encoding": "chunked"}) + f"{len(body):x}\r\n".encode() + body + b"\r\n"
    )
    await exchange.close()


async def stalls_in_body(exchange: ServerRequest) -> None:
    await exchange.execute()
    await exchange.send(response_head(202, {"Content-Length": "99"}) + b'{"api_id"')
    await exchange.stall()


async def answers_duplicate_status_line(exchange: ServerRequest) -> None:
    await exchange.execute()
    await exchange.send(b"HTTP/1.1 202 Accepted\r\n" + response_head(202, {"Content-Length": "2"}) + b"{}")


async def answers_garbage(exchange: ServerRequest) -> None:
    await exchange.execute()
    await exchange.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n")


async def answers_huge_header(exchange: ServerRequest) -> None:
    await exchange.execute()
    await exchange.send(response_head(202, {"Content-Length": "2", "X-Padding": "x" * 1_000_000}) + b"{}")


async def answers_endless_body(exchange: ServerRequest) -> None:
    """Send a body that never ends, as fast as the client reads it."""
    await exchange.execute()
    await exchange.send(response_head(202, {"Transfer-Encoding": "chunked"}))
    while True:
        await exchange.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


async def answers_byte_by_byte(exchange: ServerRequest) -> None:
    """Send one byte at a time, so that each read succeeds and the body never ends."""
    await exchange.execute()
    await exchange.send(response_head(202, {"Content-Length": "1000"}))
    while True:
        await exchange.send(b" ")
        await asyncio.sleep(0.02)


async def answers_html(exchange: ServerRequest) -> None:
    await exchange.execute()
    await exchange.answer(202, b"<html>It works!</html>")


# In good order, but harmful to the next request if the client is not careful


async def answers_204_with_declared_body(exchange: ServerRequest) -> None:
    """A 204 with a body and its length, as http://plivo.com/docs/api/conference/record/ shows it."""
    await exchange.execute()
    body = json.dumps({"message": "conference recording stopped", "api_id": "api-of-the-204"}).encode()
    await exchange.send(response_head(204, {"Content-Length": str(len(body))}) + body)


async def answers_204_with_undeclared_body(exchange: ServerRequest) -> None:
    await exchange.execute()
    await exchange.send(response_head(204, {}) + b'{"message": "conference recording stopped"}')


async def answers_twice(exchange: ServerRequest) -> None:
    """The second answer must not pass for the answer to the next request."""
    await exchange.execute()
    body = started_body(exchange.name)
    await exchange.send(2 * (response_head(202, {"Content-Length": str(len(body))}) + body))


async def answers_and_closes(exchange: ServerRequest) -> None:
    """Close a connection that should stay open."""
    await succeeds(exchange)
    await exchange.close()


async def answers_400_before_the_body(exchange: ServerRequest) -> None:
    """Refuse a request of which only the head has been read."""
    await exchange.answer(400, b'{"error": "too much for me"}')


# Answers


def answers(status: int, body: bytes = b"", *, executed: bool = False) -> Fault:
    async def answer(exchange: ServerRequest) -> None:
        await (exchange.execute() if executed else exchange.read())
        await exchange.answer(status, body)

    return answer


def answers_error(status: int, *, api_id: str | None = None, executed: bool = False) -> Fault:
    words = {"error": "out of order"} | ({} if api_id is None else {"api_id": api_id})
    return answers(status, json.dumps(words).encode(), executed=executed)


def answers_429(retry_after: object = None) -> Fault:
    """Answer 429; ``retry_after`` is the value of the header, or a `timedelta` that is sent as an HTTP date."""

    async def throttle(exchange: ServerRequest) -> None:
        await exchange.read()
        match retry_after:
            case None:
                await exchange.answer(429, b"{}")
            case timedelta():
                date = format_datetime(datetime.now(UTC) + retry_after, usegmt=True)
                await exchange.answer(429, b"{}", Retry_After=date)
            case _:
                await exchange.answer(429, b"{}", Retry_After=str(retry_after))

    return throttle


def delayed(seconds: float, fault: Fault = succeeds) -> Fault:
    async def slow(exchange: ServerRequest) -> None:
        await asyncio.sleep(seconds)
        await fault(exchange)

    return slow
