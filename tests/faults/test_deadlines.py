"""A request that is abandoned before it is sent is never sent, and no transport exceeds its number of connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from plivo_record_async import (
    NotSentError,
    OutcomeUnknownError,
    RecordClient,
    RecordingStarted,
    UnexpectedResponseError,
)
from tests.support.clients.calls import MakeClient, announcing_execution, check_next_call, result_or_error
from tests.support.clients.routes import ALL_ROUTES, Route, on_every_route, on_routes
from tests.support.servers import faults
from tests.support.servers.background_loop import BackgroundLoop
from tests.support.servers.fault_server import FaultServer
from tests.support.servers.full_listener import FullListener
from tests.support.servers.open_sockets import connections_to, wait_until
from tests.support.servers.proxies import ConnectProxy

pytestmark = pytest.mark.usefixtures("collected_garbage")


@pytest.fixture
def connecting(route: Route, silent_listener: FullListener, make_client: MakeClient) -> RecordClient:
    """A client whose connections are not accepted, by the API or by the proxy."""
    if route.proxy == "nothing":
        return make_client(base_url=silent_listener.url)
    base_url = "http://api.invalid" if route.proxy == "forward" else "https://api.invalid"
    return make_client(base_url=base_url, **route.options(silent_listener.url))


CALLS: dict[str, Callable[[RecordClient, float], Any]] = {
    "start": lambda client, timeout: client.start_recording("room", timeout=timeout),
    "stop": lambda client, timeout: client.stop_recording("room", timeout=timeout),
    "look": lambda client, timeout: client.get_recording("room", timeout=timeout),
}


@on_every_route
@pytest.mark.parametrize("call", CALLS)
async def test_nothing_is_sent_after_the_deadline(
    call: str, route: Route, connecting: RecordClient, silent_listener: FullListener
) -> None:
    """The queue becomes free after the deadline, and the kernel connects what is still connecting."""
    end = await result_or_error(CALLS[call](connecting, 0.3))
    told = route.reports_sending_of("POST" if call == "start" else "GET")
    assert isinstance(end, NotSentError if told else OutcomeUnknownError), repr(end)
    assert end.phase == "connect"
    heard = await asyncio.to_thread(silent_listener.accept)
    assert b"".join(heard) == b""


def requests_in(heard: list[bytes], route: Route) -> list[bytes]:
    """What was heard of requests. pyreqwest may still ask a proxy for a tunnel until the deadline; that is none."""
    tunnel = b"CONNECT " if str(route) == "fast tunnel" else b"\0"
    return [each for each in heard if each and not (each.startswith(tunnel) and b"Authorization" not in each)]


@on_every_route
async def test_nothing_is_sent_after_closing(
    route: Route, connecting: RecordClient, silent_listener: FullListener
) -> None:
    """With `fast_transport` the connection itself is given up only at the deadline."""
    start = asyncio.create_task(result_or_error(connecting.start_recording("room", timeout=2)))
    await wait_until(lambda: connections_to(silent_listener.url) > 0)
    await connecting.aclose(grace=0)
    end = await start
    assert isinstance(end, NotSentError), repr(end)
    heard = await asyncio.to_thread(silent_listener.accept)
    assert requests_in(heard, route) == []


@on_every_route
async def test_nothing_is_sent_after_a_cancellation(
    route: Route, connecting: RecordClient, silent_listener: FullListener
) -> None:
    start = asyncio.create_task(connecting.start_recording("room", timeout=2))
    await wait_until(lambda: connections_to(silent_listener.url) > 0)
    start.cancel()
    await asyncio.wait([start])
    heard = await asyncio.to_thread(silent_listener.accept)
    assert requests_in(heard, route) == []


@on_every_route
async def test_deadline_that_passes_at_once_is_not_sent(server: FaultServer, make_client: MakeClient) -> None:
    client = make_client()
    for kept in (False, True):
        for timeout in (1e-9, 1e-5):
            end = await result_or_error(client.start_recording("room", timeout=timeout))
            assert isinstance(end, NotSentError), repr(end)
        if not kept:
            await check_next_call(client, server)
    assert server.requests("room") == 0


@on_every_route
async def test_deadline_near_the_time_of_sending_gives_the_true_outcome(
    server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    """What is called not sent has not been, however near the deadline was."""
    client = make_client(max_connections=4, rate_limit=None)
    ends: dict[str, object] = {}
    for number in range(150):
        name = f"room {number}"
        ends[name] = await result_or_error(client.start_recording(name, timeout=number * 2e-5 + 1e-6))
        if number % 10 == 0:
            await check_next_call(client, server)
    await client.aclose()
    await server_loop.run(server.settle())
    for name, end in ends.items():
        match end:
            case NotSentError():
                assert server.requests(name) == 0
            case RecordingStarted() | UnexpectedResponseError():  # of which only the status came in time
                assert server.executions(name) == 1
            case _:
                assert isinstance(end, OutcomeUnknownError), repr(end)


@on_routes(route for route in ALL_ROUTES if route.transport == "httpx")
async def test_calls_queued_in_a_pool_behind_a_silent_api_are_not_sent(
    server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    """httpx's pool may be smaller than ours: then its queue is waited in, and abandoned."""
    client = make_client(pool={"limits": httpx.Limits(max_connections=1)})
    fault, executed = announcing_execution(faults.executes_and_stalls)
    server.plan("first", fault)
    first = asyncio.create_task(client.start_recording("first"))
    await executed.wait()
    end = await result_or_error(client.start_recording("room", timeout=0.1))
    assert isinstance(end, NotSentError), repr(end)
    gone = asyncio.create_task(client.start_recording("gone"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    await server_loop.run(server.release())
    assert (await first).api_id == "api-first"
    await check_next_call(client, server)
    assert server.requests("room") + server.requests("gone") == 0


@on_every_route
async def test_connections_of_unanswered_calls_are_closed(
    route: Route, server: FaultServer, proxy: ConnectProxy, make_client: MakeClient
) -> None:
    """Never more than allowed, and none when all have been given up."""
    server.default_fault = faults.stalls_unread
    client = make_client(max_connections=20, rate_limit=None, max_retries=0)
    url = proxy.url if route.proxy == "tunnel" else server.url
    over = asyncio.Event()

    async def watch() -> set[int]:
        counts: set[int] = set()
        while not over.is_set():
            counts.add(await asyncio.to_thread(connections_to, url))
        return counts

    watching = asyncio.create_task(watch())
    outcomes = [o async for o in client.start_many(map(str, range(100)), concurrency=50, timeout=0.5)]
    assert {type(o.error) for o in outcomes} <= {NotSentError, OutcomeUnknownError}
    over.set()
    counts = await watching  # and whatever went wrong with counting
    await client.aclose()
    await wait_until(lambda: connections_to(url) == 0)
    assert 0 < max(counts) <= 20, counts
    assert (proxy if route.proxy == "tunnel" else server).most_open <= 20


@on_every_route
async def test_a_closed_client_has_no_connections(
    route: Route, server: FaultServer, proxy: ConnectProxy, make_client: MakeClient
) -> None:
    client = make_client()
    url = proxy.url if route.proxy == "tunnel" else server.url
    for _ in range(2):
        async with client:
            await asyncio.gather(*(check_next_call(client, server, f"room {n}") for n in range(10)))
            assert await asyncio.to_thread(connections_to, url)
        await wait_until(lambda: connections_to(url) == 0)
