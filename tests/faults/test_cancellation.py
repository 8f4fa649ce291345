"""Cancellation, timeouts and closing: the client still works afterwards, and the outcomes it reports are true."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import httpx
import pytest
import uvloop

from plivo_record_async import (
    ClosedError,
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RecordClient,
    RecordingStarted,
)
from tests.support.clients.calls import MakeClient, announcing_execution, check_next_call, client_for, result_or_error
from tests.support.clients.routes import Route, on_every_route
from tests.support.servers import faults
from tests.support.servers.background_loop import BackgroundLoop
from tests.support.servers.fault_server import Fault, FaultServer, ServerRequest
from tests.support.servers.proxies import ConnectProxy

MakeLoop = Callable[[], asyncio.AbstractEventLoop]

MAX_CONNECTIONS = 8
TASKS = 24
CANCELLED = "cancelled"


def moody(chance: random.Random) -> Fault:
    """Mostly slow, now and then broken."""
    broken: list[Fault] = [
        faults.resets_unread,
        faults.executes_and_closes,
        faults.cuts_in_body,
        faults.answers_garbage,
        faults.answers_and_closes,
    ]
    moods = [*[faults.succeeds] * 15, *broken]

    async def mood(exchange: ServerRequest) -> None:
        await faults.delayed(chance.choice([0.0, 0.0, 0.002, 0.02]), chance.choice(moods))(exchange)

    return mood


async def interrupted(client: RecordClient, name: str, chance: random.Random, slowness: float) -> object:
    """One call that runs out of time or is cancelled, if it does not end before."""
    seconds = 0.0001 + slowness * chance.choice([0.001, 0.01, 0.1]) * chance.random()
    if chance.random() < 0.5:
        return await result_or_error(client.start_recording(name, timeout=seconds))
    call = asyncio.create_task(result_or_error(client.start_recording(name)))
    await asyncio.sleep(seconds)
    call.cancel()
    try:
        return await call
    except asyncio.CancelledError:
        return CANCELLED


async def storm(client: RecordClient, calls: int, slowness: float) -> dict[str, object]:
    """Many interrupted calls from many tasks, and what came of each; then all is well again."""
    chance = random.Random(1)
    names = iter([f"room {number}" for number in range(calls)])
    ends: dict[str, object] = {}

    async def work() -> None:
        for name in names:
            ends[name] = await interrupted(client, name, chance, slowness)

    await asyncio.gather(*(work() for _ in range(TASKS)))
    return ends


async def check_storm(
    server: FaultServer, server_loop: BackgroundLoop, client: RecordClient, *, calls: int, slowness: float = 1
) -> None:
    """The storm, and what is true after it."""
    server.default_fault = moody(random.Random(2))
    ends = await storm(client, calls, slowness)
    assert len(ends) == calls

    server.default_fault = faults.succeeds
    await server_loop.run(server.settle())
    after = [f"after {number}" for number in range(20)]
    answers = await asyncio.gather(*(client.start_recording(name, timeout=20) for name in after))
    assert [answer.api_id for answer in answers] == [f"api-{name}" for name in after]

    await client.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()  # a socket that nobody closed shows now, as a warning
    executions = Counter(arrival.name for arrival in server.arrivals if arrival.executed)
    told_truly(ends, executions)
    if slowness == 1:
        assert any(end is CANCELLED and executions[name] for name, end in ends.items())
        assert any(isinstance(end, NotSentError) for end in ends.values())


def told_truly(ends: dict[str, object], executions: Counter[str]) -> None:
    assert max(executions.values()) == 1
    for name, end in ends.items():
        if isinstance(end, NotSentError):
            assert executions[name] == 0
        if isinstance(end, RecordingStarted):
            assert (executions[name], end.api_id) == (1, f"api-{name}")


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_cancellation_storm_sends_each_call_at_most_once(
    make_loop: MakeLoop, server: FaultServer, server_loop: BackgroundLoop
) -> None:
    """Through the package's own connections: there are never more of them than allowed."""
    client = client_for(server, rate_limit=None, max_connections=MAX_CONNECTIONS)
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(check_storm(server, server_loop, client, calls=2000))
    assert server.most_open <= MAX_CONNECTIONS


