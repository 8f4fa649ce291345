"""The ways in which an exchange can go wrong, one coroutine function each."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.support.fault_server import Connection, Exchange, Fault, head, started
from tests.support.fault_server import works as works  # noqa: PLC0414 - the one fault that is none

# Before the request was read: nothing is executed


async def resets_on_accept(connection: Connection) -> None:
    connection.reset()


async def speaks_first(connection: Connection) -> None:
    """As a server does that tells an idle connection its time is over."""
    await connection.send(head(408, {"Connection": "close", "Content-Length": "0"}))
    await connection.close()


async def resets_unread(exchange: Exchange) -> None:
    exchange.reset()


async def closes_unread(exchange: Exchange) -> None:
    await exchange.close()


async def stalls_unread(exchange: Exchange) -> None:
    await exchange.stall()


# After the work was done: no answer, or a wrong one


async def executes_and_resets(exchange: Exchange) -> None:
    await exchange.execute()
    exchange.reset()


async def executes_and_closes(exchange: Exchange) -> None:
    await exchange.execute()
    await exchange.close()


async def executes_and_stalls(exchange: Exchange) -> None:
    """Answers in the end, if somebody releases it."""
    await exchange.execute()
    await exchange.stall()
    await works(exchange)


async def cut_in_head(exchange: Exchange) -> None:
    await exchange.execute()
    await exchange.send(head(202, {"Content-Length": "9"})[:-3])
    await exchange.close()


async def cut_in_body(exchange: Exchange) -> None:
    await exchange.execute()
    body = started(exchange.name)
    await exchange.send(head(202, {"Content-Length": str(len(body))}) + body[: len(body) // 2])
    await exchange.close()


async def cut_at_the_end(exchange: Exchange) -> None:
    """All of the JSON came, but not the mark that this was all."""
    await exchange.execute()
    body = started(exchange.name)
    await exchange.send(head(202, {"Transfer-Encoding": "chunked"}) + f"{len(body):x}\r\n".encode() + body + b"\r\n")
    await exchange.close()


async def stalls_in_body(exchange: Exchange) -> None:
    await exchange.execute()
    await exchange.send(head(202, {"Content-Length": "99"}) + b'{"api_id"')
    await exchange.stall()


async def duplicate_status_line(exchange: Exchange) -> None:
    await exchange.execute()
    await exchange.send(b"HTTP/1.1 202 Accepted\r\n" + head(202, {"Content-Length": "2"}) + b"{}")


async def garbage(exchange: Exchange) -> None:
    await exchange.execute()
    await exchange.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n")


async def huge_header(exchange: Exchange) -> None:
    await exchange.execute()
    await exchange.send(head(202, {"Content-Length": "2", "X-Padding": "x" * 1_000_000}) + b"{}")


async def huge_body(exchange: Exchange) -> None:
    """An answer that never ends, as fast as it is taken."""
    await exchange.execute()
    await exchange.send(head(202, {"Transfer-Encoding": "chunked"}))
    while True:
        await exchange.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


async def drips(exchange: Exchange) -> None:
    """A byte now and then: each read succeeds, and it never ends."""
    await exchange.execute()
    await exchange.send(head(202, {"Content-Length": "1000"}))
    while True:
        await exchange.send(b" ")
        await asyncio.sleep(0.02)


async def senseless(exchange: Exchange) -> None:
    await exchange.execute()
    await exchange.answer(202, b"<html>It works!</html>")


# In good order, but harmful to the next request if the client is not careful


async def no_content_declared(exchange: Exchange) -> None:
    """A 204 with a body and its length, as http://plivo.com/docs/api/conference/record/ shows it."""
    await exchange.execute()
    body = json.dumps({"message": "conference recording stopped", "api_id": "api-of-the-204"}).encode()
    await exchange.send(head(204, {"Content-Length": str(len(body))}) + body)


async def no_content_undeclared(exchange: Exchange) -> None:
    await exchange.execute()
    await exchange.send(head(204, {}) + b'{"message": "conference recording stopped"}')


async def answers_twice(exchange: Exchange) -> None:
    """The second answer must not pass for the answer to the next request."""
    await exchange.execute()
    body = started(exchange.name)
    await exchange.send(2 * (head(202, {"Content-Length": str(len(body))}) + body))


async def answers_and_closes(exchange: Exchange) -> None:
    """Closes a connection that it had promised to keep."""
    await works(exchange)
    await exchange.close()


async def answers_early(exchange: Exchange) -> None:
    """Refuses when it has seen the head only."""
    await exchange.answer(400, b'{"error": "too much for me"}')


# Answers


def answers(status: int, body: bytes = b"", *, executed: bool = False) -> Fault:
    async def answer(exchange: Exchange) -> None:
        await (exchange.execute() if executed else exchange.read())
        await exchange.answer(status, body)

    return answer


def fails(status: int, *, api_id: str | None = None, executed: bool = False) -> Fault:
    words = {"error": "out of order"} | ({} if api_id is None else {"api_id": api_id})
    return answers(status, json.dumps(words).encode(), executed=executed)


def throttles(retry_after: object = None) -> Fault:
    """429; ``retry_after`` is what the header says, or a `timedelta` to say it as an HTTP date."""

    async def throttle(exchange: Exchange) -> None:
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


def slowly(seconds: float, fault: Fault = works) -> Fault:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await fault(exchange)

    return slow
