"""The connector of `fast_transport`, which uses pyreqwest (Rust). It is imported only when it is needed."""

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
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.settings import Settings
from plivo_record_async.transport.connectors.connector import (
    KEEPALIVE,
    Connector,
    NativeTransport,
    common_headers,
    request_headers,
)
from plivo_record_async.transport.connectors.exchange import Exchange
from plivo_record_async.transport.connectors.proxies import Proxy

__all__ = ["PyreqwestTransport"]

CONNECT_FAILURE = "client error (Connect)"
"""The message of hyper for a failure before sending: https://docs.rs/hyper-util/latest/src/hyper_util/client/legacy/client.rs.html
A connect error of pyreqwest does not prove it, because it is also raised if the connection is reset *after* sending."""


_LONGEST_LIMIT = 30 * 24 * 3600.0
"""Seconds. pyreqwest needs a limited timeout, and a deadline may be later than any that it accepts."""

_RELEASE_TIME = 0.01
"""Seconds. After a request has failed, or a client was closed, a thread of pyreqwest still closes the connection and
releases Python objects. If the program ends in between, the interpreter aborts it (``PyGILState_Release``). pyreqwest
has nothing that could be awaited instead."""


class PyreqwestTransport(HttpxTransport, NativeTransport):
    """A transport for any httpx client, and with a connector of its own for `RecordClient`."""

    def __init__(self) -> None:
        super().__init__(_plain_client().build())

    def connector(self, settings: Settings, proxy: Proxy | None) -> Connector:
        """Return a connector without httpx's request and response objects, which cost more than the exchange itself.

        Args:
            settings: The account and the URL of the API.
            proxy: The proxy for all requests. If None, requests are sent directly.

        Raises:
            ConfigurationError: The proxy has an ``ssl_context``.
        """
        if proxy is not None and proxy.ssl_context is not None:
            raise ConfigurationError(
                "fast_transport() cannot use a proxy that has an ssl_context: omit the transport or the ssl_context"
            )
        return PyreqwestConnector(settings, proxy)


def _plain_client() -> ClientBuilder:
    """Return a builder of HTTP/1.1 clients that neither follow redirects nor decompress bodies."""
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
    """Sends requests through pyreqwest.

    pyreqwest continues a request after its task was cancelled, so each request has a time limit of its own. pyreqwest
    asks for the body of a request when the connection is open, right before it sends the first byte. This is the
    evidence of sending, and the last moment at which sending can be prevented.

    Each client of pyreqwest sends one request at a time, so it has at most one connection. A shared client would have
    more connections than requests: hyper completes a new connection and keeps it, even if the request was sent on
    another connection that became idle in the meantime.

    Args:
        settings: The account and the URL of the API.
        proxy: The proxy for all requests. If None, requests are sent directly.
    """

    can_be_cancelled = False

    def __init__(self, settings: Settings, proxy: Proxy | None) -> None:
        self._base = settings.api_url
        self._headers = [(name.decode(), value.decode()) for name, value in common_headers(settings)]
        self._proxy = proxy
        self._clients = set[Client]()
        self._idle = list[Client]()

    def _open(self) -> Client:
        builder = _plain_client().no_proxy().pool_max_idle_per_host(1).default_headers(self._headers)
        client = (builder if self._proxy is None else builder.proxy(_for_pyreqwest(self._proxy))).build()
        self._clients.add(client)
        return client

    async def send(self, request: Request[Any], exchange: Exchange) -> Response:
        """Send a request and return its response.

        Args:
            request: The request.
            exchange: The object in which the connector notes what it observes.

        Returns:
            The response, with its whole body.

        Raises:
            Exception: The request failed. The exception is that of the HTTP library.
        """
        client = self._idle.pop() if self._idle else self._open()
        try:
            return await self._send(client, request, exchange)
        finally:
            if client in self._clients:  # the connector was not closed in the meantime
                self._idle.append(client)

    async def _send(self, client: Client, request: Request[Any], exchange: Exchange) -> Response:
        builder = client.request(request.method, self._base + request.path)
        builder = builder.timeout(timedelta(seconds=min(exchange.seconds_left, _LONGEST_LIMIT)))
        for name, value in request_headers(request):
            builder = builder.header(name.decode(), value.decode())
        if request.body is not None:
            exchange.reports_sending = True
            builder = builder.body_stream(_body_when_sending(request.body, exchange))
        try:
            async with builder.streamed_read_buffer_limit(0).build_streamed() as response:
                return await exchange.receive(response.status, dict(response.headers), _chunks(response.body_reader))
        except RequestError as error:
            causes = [error.message, *(cause["message"] for cause in error.details["causes"] or ())]
            kind = httpcore.ConnectError if CONNECT_FAILURE in causes else httpcore.NetworkError
            await asyncio.sleep(_RELEASE_TIME)
            raise kind(causes[-1]) from error

    async def aclose(self) -> None:
        """Close all connections."""
        if not self._clients:
            return
        self._idle.clear()
        while self._clients:
            await self._clients.pop().close()  # closes its idle connection too
        await asyncio.sleep(_RELEASE_TIME)


def _for_pyreqwest(proxy: Proxy) -> ProxyBuilder:
    builder = ProxyBuilder.all(str(proxy.url))
    if proxy.auth is not None:
        builder = builder.basic_auth(*proxy.auth)
    return builder.headers(proxy.headers.multi_items())


def _body_when_sending(body: bytes, exchange: Exchange) -> Iterator[bytes]:
    """Yield the body when hyper asks for it. At that moment the headers are buffered, and nothing has been sent.

    https://docs.rs/hyper/latest/src/hyper/proto/h1/dispatch.rs.html
    """
    exchange.begin_sending()
    yield body


async def _chunks(body: ResponseBodyReader) -> AsyncIterator[bytes]:
    while (chunk := await body.read_chunk()) is not None:
        yield bytes(chunk)
