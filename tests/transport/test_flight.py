"""One request under way: its end is known by its deadline, and its connection is held until it is really over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpcore
import httpx
import pytest

from plivo_record_async import NotSentError, OutcomeUnknownError, RateLimit
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.api.responses import Reply
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.settings import Settings
from plivo_record_async.transport.connectors.choice import open_connector
from plivo_record_async.transport.connectors.connector import Connector, Exchange
from plivo_record_async.transport.flight import Call, End, Flight
from plivo_record_async.transport.limiter import Quota
from plivo_record_async.transport.sender import Sender
from tests.support import virtual_time

SETTINGS = Settings(auth_id="MAXXXXXXXXXXXXXXXXXX", auth_token="t", base_url="http://h")

Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


class Pool(httpx.AsyncHTTPTransport):
    """A user's variety of httpx's pool: it is never cancelled."""

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._handler = handler

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._handler(request)


def connector(handler: Handler, *, pool: bool = False) -> Connector:
    transport = Pool(handler) if pool else httpx.MockTransport(handler)
    return open_connector(SETTINGS, transport)


def now() -> float:
    return asyncio.get_running_loop().time()


def start(seconds: float) -> Call[Any]:
    return Call(request=endpoints.start_recording(StartRequest("standup")), deadline=now() + seconds)


def launch(connector: Connector, seconds: float = 10.0) -> tuple[Flight, list[End]]:
    ends: list[End] = []
    call = start(seconds)
    exchange = Exchange(deadline=call.deadline, clock=asyncio.get_running_loop().time)
    return Flight(connector, call, exchange, at_end=lambda _, end: ends.append(end)), ends


async def tell_of_sending(request: httpx.Request) -> None:
    info = {"request": httpcore.Request("POST", "http://h/")}
    await request.extensions["trace"]("http11.send_request_headers.started", info)


async def answers(request: httpx.Request) -> httpx.Response:
    return httpx.Response(202, json={"api_id": "a"})


async def breaks(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def answers_after(seconds: float, *, status: int = 202) -> Handler:
    async def handler(request: httpx.Request) -> httpx.Response:
        await tell_of_sending(request)
        await asyncio.sleep(seconds)
        return httpx.Response(status, json={"api_id": "a"})

    return handler


@pytest.mark.parametrize("pool", [False, True])
def test_an_answer_ends_it(pool: bool) -> None:
    async def main() -> None:
        flight, ends = launch(connector(answers, pool=pool))
        had_ended = flight.has_ended
        reply = await flight.reply()
        assert (reply.status, reply.complete) == (202, True)
        assert (had_ended, flight.has_ended) == (False, True)
        assert ends == [reply]

    virtual_time.run(main())


@pytest.mark.parametrize("pool", [False, True])
def test_a_failure_ends_it(pool: bool) -> None:
    async def main() -> None:
        flight, ends = launch(connector(breaks, pool=pool))
        with pytest.raises(NotSentError, match="ConnectError: refused") as caught:
            await flight.reply()
        assert ends == [caught.value]
        assert isinstance(caught.value.__cause__, httpx.ConnectError)

    virtual_time.run(main())


@pytest.mark.parametrize("pool", [False, True])
def test_its_end_is_known_at_the_deadline(pool: bool) -> None:
    async def main() -> None:
        flight, ends = launch(connector(answers_after(25.0), pool=pool))
        with pytest.raises(OutcomeUnknownError, match="the deadline passed"):
            await flight.reply()
        assert now() == 10.0
        assert flight.task.done() is (not pool)
        await asyncio.wait([flight.task])
        await asyncio.sleep(0)
        assert now() == (25.0 if pool else 10.0)
        assert len(ends) == 1

    virtual_time.run(main())


@pytest.mark.parametrize("given_up_at", [3.0, 10.0])
def test_what_is_given_up_is_not_sent_later(given_up_at: float) -> None:
    sent: list[float] = []

    async def handler(request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("connection.connect_tcp.started", {})
        await asyncio.sleep(20.0)
        await tell_of_sending(request)
        sent.append(now())
        raise AssertionError("unreachable")

    async def main() -> None:
        flight, _ = launch(connector(handler, pool=True))
        if given_up_at < 10.0:
            await asyncio.sleep(given_up_at)
            flight.give_up(asyncio.CancelledError())
        with pytest.raises(NotSentError):
            await flight.reply()
        assert now() == given_up_at
        await asyncio.wait([flight.task])
        assert now() == 20.0

    virtual_time.run(main())
    assert sent == []


def test_what_comes_too_late_is_still_heeded_and_holds_its_place() -> None:
    """A 429 pauses the client even if it came after the deadline; and a connection is one until it ends."""

    async def main() -> None:
        quota = Quota(RateLimit(3, per=1.0))
        sender = Sender(connector(answers_after(20.0, status=429), pool=True), quota, max_connections=1)
        with pytest.raises(OutcomeUnknownError):
            await sender.send(start(10.0))
        assert (now(), quota.paused_for) == (10.0, -float("inf"))
        with pytest.raises(NotSentError, match="a free connection"):
            await sender.send(start(5.0))
        with pytest.raises(NotSentError, match="the account's quota"):
            await sender.send(start(6.0))
        assert now() == 21.0
        assert quota.paused_for == pytest.approx(4.0)

    virtual_time.run(main())


def test_giving_up_at_once_cancels_a_pool_too() -> None:
    async def main() -> None:
        flight, ends = launch(connector(answers_after(25.0), pool=True))
        await asyncio.sleep(1.0)
        flight.give_up(asyncio.CancelledError(), at_once=True)
        with pytest.raises(OutcomeUnknownError, match="the client was closed before it had ended"):
            await flight.reply()
        assert (now(), len(ends)) == (1.0, 1)

    virtual_time.run(main())


def test_the_first_reason_counts() -> None:
    async def main() -> None:
        flight, _ = launch(connector(answers_after(25.0)), seconds=10.0)
        await asyncio.sleep(1.0)
        flight.give_up(ValueError("first"))
        flight.give_up(asyncio.CancelledError())
        with pytest.raises(OutcomeUnknownError, match="ValueError: first"):
            await flight.reply()

    virtual_time.run(main())


def test_who_asks_to_be_told_is_told_its_end() -> None:
    async def main() -> None:
        flight, _ = launch(connector(answers))
        told: list[End] = []
        flight.when_ended(told.append)
        reply = await flight.reply()
        await asyncio.sleep(0)
        assert told == [reply]
        assert isinstance(told[0], Reply)

    virtual_time.run(main())


def test_an_exception_that_nobody_asks_for_is_not_complained_of() -> None:
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))

        async def breaks_late(request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(20.0)
            raise httpx.ReadError("broken")

        flight, _ = launch(connector(breaks_late, pool=True))
        with pytest.raises(OutcomeUnknownError):
            await flight.reply()
        await asyncio.wait([flight.task])
        del flight

    virtual_time.run(main())
    assert complaints == []