@on_every_route
async def test_cancellation_storm_on_every_route(
    route: Route, server: FaultServer, proxy: ConnectProxy, new_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    client = new_client(rate_limit=None, max_connections=MAX_CONNECTIONS)
    slowness = 1 if route.proxy == "nothing" else 10
    await check_storm(server, server_loop, client, calls=1000 // slowness, slowness=slowness)
    first = proxy if route.proxy == "tunnel" else server
    assert first.most_open <= MAX_CONNECTIONS


async def test_cancellation_storm_through_a_small_pool(
    server: FaultServer, new_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    """Requests wait in httpx's own queue too."""
    pool = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=MAX_CONNECTIONS // 2))
    client = new_client(transport=pool, rate_limit=None, max_connections=MAX_CONNECTIONS)
    await check_storm(server, server_loop, client, calls=1000)


async def test_request_in_a_pool_is_not_cancelled(
    server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    """httpx's pool loses a connection for good now and then when it is. What was given up is not sent all the same."""
    cancellations = 0

    class Watched(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal cancellations
            try:
                return await super().handle_async_request(request)
            except asyncio.CancelledError:
                cancellations += 1
                raise

    client = make_client(transport=Watched(limits=httpx.Limits(max_connections=1)))
    fault, executed = announcing_execution(faults.executes_and_stalls)
    server.plan("first", fault)
    first = asyncio.create_task(client.start_recording("first"))
    await executed.wait()
    assert isinstance(await result_or_error(client.start_recording("room", timeout=0.1)), OutcomeUnknownError)
    assert cancellations == 0
    await server_loop.run(server.release())
    assert (await first).api_id == "api-first"
    await check_next_call(client, server)
    assert server.requests("room") == 0


# Closing


@on_every_route
async def test_closing_waits_for_requests_in_progress(
    server: FaultServer, client: RecordClient, server_loop: BackgroundLoop
) -> None:
    fault, executed = announcing_execution(faults.executes_and_stalls)
    server.plan("room", fault)
    room = asyncio.create_task(client.start_recording("room"))
    await executed.wait()
    closing = asyncio.create_task(client.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    await server_loop.run(server.release())
    assert (await room).api_id == "api-room"
    await closing


@on_every_route
async def test_closing_waits_no_longer_than_its_grace(
    server: FaultServer, client: RecordClient, caplog: pytest.LogCaptureFixture
) -> None:
    fault, executed = announcing_execution(faults.executes_and_stalls)
    server.plan("room", fault)
    room = asyncio.create_task(result_or_error(client.start_recording("room", timeout=600)))
    await executed.wait()
    with caplog.at_level(logging.WARNING, "plivo_record_async"):
        await asyncio.wait_for(client.aclose(grace=0.1), 10)
    assert isinstance(await room, OutcomeUnknownError)
    [message] = caplog.messages
    assert message.startswith("The client was closed while 1 of its requests had no response.")


@on_every_route
async def test_nothing_is_sent_after_closing(server: FaultServer, client: RecordClient) -> None:
    await check_next_call(client, server)
    await client.aclose()
    assert isinstance(await result_or_error(client.start_recording("room")), ClosedError)
    assert server.requests("room") == 0


# Another event loop, another process


def test_client_in_use_in_one_event_loop_is_refused_in_another(server: FaultServer) -> None:
    client = client_for(server)
    with asyncio.Runner() as first:
        first.run(check_next_call(client, server))
        with pytest.raises(ConfigurationError, match="another event loop"), asyncio.Runner() as second:
            second.run(client.start_recording("room"))
        first.run(client.aclose())
    assert server.requests("room") == 0


FORKS = """
import asyncio, os, sys
from plivo_record_async import ConfigurationError, RecordClient

loop = asyncio.new_event_loop()
client = RecordClient("MA" + "X" * 18, "t" * 40, base_url=sys.argv[1])
loop.run_until_complete(client.start_recording("before the fork"))
child = os.fork()
if child == 0:
    try:
        asyncio.new_event_loop().run_until_complete(client.start_recording("in the child"))
    except ConfigurationError as error:
        os._exit(42 if "forked" in str(error) else 1)
    os._exit(2)
_, status = os.waitpid(child, 0)
loop.run_until_complete(client.start_recording("in the parent"))
loop.run_until_complete(client.aclose())
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_client_is_refused_after_a_fork(server: FaultServer) -> None:
    """The child is told; the parent goes on."""
    ended = subprocess.run([sys.executable, "-c", FORKS, server.url], timeout=60, check=False)
    assert ended.returncode == 42
    assert [arrival.name for arrival in server.arrivals] == ["before the fork", "in the parent"]
