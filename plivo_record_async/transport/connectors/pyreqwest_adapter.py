"""The fast way: pyreqwest (Rust) spoken to directly. Imported only when it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpcore
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport
from pyreqwest.exceptions import RequestError
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.response import ResponseBodyReader

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.protocol.api.endpoints import Request
from plivo_record_async.protocol.api.responses import Reply
from plivo_record_async.settings import Settings
from plivo_record_async.transport.connectors.connector import (
    KEEPALIVE,
    Connector,
    Exchange,
    NativeTransport,
    common_headers,
    own_headers,
)
from plivo_record_async.transport.connectors.proxies import Proxy

__all__ = ["PyreqwestTransport"]

NEVER_CONNECTED = "client error (Connect)"
"""How hyper names a failure before sending: https://docs.rs/hyper-util/latest/src/hyper_util/client/legacy/client.rs.html
pyreqwest raises its connect errors also for a connection that was reset *after* sending."""


_LONGEST = 30 * 24 * 3600.0
"""Seconds. A time limit has to have an end, and a deadline need not."""

_FAREWELL = 0.01
"""Seconds. pyreqwest's thread closes the connection of a failed request, and lets go of the Python objects of a closed
client, a moment after it has told of it; a program that ends within that moment is aborted by the interpreter
(``PyGILState_Release``). There is nothing to await instead."""


class PyreqwestTransport(HttpxTransport, NativeTransport):
    """An httpx transport like any other, and a shorter way for a client of ours."""

    def __init__(self) -> None:
        super().__init__(_plain_client().build())

    def connector(self, settings: Settings, proxy: Proxy | None) -> Connector:
        """Speak to Plivo without httpx's request and response objects, which cost more than the exchange itself."""
        if proxy is not None and proxy.ssl_context is not None:
            raise ConfigurationError("fast_transport() cannot use the ssl_context of a proxy: leave one of them out")
        return PyreqwestConnector(settings, proxy)


def _plain_client() -> ClientBuilder:
    """Nothing is followed, unpacked or negotiated: each request is one request."""
    return (
        ClientBuilder()
        .follow_redirects(enable=False)
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        .http1_only()
        .pool_idle_timeout(timedelta(seconds=KEEPALIVE))
    )


class PyreqwestConnector:
    """The way through pyreqwest.

    pyreqwest goes on with a request whose task was cancelled, so each one has a time limit of its own. And a body is
    asked for when its connection is there, right before the first byte of the request leaves: that moment is the
    evidence of sending, and the last one at which sending can be prevented.

    Each of its clients makes one request at a time, so it holds one connection at most. A client that is shared holds
    more than it has requests: hyper completes a connection although its request went out on another one that became
    free meanwhile, and keeps it.
    """

    can_be_cancelled = False

    def __init__(self, settings: Settings, proxy: Proxy | None) -> None:
        self._base = f"{settings.base_url}/v1/Account/{settings.auth_id}"
        self._headers = [(name.decode(), value.decode()) for name, value in common_headers(settings)]
        self._proxy = proxy
        self._clients = set[Client]()
        self._free = list[Client]()

    def _open(self) -> Client:
        builder = _plain_client().no_proxy().pool_max_idle_per_host(1).default_headers(self._headers)
        client = (builder if self._proxy is None else builder.proxy(_for_pyreqwest(self._proxy))).build()
        self._clients.add(client)
        return client

    async def send(self, request: Request[Any], exchange: Exchange) -> Reply:
        """Send ``request``, report to ``exchange`` how far it has come, and return the answer."""
        client = self._free.pop() if self._free else self._open()
        try:
            return await self._send(client, request, exchange)
        finally:
            if client in self._clients:  # it was not closed meanwhile
                self._free.append(client)

    async def _send(self, client: Client, request: Request[Any], exchange: Exchange) -> Reply:
        builder = client.request(request.method, self._base + request.path)
        builder = builder.timeout(timedelta(seconds=min(exchange.seconds_left, _LONGEST)))
        for name, value in own_headers(request):
            builder = builder.header(name.decode(), value.decode())
        if request.body is not None:
            exchange.traced = True
            builder = builder.body_stream(_when_sending(request.body, exchange))
        try:
            async with builder.streamed_read_buffer_limit(0).build_streamed() as response:
                return await exchange.collect(response.status, dict(response.headers), _chunks(response.body_reader))
        except RequestError as error:
            causes = [error.message, *(cause["message"] for cause in error.details["causes"] or ())]
            kind = httpcore.ConnectError if NEVER_CONNECTED in causes else httpcore.NetworkError
            await asyncio.sleep(_FAREWELL)
            raise kind(causes[-1]) from error

    async def aclose(self) -> None:
        """Close the connections that are idle."""
        if not self._clients:
            return
        self._free.clear()
        while self._clients:
            await self._clients.pop().close()  # and with it its idle connection
        await asyncio.sleep(_FAREWELL)


def _for_pyreqwest(proxy: Proxy) -> ProxyBuilder:
    builder = ProxyBuilder.all(str(proxy.url))
    if proxy.auth is not None:
        builder = builder.basic_auth(*proxy.auth)
    return builder.headers(proxy.headers.multi_items())


def _when_sending(body: bytes, exchange: Exchange) -> Iterator[bytes]:
    """Give the body once hyper asks for it: with the request's head in its buffer, before the buffer goes out.

    https://docs.rs/hyper/latest/src/hyper/proto/h1/dispatch.rs.html
    """
    exchange.sending()
    yield body


async def _chunks(body: ResponseBodyReader) -> AsyncIterator[bytes]:
    while (chunk := await body.read_chunk()) is not None:
        yield bytes(chunk)
