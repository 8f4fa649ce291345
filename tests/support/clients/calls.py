"""Make a client of the fault server, and check the result, the error and the consequences of its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

from plivo_record_async import PlivoRecordError, RecordClient
from tests.support.servers.fault_server import Fault, FaultServer, ServerRequest

T = TypeVar("T")


def client_for(server: FaultServer, *, base_url: str = "", **options: Any) -> RecordClient:
    """Return a client of this server with a made-up account."""
    return RecordClient("MA" + "X" * 18, "t" * 40, base_url=base_url or server.url, **options)


class MakeClient(Protocol):
    """A function that makes a client of the test's server, which is closed when the test ends."""

    def __call__(self, **options: Any) -> RecordClient: ...


SENT = "sending had begun"
NOT_SENT = "it failed before sending began"
STILL_QUEUED = "it was still waiting to be sent"
CANNOT_TELL = "the transport does not report when sending begins"
SERVER_ERROR = "a server error does not say whether the request was executed before the error"


async def result_or_error(call: Awaitable[T]) -> T | PlivoRecordError:
    """Return the result of a call, or the error that it raised."""
    try:
        return await call
    except PlivoRecordError as error:
        return error


def announcing_execution(fault: Fault) -> tuple[Fault, asyncio.Event]:
    """Return the fault, and an event of this loop that is set when the request has been executed."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    async def announcing(exchange: ServerRequest) -> None:
        await exchange.execute()
        loop.call_soon_threadsafe(event.set)
        await fault(exchange)

    return announcing, event


async def check_next_call(client: RecordClient, server: FaultServer, name: str = "the next one") -> None:
    """Check that the client still works: the next call is executed once and gets its own answer."""
    before = server.executions(name)
    started = await client.start_recording(name)
    assert started.api_id == f"api-{name}"
    assert server.executions(name) == before + 1
