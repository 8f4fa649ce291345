"""The connector for a transport that the user passes: any ``httpx.AsyncBaseTransport``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpcore
import httpx

from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.settings import Settings
from plivo_record_async.transport.connectors.connector import (
    AdaptedTransport,
    Transport,
    common_headers,
    decoded,
    is_clean,
    is_unmodified,
    packages_of,
    request_headers,
)
from plivo_record_async.transport.connectors.exchange import Exchange

__all__ = ["HttpxAdapter"]

MISLEADING_TRANSPORTS = ("httpx_aiohttp", "pyreqwest")
"""Packages whose transports also raise a connect error if the connection breaks *after* sending began."""


class HttpxAdapter:
    """Sends requests through a transport that the user passes.

    A request in httpx's pool is never cancelled, because a cancellation can make the pool lose a connection for good.
    If the response is no longer needed, the request stops before it is sent, or ends when its time limits expire. The
    same is true of pyreqwest, which continues a request after its task was cancelled.

    Args:
        settings: The account and the URL of the API.
        transport: The transport of the user.
    """

    def __init__(self, settings: Settings, transport: Transport) -> None:
        original: object = transport
        pool_types: tuple[type, type] = (httpx.AsyncHTTPTransport, httpcore.AsyncConnectionPool)
        if isinstance(transport, AdaptedTransport):
            original, pool_types = transport.original, transport.pool_types
        packages = packages_of(original)
        self._base = settings.api_url
        self._headers = common_headers(settings)
        self._transport = transport
        self._trusted = packages.isdisjoint(MISLEADING_TRANSPORTS)
        self._has_pool = isinstance(original, pool_types[0])
        self._sending_types = (type(original), pool_types[1])
        # pyreqwest adds up the limits of the steps.
        self._limits = ("read",) if "pyreqwest" in packages else ("connect", "read", "write")
        self.can_be_cancelled: bool = not self._has_pool and "pyreqwest" not in packages

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
        exchange.trusts_connect_errors = self._trusted
        exchange.reports_sending = self._has_pool and all(map(is_unmodified, self._sending_types))
        try:
            response = await self._transport.handle_async_request(self._for_httpx(request, exchange))
        except BaseException:
            if exchange.opened_stream is not None:  # httpcore does not close it after a refusal by a SOCKS proxy
                await exchange.opened_stream.aclose()
            raise
        try:
            stream = response.stream  # not decompressed by httpx, because that may fail and keeps the headers
            assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - asynchronous transports have no other kind
            return await exchange.receive(response.status_code, decoded(response.headers.raw), stream)
        finally:
            await _close_if_not_clean(response)
            await response.aclose()

    def _for_httpx(self, request: Request[Any], exchange: Exchange) -> httpx.Request:
        return httpx.Request(
            request.method,
            self._base + request.path,
            headers=self._headers + request_headers(request),
            content=request.body,
            extensions={"trace": exchange.trace, "timeout": _TimeLeft(self._limits, exchange)},
        )

    async def aclose(self) -> None:
        """Close the transport and its idle connections."""
        await self._transport.aclose()


class _TimeLeft(dict[str, float]):
    """The time limits of the steps of a request. The limit of a step is the time that is left when the step begins."""

    def __init__(self, steps: Sequence[str], exchange: Exchange) -> None:
        super().__init__(dict.fromkeys(steps, exchange.seconds_left))
        self._exchange = exchange

    def get(self, step: str, default: Any = None) -> Any:
        """Return the limit of a step, in seconds. httpcore calls this method at the beginning of each step."""
        return self._exchange.seconds_left if step in self else default


async def _close_if_not_clean(response: httpx.Response) -> None:
    """Close a connection of httpx's pool if it received more than the response, so that no other request uses it."""
    stream = response.extensions.get("network_stream")
    if stream is None or response.extensions.get("http_version") == b"HTTP/2":
        return
    body = getattr(getattr(response.stream, "_httpcore_stream", None), "_stream", None)
    if not is_clean(body):
        await stream.aclose()
