"""One attempt: its result is known by its deadline, and its connection is in use until its task is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpcore
import httpx
import pytest

from plivo_record_async import ClosedError, NotSentError, OutcomeUnknownError, RateLimit
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.settings import Settings
from plivo_record_async.transport.attempt import Attempt, AttemptResult, Call
from plivo_record_async.transport.connectors.choice import open_connector
from plivo_record_async.transport.connectors.connector import Connector
from plivo_record_async.transport.connectors.exchange import Exchange
from plivo_record_async.transport.observed_call import ObservedCall
from plivo_record_async.transport.quota import Quota
from plivo_record_async.transport.sender import Sender
from tests.support import virtual_time

SETTINGS = Settings(auth_id="MAXXXXXXXXXXXXXXXXXX", auth_token="t", base_url="http://h")

Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


class Pool(httpx.AsyncHTTPTransport):
    """A subclass of httpx's transport with a pool, in which requests are never cancelled."""

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
    request = endpoints.start_recording(StartRequest("standup"))
    return Call(request=request, observed=ObservedCall.of(request), deadline=now() + seconds)


def begin(connector: Connector, seconds: float = 10.0) -> tuple[Attempt, list[AttemptResult]]:
    results: list[AttemptResult] = []
    call = start(seconds)
    exchange = Exchange(deadline=call.deadline, clock=asyncio.get_running_loop().time)
    return Attempt(connector, call, exchange, on_done=lambda _, result: results.append(result)), results


async def report_sending(request: httpx.Request) -> None:
    info = {"request": httpcore.Request("POST", "http://h/")}
    await request.extensions["trace"]("http11.send_request_headers.started", info)


async def answers(request: httpx.Request) -> httpx.Response:
    return httpx.Response(202, json={"api_id": "a"})


async def breaks(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def answers_after(seconds: float, *, status: int = 202) -> Handler:
    async def handler(request: httpx.Request) -> httpx.Response:
        await report_sending(request)
        await asyncio.sleep(seconds)
        return httpx.Response(status, json={"api_id": "a"})

    return handler


@pytest.mark.parametrize("pool", [False, True])
def test_response_is_the_result(pool: bool) -> None:
    async def main() -> None:
        attempt, results = begin(connector(answers, pool=pool))
        had_result = attempt.has_result
        response = await attempt.response()
        assert (response.status, response.complete) == (202, True)
        assert (had_result, attempt.has_result) == (False, True)
        assert results == [response]

    virtual_time.run(main())


@pytest.mark.parametrize("pool", [False, True])
def test_failure_is_the_result(pool: bool) -> None:
    async def main() -> None:
        attempt, results = begin(connector(breaks, pool=pool))
        with pytest.raises(NotSentError, match="ConnectError: refused") as caught:
            await attempt.response()
        assert results == [caught.value]
        assert isinstance(caught.value.__cause__, httpx.ConnectError)

    virtual_time.run(main())


@pytest.mark.parametrize("pool", [False, True])
def test_result_is_known_at_the_deadline(pool: bool) -> None:
    async def main() -> None:
        attempt, results = begin(connector(answers_after(25.0), pool=pool))
        with pytest.raises(OutcomeUnknownError, match="the deadline passed"):
            await attempt.response()
        assert now() == 10.0
        assert attempt.task.done() is (not pool)
        await asyncio.wait([attempt.task])
        await asyncio.sleep(0)
        assert now() == (25.0 if pool else 10.0)
        assert len(results) == 1

    virtual_time.run(main())


@pytest.mark.parametrize(("attempt", "error"), [(1, ClosedError), (2, NotSentError)])
def test_only_the_first_attempt_on_a_closed_client_raises_closed_error(attempt: int, error: type[Exception]) -> None:
    async def main() -> None:
        call = start(10.0)
        call.observed.attempts = attempt
        closed = call.closed_error(Exchange())
        assert type(closed) is error
        assert "start of 'standup': the client " in str(closed)
        assert "othing was sent" in str(closed)

    virtual_time.run(main())


@pytest.mark.parametrize("abandoned_at", [3.0, 10.0])
def test_an_abandoned_attempt_is_not_sent_later(abandoned_at: float) -> None:
    sent: list[float] = []

    async def handler(request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("connection.connect_tcp.started", {})
        await asyncio.sleep(20.0)
        await report_sending(request)
        sent.append(now())
        raise AssertionError("unreachable")

    async def main() -> None:
        attempt, _ = begin(connector(handler, pool=True))
        if abandoned_at < 10.0:
            await asyncio.sleep(abandoned_at)
            attempt.abandon(asyncio.CancelledError())
        with pytest.raises(NotSentError):
            await attempt.response()
        assert now() == abandoned_at
        await asyncio.wait([attempt.task])
        assert now() == 20.0

    virtual_time.run(main())
    assert sent == []


def test_late_response_is_observed_and_its_connection_is_in_use_until_then() -> None:
    """A 429 pauses the client even if it arrives after the deadline, and the connection is in use until then."""

    async def main() -> None:
        quota = Quota(RateLimit(3, per=1.0))
        sender = Sender(
            connector(answers_after(20.0, status=429), pool=True),
            quota,
            api_url="https://h",
            max_connections=1,
        )
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


def test_attempt_in_a_pool_can_be_cancelled() -> None:
    async def main() -> None:
        attempt, results = begin(connector(answers_after(25.0), pool=True))
        await asyncio.sleep(1.0)
        attempt.abandon(asyncio.CancelledError(), cancel=True)
        with pytest.raises(OutcomeUnknownError, match="the client was closed before the request ended"):
            await attempt.response()
        assert (now(), len(results)) == (1.0, 1)

    virtual_time.run(main())


def test_an_attempt_that_is_abandoned_twice_keeps_the_first_cause() -> None:
    async def main() -> None:
        attempt, _ = begin(connector(answers_after(25.0)), seconds=10.0)
        await asyncio.sleep(1.0)
        attempt.abandon(ValueError("first"))
        attempt.abandon(asyncio.CancelledError())
        with pytest.raises(OutcomeUnknownError, match="ValueError: first"):
            await attempt.response()

    virtual_time.run(main())


def test_a_callback_gets_the_result() -> None:
    async def main() -> None:
        attempt, _ = begin(connector(answers))
        received: list[AttemptResult] = []
        attempt.add_result_callback(received.append)
        response = await attempt.response()
        await asyncio.sleep(0)
        assert received == [response]
        assert isinstance(received[0], Response)

    virtual_time.run(main())


def test_an_exception_after_the_result_is_not_reported_by_asyncio() -> None:
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))

        async def breaks_late(request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(20.0)
            raise httpx.ReadError("broken")

        attempt, _ = begin(connector(breaks_late, pool=True))
        with pytest.raises(OutcomeUnknownError):
            await attempt.response()
        await asyncio.wait([attempt.task])
        del attempt

    virtual_time.run(main())
    assert complaints == []
