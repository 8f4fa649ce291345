"""The default connector: single connections to one origin, kept in a free list, over httpcore.

It notes whether a byte of a request may have left, as httpcore's ``trace`` extension reports it
(https://www.encode.io/httpcore/extensions/#trace).
"""

from __future__ import annotations

import ssl
from collections import deque
from typing import Any

import httpcore
import httpx

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.protocol.api.endpoints import Request
from plivo_record_async.protocol.api.responses import Reply
from plivo_record_async.settings import Environment, Settings
from plivo_record_async.transport.connectors.connector import (
    KEEPALIVE,
    Exchange,
    as_text,
    common_headers,
    is_clean,
    is_genuine,
    own_headers,
)
from plivo_record_async.transport.connectors.network import AsyncioBackend
from plivo_record_async.transport.connectors.proxies import Proxy

__all__ = ["Connections"]


class Connections:
    """The default way: a free list of single connections to the one origin. O(1) whatever the concurrency.

    httpx's pool looks at all its connections for each request, and after cancellations under contention it may
    never hand out one again. Here a connection that did not end in good order is closed and no other one
    knows of it.
    """

    can_be_cancelled = True

    def __init__(self, settings: Settings, proxy: Proxy | None, environment: Environment) -> None:
        base = httpx.URL(settings.base_url)
        self._scheme, self._host, self._port = base.raw_scheme, base.raw_host, base.port
        self._prefix = base.raw_path.rstrip(b"/") + f"/v1/Account/{settings.auth_id}".encode()
        self._origin = self._url(b"/").origin
        self._headers = common_headers(settings)
        context = _tls_context(environment) if base.scheme == "https" else None
        self._direct, self._source = _connections_of(context, None), _connections_of(context, proxy)
        self._free: deque[httpcore.AsyncConnectionInterface] = deque()

    async def send(self, request: Request[Any], exchange: Exchange) -> Reply:
        """Send ``request``, report to ``exchange`` how far it has come, and return the answer."""
        exchange.traced = is_genuine(httpcore.AsyncHTTPConnection)
        # A mock stands for the API: it is not to be sought behind a proxy, nor on a connection from before it.
        connection = await self._take() if exchange.traced else self._direct.create_connection(self._origin)
        try:
            response = await connection.handle_async_request(
                httpcore.Request(
                    request.method,
                    self._url(self._prefix + request.path.encode()),
                    headers=self._headers + own_headers(request),
                    content=request.body,
                    extensions={"trace": exchange.trace},
                )
            )
            try:
                return await exchange.collect(response.status, as_text(response.headers), response.aiter_stream())
            finally:
                await response.aclose()
        finally:
            await self._give_back(connection, exchange)

    def _url(self, target: bytes) -> httpcore.URL:
        return httpcore.URL(scheme=self._scheme, host=self._host, port=self._port, target=target)

    async def _take(self) -> httpcore.AsyncConnectionInterface:
        """The connection used last, as it is the likeliest to be alive; or a new one."""
        while self._free:
            connection = self._free.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return self._source.create_connection(self._origin)

    async def _give_back(self, connection: httpcore.AsyncConnectionInterface, exchange: Exchange) -> None:
        if not (connection.is_available() and is_clean(connection)):
            await connection.aclose()
            if exchange.opened is not None:  # httpcore forgets it when it is cancelled in the TLS handshake
                await exchange.opened.aclose()
            return
        self._free.append(connection)
        if self._free[0].has_expired():
            await self._free.popleft().aclose()

    async def aclose(self) -> None:
        """Close the connections that are idle."""
        while self._free:
            await self._free.pop().aclose()


def _connections_of(context: ssl.SSLContext | None, proxy: Proxy | None) -> httpcore.AsyncConnectionPool:
    """Return what makes single connections, direct ones or through a proxy. It is never used as a pool."""
    return httpcore.AsyncConnectionPool(
        ssl_context=context,
        proxy=None if proxy is None else _for_httpcore(proxy),
        keepalive_expiry=KEEPALIVE,
        network_backend=AsyncioBackend(),
    )


def _for_httpcore(proxy: Proxy) -> httpcore.Proxy:
    url = proxy.url
    return httpcore.Proxy(
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        auth=proxy.raw_auth,
        headers=proxy.headers.raw,
        ssl_context=proxy.ssl_context or (httpcore.default_ssl_context() if url.scheme == "https" else None),
    )


def _tls_context(environment: Environment) -> ssl.SSLContext:
    """Trust the certificates that the environment names, or else those of certifi."""
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
            f"{variable} must name certificates to trust, and they cannot be read from {path!r}: {error}"
        ) from error
