"""A misbehaving server for each test, and clients of it."""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest
import trustme

from plivo_record_async import RecordClient
from tests.faults.background import Background, background
from tests.faults.outcomes import MakeClient, client_of
from tests.faults.server import FaultServer

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]  # the server asks Linux about its connections


@pytest.fixture(scope="session")
def apart() -> Iterator[Background]:
    """The event loop of the servers, which is not that of the clients."""
    with background() as loop:
        yield loop


@pytest.fixture
def server(apart: Background) -> Iterator[FaultServer]:
    with apart.enter(FaultServer()) as running:
        yield running
    assert running.surprises == []


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
def tls_server(apart: Background, certified: ssl.SSLContext) -> Iterator[FaultServer]:
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
async def make_client(server: FaultServer) -> AsyncIterator[MakeClient]:
    async with AsyncExitStack() as stack:

        def make(**options: Any) -> RecordClient:
            client = client_of(server, **options)
            stack.push_async_callback(client.aclose, grace=0.2)
            return client

        yield make


@pytest.fixture
async def client(make_client: MakeClient) -> RecordClient:
    return make_client()
