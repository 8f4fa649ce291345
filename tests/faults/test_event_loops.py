"""A client that is made once and used in one event loop after another, over each transport."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import httpx
import httpx2
import pytest
import uvloop
from anyio.from_thread import start_blocking_portal

from plivo_record_async import ClosedError, RecordClient, fast_transport
from tests.support.clients.calls import check_next_call, client_for
from tests.support.clients.routes import httpx2_transport
from tests.support.servers.fault_server import FaultServer
from tests.support.servers.open_sockets import connections_to, open_descriptors, wait_until

MakeTransport = Callable[[], httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None]

over_each_transport = pytest.mark.parametrize(
    "transport",
    [
        pytest.param(lambda: None, id="default"),
        pytest.param(httpx.AsyncHTTPTransport, id="httpx"),
        pytest.param(httpx2_transport, id="httpx2"),
        pytest.param(fast_transport, id="fast"),
    ],
)


async def entered(client: RecordClient, server: FaultServer) -> None:
    async with client:
        await check_next_call(client, server)


async def no_connections(server: FaultServer) -> None:
    """Check that none is left; the threads of `fast_transport` close theirs in their own time."""
    await wait_until(lambda: connections_to(server.url) == 0)


async def twice_at_once(client: RecordClient, server: FaultServer) -> None:
    """Over two connections."""
    await asyncio.gather(check_next_call(client, server, "one"), check_next_call(client, server, "another"))


@over_each_transport
def test_event_loops_that_end_without_closing_the_client_leave_no_descriptor(
    transport: MakeTransport, server: FaultServer
) -> None:
    client = client_for(server, transport=transport(), rate_limit=None)
    asyncio.run(check_next_call(client, server))
    before = open_descriptors()
    for _ in range(50):
        asyncio.run(check_next_call(client, server))
        asyncio.run(no_connections(server))
    assert open_descriptors() <= before
    asyncio.run(client.aclose())


@over_each_transport
@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_client_is_closed_and_entered_again(
    transport: MakeTransport, make_loop: Callable[[], asyncio.AbstractEventLoop], server: FaultServer
) -> None:
    client = client_for(server, transport=transport())
    for _ in range(3):
        with asyncio.Runner(loop_factory=make_loop) as runner:
            for _ in range(2):
                runner.run(entered(client, server))
                asyncio.run(no_connections(server))
            with pytest.raises(ClosedError):
                runner.run(client.start_recording("room"))
    assert server.requests("room") == 0


@over_each_transport
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_client_survives_an_event_loop_closed_without_shutdown(transport: MakeTransport, server: FaultServer) -> None:
    """Nothing can be closed in good order then, and what remains is not used in the next event loop."""
    client = client_for(server, transport=transport())
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(twice_at_once(client, server))
        loop.close()
    asyncio.run(client.aclose())
    gc.collect()
    asyncio.run(no_connections(server))


@over_each_transport
def test_client_works_in_an_application_that_is_started_twice(transport: MakeTransport, server: FaultServer) -> None:
    """As starlette's TestClient does it: an event loop in a thread of its own for each block."""
    client = client_for(server, transport=transport())
    for _ in range(2):
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(client):
            portal.call(check_next_call, client, server)
        asyncio.run(no_connections(server))


@over_each_transport
def test_client_works_with_one_event_loop_for_each_request(transport: MakeTransport, server: FaultServer) -> None:
    """Each request has an event loop of its own, as in a function that is called by a cloud."""
    client = client_for(server, transport=transport())
    for _ in range(3):
        with start_blocking_portal() as portal:
            portal.call(check_next_call, client, server)
        asyncio.run(no_connections(server))


@over_each_transport
def test_client_that_is_never_closed_leaves_no_connection(transport: MakeTransport, server: FaultServer) -> None:
    """Its connections are closed with its event loop, which nobody but itself refers to."""

    async def forget() -> None:
        await check_next_call(client_for(server, transport=transport()), server)

    asyncio.run(forget())
    asyncio.run(no_connections(server))
