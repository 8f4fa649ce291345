"""The evidence of sending that each transport gives, and the error that follows from it.

For all of them: a start is sent once and executed at most once, and "not sent" is never said of one that was.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, MutableMapping
from typing import Any

import httpx
import httpx2
import pytest
from httpx_aiohttp import AiohttpTransport
from pyreqwest.compatibility.httpx import HttpxTransport as PyreqwestTransport

from plivo_record_async import NotSentError, OutcomeUnknownError, RecordClient, RecordingStarted, fast_transport
from tests.support.clients.calls import CANNOT_TELL, NOT_SENT, SENT, MakeClient, check_next_call, result_or_error
from tests.support.clients.routes import httpx2_transport, on_every_route
from tests.support.servers import faults
from tests.support.servers.background_loop import BackgroundLoop
from tests.support.servers.fault_server import Fault, FaultServer
from tests.support.servers.full_listener import FullListener
from tests.support.servers.proxies import ConnectProxy

MakeTransport = Callable[[], httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None]


class Subclassed(AiohttpTransport):
    """A user's own variety: what holds for its base holds for it too."""


TELLING: dict[str, MakeTransport] = {
    "default": lambda: None,
    "httpx": httpx.AsyncHTTPTransport,
    "httpx2": httpx2_transport,
    "fast": fast_transport,
}
"""They say when they send."""

MISLEADING: dict[str, MakeTransport] = {
    "httpx_aiohttp": AiohttpTransport,
    "a subclass of httpx_aiohttp's": Subclassed,
    "pyreqwest": PyreqwestTransport,
}
"""They do not, and their connect errors cannot be believed either."""

ALL = TELLING | MISLEADING


def over(transports: dict[str, MakeTransport]) -> Callable[..., Any]:
    return pytest.mark.parametrize("transport", [pytest.param(make, id=name) for name, make in transports.items()])


@over(ALL)
async def test_complete_answer_is_returned(
    transport: MakeTransport, server: FaultServer, make_client: MakeClient
) -> None:
    client = make_client(transport=transport())
    await check_next_call(client, server)
    await check_next_call(client, server)


