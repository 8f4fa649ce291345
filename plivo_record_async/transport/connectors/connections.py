"""The default connector: single connections of httpcore to one origin, with a list of idle connections.

httpcore's ``trace`` extension reports whether a byte of a request may have been sent:
https://www.encode.io/httpcore/extensions/#trace
"""

from __future__ import annotations

import ssl
from collections import deque
from typing import Any

import httpcore
import httpx

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.settings import Environment, Settings
from plivo_record_async.transport.connectors.connector import (
    KEEPALIVE,
    common_headers,
    decoded,
    is_clean,
    is_unmodified,
    request_headers,
)
from plivo_record_async.transport.connectors.exchange import Exchange
from plivo_record_async.transport.connectors.network import AsyncioBackend
from plivo_record_async.transport.connectors.proxies import Proxy

__all__ = ["Connections", "connection_factory", "tls_context"]


class Connections:
    """Single connections to the API. Finding one takes constant time, however many there are.

    For each request, httpx's pool examines all its connections, and after cancellations under contention it may never
    return a connection again. Here, a connection whose request did not end properly is closed, and no other connection
    is affected.

    Args:
        settings: The account and the URL of the API.
        proxy: The proxy for all requests. If None, requests are sent directly.
        environment: The certificates that the environment variables name.

    Raises:
        ConfigurationError: The certificates cannot be read.
    """

    can_be_cancelled = True

    def __init__(self, settings: Settings, proxy: Proxy | None, environment: Environment) -> None:
        base = httpx.URL(settings.base_url)
        self._scheme, self._host, self._port = base.raw_scheme, base.raw_host, base.port
        self._prefix = base.raw_path.rstrip(b"/") + f"/v1/Account/{settings.auth_id}".encode()
        self._origin = self._url(b"/").origin
        self._headers = common_headers(settings)
        context = tls_context(environment) if base.scheme == "https" else None
        self._direct_factory, self._factory = connection_factory(context, None), connection_factory(context, proxy)
        self._idle: deque[httpcore.AsyncConnectionInterface] = deque()

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
        exchange.reports_sending = is_unmodified(httpcore.AsyncHTTPConnection)
        # If a mock such as respx replaces the API, each request gets a new connection, which uses no proxy.
        connection = (
            await self._acquire() if exchange.reports_sending else self._direct_factory.create_connection(self._origin)
        )
        try:
            response = await connection.handle_async_request(
                httpcore.Request(
                    request.method,
                    self._url(self._prefix + request.path.encode()),
                    headers=self._headers + request_headers(request),
                    content=request.body,
                    extensions={"trace": exchange.trace},
                )
            )
            try:
                return await exchange.receive(response.status, decoded(response.headers), response.aiter_stream())
            finally:
                await response.aclose()
        finally:
            await self._release(connection, exchange)

    def _url(self, target: bytes) -> httpcore.URL:
        return httpcore.URL(scheme=self._scheme, host=self._host, port=self._port, target=target)

    async def _acquire(self) -> httpcore.AsyncConnectionInterface:
        """Return the idle connection that was used last, because it is most likely still open, or a new connection."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return self._factory.create_connection(self._origin)

    async def _release(self, connection: httpcore.AsyncConnectionInterface, exchange: Exchange) -> None:
        if not (connection.is_available() and is_clean(connection)):
            await connection.aclose()
            if exchange.opened_stream is not None:  # httpcore does not close it if a TLS handshake is cancelled
                await exchange.opened_stream.aclose()
            return
        self._idle.append(connection)
        if self._idle[0].has_expired():
            await self._idle.popleft().aclose()

    async def aclose(self) -> None:
        """Close the idle connections."""
        while self._idle:
            await self._idle.pop().aclose()


def connection_factory(
    context: ssl.SSLContext | None, proxy: Proxy | None, backend: httpcore.AsyncNetworkBackend | None = None
) -> httpcore.AsyncConnectionPool:
    """Return a pool that is only used to create single connections, directly or through a proxy.

    Args:
        context: The certificates to trust. If None, only ``http`` is possible.
        proxy: The proxy. If None, connections are direct.
        backend: What opens TCP connections. If None, an `AsyncioBackend`.
    """
    return httpcore.AsyncConnectionPool(
        ssl_context=context,
        proxy=None if proxy is None else _for_httpcore(proxy),
        keepalive_expiry=KEEPALIVE,
        network_backend=AsyncioBackend() if backend is None else backend,
    )


def _for_httpcore(proxy: Proxy) -> httpcore.Proxy:
    url = proxy.url
    return httpcore.Proxy(
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        auth=proxy.raw_auth,
        headers=proxy.headers.raw,
        ssl_context=proxy.ssl_context or (httpcore.default_ssl_context() if url.scheme == "https" else None),
    )


def tls_context(environment: Environment) -> ssl.SSLContext:
    """Return a context that trusts the certificates that the environment variables name, or else those of certifi.

    Args:
        environment: The certificates that the environment variables name.

    Raises:
        ConfigurationError: The certificates cannot be read.
    """
    if environment.cert_file is None and environment.cert_dir is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        if environment.cert_file is not None:
            return ssl.create_default_context(cafile=environment.cert_file)
        return ssl.create_default_context(capath=environment.cert_dir)
    except OSError as error:
        variable, path = (
            ("SSL_CERT_DIR", environment.cert_dir)
            if environment.cert_file is None
            else ("SSL_CERT_FILE", environment.cert_file)
        )
        raise ConfigurationError(
            f"{variable} must name a file or a directory of certificates to trust, but {path!r} cannot be read: {error}"
        ) from error
