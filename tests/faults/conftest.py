"""A misbehaving server for each test, and clients of it."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest
import trustme

from plivo_record_async import RecordClient
from tests.support.client_calls import MakeClient, client_for
from tests.support.routes import DIRECT, Route
from tests.support.servers.background_loop import BackgroundLoop, background_loop
from tests.support.servers.fault_server import FaultServer
from tests.support.servers.proxies import ConnectProxy

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]  # the server asks Linux about its connections


@pytest.fixture(autouse=True)
async def complaints() -> AsyncIterator[list[dict[str, Any]]]:
    """What the event loop has to complain of, such as an exception that nobody asked for."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: found.append(complaint))
    yield found
    assert found == []


@pytest.fixture
def no_garbage(complaints: list[dict[str, Any]]) -> Iterator[None]:
    """Let what is only found as garbage be complained of too."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def apart() -> Iterator[BackgroundLoop]:
    """The event loop of the servers, which is not that of the clients."""
    with background_loop() as loop:
        yield loop


@pytest.fixture
def way() -> Route:
    """How clients send; `over_every_way` puts others in its place."""
    return DIRECT


@pytest.fixture
def server(way: Route, apart: BackgroundLoop, request: pytest.FixtureRequest) -> Iterator[FaultServer]:
    """What is called that way: for a forward proxy, the proxy itself."""
    if way.through == "tunnel":
        request.getfixturevalue("trusted")
        yield request.getfixturevalue("tls_server")
        return
    with apart.enter(FaultServer()) as running:
        yield running
    assert running.surprises == []


@pytest.fixture
def proxy(apart: BackgroundLoop) -> Iterator[ConnectProxy]:
    with apart.enter(ConnectProxy()) as running:
        yield running


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certified(authority: trustme.CA) -> ssl.SSLContext:
    """What a server needs that shows this authority's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


@pytest.fixture
def tls_server(apart: BackgroundLoop, certified: ssl.SSLContext) -> Iterator[FaultServer]:
    """The same behind TLS; nobody trusts its certificate unless the test sees to it."""
    with apart.enter(FaultServer(certified)) as running:
        yield running
    assert running.surprises == []


@pytest.fixture
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Have the certificate trusted, as a company's own authority is: by ``SSL_CERT_FILE``."""
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        yield path


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port that leaves connects without an answer, because its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture
def new_client(way: Route, server: FaultServer, request: pytest.FixtureRequest) -> MakeClient:
    """Makes a client that calls the server that way; nobody closes it."""
    proxy, base_url = None, server.url
    if way.through == "forward":
        proxy, base_url = server.url, "http://api.invalid"
    elif way.through == "tunnel":
        proxy = request.getfixturevalue("proxy").url

    def make(*, pool: dict[str, Any] | None = None, **options: Any) -> RecordClient:
        return client_for(server, **{"base_url": base_url} | way.options(proxy, **(pool or {})) | options)

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