@pytest.mark.parametrize(
    "fault", [faults.answers_twice, faults.answers_204_with_declared_body, faults.answers_204_with_undeclared_body]
)
@on_every_route
async def test_bytes_after_the_answer_do_not_reach_the_next_call(
    fault: Fault, server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    """The surplus does not pass for the answer to the next request."""
    client = make_client()
    server.plan("room", fault)
    await result_or_error(client.start_recording("room"))
    await server_loop.run(server.settle())
    await check_next_call(client, server)


@pytest.mark.parametrize(
    "fault", [faults.answers_twice, faults.answers_204_with_declared_body, faults.answers_204_with_undeclared_body]
)
@on_every_route
async def test_bytes_after_the_answer_to_a_lookup_do_not_reach_the_next_call(
    fault: Fault, server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    """A start must not meet what a look has left on the connection."""
    client = make_client()
    server.plan("room", fault)
    await result_or_error(client.get_recording("room", timeout=5))
    await server_loop.run(server.settle())
    await check_next_call(client, server)


@pytest.mark.parametrize("fault", [faults.answers_204_with_declared_body, faults.answers_204_with_undeclared_body])
@over(ALL)
async def test_bytes_after_the_answer_to_a_stop_do_not_reach_the_next_call(
    transport: MakeTransport, fault: Fault, server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    """Plivo's own documents show it, so it harms no transport's next request."""
    client = make_client(transport=transport())
    server.plan("room", fault)
    await client.stop_recording("room")
    await server_loop.run(server.settle())
    await check_next_call(client, server)


SENT_AND_LOST: list[Fault] = [
    faults.resets_unread,
    faults.closes_unread,
    faults.executes_and_resets,
    faults.executes_and_closes,
    faults.cuts_in_head,
    faults.answers_garbage,
]


@pytest.mark.parametrize("kept", [False, True], ids=["on a new connection", "on a kept connection"])
@pytest.mark.parametrize("fault", SENT_AND_LOST)
@over(ALL)
async def test_request_without_an_answer_is_unknown(
    transport: MakeTransport, fault: Fault, kept: bool, server: FaultServer, make_client: MakeClient
) -> None:
    client = make_client(transport=transport())
    if kept:
        await check_next_call(client, server)
    server.plan("room", fault)
    end = await result_or_error(client.start_recording("room"))
    assert isinstance(end, OutcomeUnknownError), repr(end)
    assert end.evidence == (SENT if transport in TELLING.values() else CANNOT_TELL)
    assert server.requests("room") == 1
    await check_next_call(client, server)


@over(ALL)
async def test_request_whose_deadline_passes_after_sending_is_unknown(
    transport: MakeTransport, server: FaultServer, make_client: MakeClient
) -> None:
    client = make_client(transport=transport())
    server.plan("room", faults.executes_and_stalls)
    end = await result_or_error(client.start_recording("room", timeout=0.75))
    assert isinstance(end, OutcomeUnknownError), repr(end)
    assert end.evidence == (SENT if transport in TELLING.values() else CANNOT_TELL)
    assert (server.requests("room"), server.executions("room")) == (1, 1)
    await check_next_call(client, server)


@over(TELLING)
async def test_refused_connection_is_not_sent(
    transport: MakeTransport, server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    client = make_client(transport=transport())
    await server_loop.run(server.refuse())
    end = await result_or_error(client.start_recording("room"))
    assert isinstance(end, NotSentError), repr(end)
    assert (end.phase, end.evidence, end.attempts) == ("connect", NOT_SENT, 3)
    await server_loop.run(server.listen())
    await check_next_call(client, server)


@over(MISLEADING)
async def test_refused_connection_of_a_misleading_transport_is_unknown(
    transport: MakeTransport, server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    """It says the same of a reset after sending, so nothing can be made of it."""
    client = make_client(transport=transport())
    await server_loop.run(server.refuse())
    end = await result_or_error(client.start_recording("room"))
    assert isinstance(end, OutcomeUnknownError), repr(end)
    assert (end.evidence, end.attempts) == (CANNOT_TELL, 1)


@over(TELLING)
async def test_deadline_while_connecting_is_not_sent(
    transport: MakeTransport, silent_listener: FullListener, make_client: MakeClient
) -> None:
    client = make_client(base_url=silent_listener.url, transport=transport())
    end = await result_or_error(client.start_recording("room", timeout=0.3))
    assert isinstance(end, NotSentError), repr(end)
    assert (end.phase, end.evidence) == ("connect", NOT_SENT)


@over(MISLEADING)
async def test_deadline_while_a_misleading_transport_connects_is_unknown(
    transport: MakeTransport, silent_listener: FullListener, make_client: MakeClient
) -> None:
    client = make_client(base_url=silent_listener.url, transport=transport())
    end = await result_or_error(client.start_recording("room", timeout=0.3))
    assert isinstance(end, OutcomeUnknownError), repr(end)
    assert end.evidence == CANNOT_TELL


# Without a network


@pytest.mark.parametrize(
    ("raised", "verdict"),
    [
        (httpx.ConnectError("no way"), NotSentError),
        (httpx.ConnectTimeout("too far"), NotSentError),
        (httpx.PoolTimeout("too many"), NotSentError),
        (httpx.ProxyError("not through me"), NotSentError),
        (httpx.UnsupportedProtocol("gopher"), NotSentError),
        (httpx.WriteError("broken"), OutcomeUnknownError),
        (httpx.ReadError("broken"), OutcomeUnknownError),
        (httpx.ReadTimeout("too slow"), OutcomeUnknownError),
        (httpx.RemoteProtocolError("nonsense"), OutcomeUnknownError),
        (OSError("who knows"), OutcomeUnknownError),
        (RuntimeError("a bug"), OutcomeUnknownError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_evidence_with_a_mock_transport(
    raised: Exception, verdict: type[Exception], make_client: MakeClient
) -> None:
    asked = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        raise raised

    client = make_client(transport=httpx.MockTransport(handle))
    end = await result_or_error(client.start_recording("room"))
    assert isinstance(end, Exception)
    assert (type(end), end.__cause__) == (verdict, raised)
    assert asked == (3 if verdict is NotSentError else 1)


@pytest.mark.parametrize("breaks", [False, True])
async def test_evidence_with_an_asgi_transport(breaks: bool, make_client: MakeClient) -> None:
    executions = 0

    async def app(scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        nonlocal executions
        executions += 1
        if breaks:
            raise RuntimeError("after the work was done")
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b'{"api_id": "api-room"}'})

    end = await result_or_error(make_client(transport=httpx.ASGITransport(app)).start_recording("room"))
    assert isinstance(end, OutcomeUnknownError if breaks else RecordingStarted)
    assert executions == 1


# Through a proxy


@pytest.fixture
def tunnelled(
    proxy: ConnectProxy, tls_server: FaultServer, trusted_authority: str, make_client: MakeClient
) -> RecordClient:
    context = ssl.create_default_context(cafile=trusted_authority)
    return make_client(base_url=tls_server.url, transport=httpx.AsyncHTTPTransport(proxy=proxy.url, verify=context))


async def test_evidence_through_a_tunnel(tunnelled: RecordClient, proxy: ConnectProxy, tls_server: FaultServer) -> None:
    await check_next_call(tunnelled, tls_server)
    tls_server.plan("room", faults.executes_and_resets)
    end = await result_or_error(tunnelled.start_recording("room"))
    assert isinstance(end, OutcomeUnknownError), repr(end)
    assert (end.evidence, tls_server.executions("room")) == (SENT, 1)
    await check_next_call(tunnelled, tls_server)
    assert proxy.tunnels == 2


async def test_refused_tunnel_is_not_sent(
    tunnelled: RecordClient, proxy: ConnectProxy, tls_server: FaultServer
) -> None:
    proxy.refusal_status = 403
    end = await result_or_error(tunnelled.start_recording("room"))
    assert isinstance(end, NotSentError), repr(end)
    assert (end.phase, end.evidence, end.attempts) == ("connect", NOT_SENT, 3)
    assert proxy.tunnels == 3
    assert tls_server.arrivals == []
    proxy.refusal_status = None
    await check_next_call(tunnelled, tls_server)


async def test_answer_lost_by_a_forward_proxy_is_unknown(server: FaultServer, make_client: MakeClient) -> None:
    """To a plain http address a proxy gets the request itself: it has left."""
    client = make_client(base_url="http://api.invalid", transport=httpx.AsyncHTTPTransport(proxy=server.url))
    server.plan("room", faults.executes_and_resets)
    end = await result_or_error(client.start_recording("room"))
    assert isinstance(end, OutcomeUnknownError), repr(end)
    assert (end.evidence, server.executions("room")) == (SENT, 1)
    await check_next_call(client, server)
