"""The connector for a transport that the user passes: any ``httpx.AsyncBaseTransport``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpcore
import httpx

from plivo_record_async.protocol.api.endpoints import Request
from plivo_record_async.protocol.api.responses import Reply
from plivo_record_async.settings import Settings
from plivo_record_async.transport.connectors.connector import (
    Exchange,
    Transport,
    as_text,
    common_headers,
    is_clean,
    is_genuine,
    own_headers,
)

__all__ = ["HttpxAdapter"]

MISLEADING_TRANSPORTS = ("httpx_aiohttp", "pyreqwest")
"""Packages whose transports report a disconnect *after* sending as a connect error too."""


class HttpxAdapter:
    """The way through a transport that the user gave.

    httpx's pool is never cancelled: it would lose a connection for good now and then, until it has none left. What
    is not waited for any more stops by itself before it is sent, or ends by the time limits that it was given.
    The same holds for pyreqwest, which goes on with what was cancelled.
    """

    def __init__(self, settings: Settings, transport: Transport) -> None:
        packages = {base.__module__.partition(".")[0] for base in type(transport).__mro__}
        self._base = f"{settings.base_url}/v1/Account/{settings.auth_id}"
        self._headers = common_headers(settings)
        self._transport = transport
        self._trusted = packages.isdisjoint(MISLEADING_TRANSPORTS)
        self._has_pool = isinstance(transport, httpx.AsyncHTTPTransport)
        self._limits = ("read",) if "pyreqwest" in packages else ("connect", "read", "write")  # it adds them up
        self.can_be_cancelled = not self._has_pool and "pyreqwest" not in packages

    async def send(self, request: Request[Any], exchange: Exchange) -> Reply:
        """Send ``request``, report to ``exchange`` how far it has come, and return the answer."""
        exchange.trusted = self._trusted
        exchange.traced = (
            self._has_pool and is_genuine(type(self._transport)) and is_genuine(httpcore.AsyncConnectionPool)
        )
        try:
            response = await self._transport.handle_async_request(self._for_httpx(request, exchange))
        except BaseException:
            if exchange.opened is not None:  # httpcore forgets it when a SOCKS proxy refuses
                await exchange.opened.aclose()
            raise
        try:
            stream = response.stream  # not what httpx would unpack of it: that may fail, and the headers stay
            assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - an async transport has no other
            return await exchange.collect(response.status_code, as_text(response.headers.raw), stream)
        finally:
            await _close_if_not_clean(response)
            await response.aclose()

    def _for_httpx(self, request: Request[Any], exchange: Exchange) -> httpx.Request:
        return httpx.Request(
            request.method,
            self._base + request.path,
            headers=self._headers + own_headers(request),
            content=request.body,
            extensions={"trace": exchange.trace, "timeout": _TimeLeft(self._limits, exchange)},
        )

    async def aclose(self) -> None:
        """Close the connections that are idle."""
        await self._transport.aclose()


class _TimeLeft(dict[str, float]):
    """The time limit of each step, which is what is left until the deadline when the step begins."""

    def __init__(self, steps: Sequence[str], exchange: Exchange) -> None:
        super().__init__(dict.fromkeys(steps, exchange.seconds_left))
        self._exchange = exchange

    def get(self, step: str, default: Any = None) -> Any:
        """Answer httpcore, which asks at the beginning of each step."""
        return self._exchange.seconds_left if step in self else default


async def _close_if_not_clean(response: httpx.Response) -> None:
    """Close the connection in httpx's pool on which more came than the answer: no other request may use it."""
    stream = response.extensions.get("network_stream")
    if stream is None or response.extensions.get("http_version") == b"HTTP/2":
        return
    body = getattr(getattr(response.stream, "_httpcore_stream", None), "_stream", None)
    if not is_clean(body):
        await stream.aclose()
