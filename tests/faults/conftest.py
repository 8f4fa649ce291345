"""A misbehaving server for each test, and clients of it."""

from __future__ import annotations

import asyncio
import gc
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trustme

from plivo_record_async import RecordClient
from tests.support.clients.calls import MakeClient, client_for
from tests.support.clients.routes import DIRECT, Route
from tests.support.servers.background_loop import BackgroundLoop, background_loop
from tests.support.servers.fault_server import FaultServer
from tests.support.servers.full_listener import FullListener, full_listener
from tests.support.servers.proxies import ConnectProxy

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]  # the server asks Linux about its connections


@pytest.fixture(autouse=True)
async def loop_errors() -> AsyncIterator[list[dict[str, Any]]]:
    """The errors that the event loop reports, such as an exception that was never retrieved; a test ends with none."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: found.append(complaint))
    yield found
    assert found == []


@pytest.fixture
def collected_garbage(loop_errors: list[dict[str, Any]]) -> Iterator[None]:
    """Collect garbage at the end of the test, so that the loop reports what only the collector finds."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def server_loop() -> Iterator[BackgroundLoop]:
    """The event loop of the servers, in a thread of its own."""
    with background_loop() as loop:
        yield loop


@pytest.fixture
def route() -> Route:
    """The route of the clients; `on_every_route` replaces it."""
    return DIRECT


@pytest.fixture
def server(route: Route, server_loop: BackgroundLoop, request: pytest.FixtureRequest) -> Iterator[FaultServer]:
    """The server at the end of the route; a forward proxy is the server itself."""
    if route.proxy == "tunnel":
        request.getfixturevalue("trusted_authority")
        yield request.getfixturevalue("tls_server")
        return
    with server_loop.enter(FaultServer()) as running:
        yield running
    assert running.errors == []


@pytest.fixture
def proxy(server_loop: BackgroundLoop) -> Iterator[ConnectProxy]:
    with server_loop.enter(ConnectProxy()) as running:
        yield running


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """The TLS settings of a server with a certificate of this authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


@pytest.fixture
def tls_server(server_loop: BackgroundLoop, server_tls: ssl.SSLContext) -> Iterator[FaultServer]:
    """A fault server behind TLS; clients trust its certificate only with the fixture `trusted_authority`."""
    with server_loop.enter(FaultServer(server_tls)) as running:
        yield running
    assert running.errors == []


@pytest.fixture
def trusted_authority(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Trust the authority as companies do with their own, by ``SSL_CERT_FILE``; the path of its certificate."""
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        yield path


@pytest.fixture
def silent_listener() -> Iterator[FullListener]:
    """A port that accepts no connection, because its queue is full."""
    with full_listener() as listener:
        yield listener


@pytest.fixture
def new_client(route: Route, server: FaultServer, request: pytest.FixtureRequest) -> MakeClient:
    """A function that makes a client of the server on the route; the test closes the client."""
    proxy, base_url = None, server.url
    if route.proxy == "forward":
        proxy, base_url = server.url, "http://api.invalid"
    elif route.proxy == "tunnel":
        proxy = request.getfixturevalue("proxy").url

    def make(*, pool: dict[str, Any] | None = None, **options: Any) -> RecordClient:
        return client_for(server, **{"base_url": base_url} | route.options(proxy, **(pool or {})) | options)

    return make


@pytest.fixture
async def make_client(new_client: MakeClient) -> AsyncIterator[MakeClient]:
    async with AsyncExitStack() as stack:

        def make(**options: Any) -> RecordClient:
            client = new_client(**options)
            stack.push_async_callback(client.aclose, grace=0.2)
            return client

        yield make


@pytest.fixture
async def client(make_client: MakeClient) -> RecordClient:
    return make_client()
