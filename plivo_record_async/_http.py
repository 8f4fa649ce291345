"""The only file that sends: httpx and httpcore on one side, requests and evidence on the other.

For every request it notes whether a byte of it may have left, as httpcore's ``trace`` extension tells it
(https://www.encode.io/httpcore/extensions/#trace). What to make of that is `_sender`'s business.
"""

from __future__ import annotations

import asyncio
import base64
import platform
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import attrs
import httpcore
import httpx

from plivo_record_async import _clock
from plivo_record_async._network import AsyncioBackend
from plivo_record_async._version import __version__
from plivo_record_async.errors import ConfigurationError, Phase
from plivo_record_async.protocol.endpoints import Request
from plivo_record_async.settings import Settings

__all__ = [
    "Evidence",
    "Lane",
    "ShortcutTransport",
    "Transport",
    "common_headers",
    "fast_transport",
    "open_lane",
    "own_headers",
]

Transport = httpx.AsyncBaseTransport
"""What a user may pass to send with: a proxy, mTLS, ``MockTransport``, ``ASGITransport``, …"""

RawHeaders = list[tuple[bytes, bytes]]

USER_AGENT = f"plivo-record-async/{__version__} (Python {platform.python_version()}; httpx {httpx.__version__})"

LONGEST_BODY = 4 * 1024 * 1024
"""Bytes. A page of 20 recordings is about 20 KB; what is longer than this is not an answer of Plivo's."""

KEEPALIVE = 5.0
"""Seconds for which an idle connection is used again: a start on one that died has an unknown outcome."""

NEVER_CONNECTED = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""What counts as "not sent" where a transport gives no evidence."""

MISLEADING_TRANSPORTS = ("httpx_aiohttp", "pyreqwest")
"""Packages whose transports report a disconnect *after* sending as a connect error too."""


@attrs.define(kw_only=True)
class Evidence:
    """What is known of one request on its way, written down as it comes.

    Attributes:
        phase: How far it came.
        traced: Whether the transport tells when it sends.
        trusted: Whether the transport's connect errors can be believed.
        sent_at: When the first byte may have left.
        status: HTTP status, once the status line came.
        headers: Header fields of the answer, names in lower case.
        body: The answer's body as far as it came.
        opened: The socket that was opened for this request, if one was.
        abandoned: Whether nobody wants it any more: what has not left stays here.
    """

    phase: Phase = "queue"
    traced: bool = False
    trusted: bool = True
    sent_at: datetime | None = None
    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytearray = attrs.field(factory=bytearray)
    opened: httpcore.AsyncNetworkStream | None = None
    abandoned: bool = False

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Listen to httpcore. The headers of a CONNECT to a proxy are not yet the request."""
        self.traced = True
        if event.endswith("send_request_headers.started"):
            self._stop_if_abandoned()
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.phase, self.sent_at = "send", _clock.now()
        elif event.endswith("receive_response_headers.started") and self.sent_at is not None:
            self.phase = "answer"
        elif event == "connection.connect_tcp.complete":
            self.opened = info["return_value"]

    def may_have_left(self, error: BaseException | None = None) -> bool:
        """Whether a byte may have left, given how the request ended, if it has ended."""
        if self.phase in {"queue", "quota"}:
            return False
        if self.traced:
            return self.sent_at is not None
        return not (self.trusted and isinstance(error, NEVER_CONNECTED))

    async def collect(self, status: int, headers: Mapping[str, str], chunks: AsyncIterable[bytes]) -> None:
        """Take in an answer as it comes, so that what came is kept if the rest does not."""
        self.phase, self.status, self.headers = "answer", status, headers
        async for chunk in chunks:
            self._stop_if_abandoned()
            self.body += chunk
            if len(self.body) > LONGEST_BODY:
                raise httpcore.RemoteProtocolError(f"the answer is longer than {LONGEST_BODY} bytes")

    def _stop_if_abandoned(self) -> None:
        if self.abandoned:
            raise asyncio.CancelledError


class Lane(Protocol):
    """One way to the API."""

    async def exchange(self, request: Request[Any], evidence: Evidence, seconds: float) -> None:
        """Send ``request``, write what is seen into ``evidence``; ``seconds`` is the time that is left."""

    async def aclose(self) -> None:
        """Close what is idle."""


class ShortcutTransport(Transport, ABC):
    """A transport that knows a shorter way than through httpx's request and response objects."""

    @abstractmethod
    def lane(self, settings: Settings) -> Lane:
        """The shorter way."""


def open_lane(settings: Settings, transport: Transport | None) -> Lane:
    """The user's transport, or else the package's own connections."""
    try:
        httpx.URL(settings.base_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"base_url (PLIVO_BASE_URL) is not an address: {error}") from error
    match transport:
        case None:
            return _Connections(settings)
        case ShortcutTransport():
            return transport.lane(settings)
        case Transport():
            return _Foreign(settings, transport)
        case _:
            raise ConfigurationError(
                f"transport must be an httpx.AsyncBaseTransport, not {type(transport).__name__}: {transport!r}"
            )


def fast_transport() -> Transport:
    """The fastest transport known, written in Rust: pass it as ``RecordClient(transport=…)``.

    It does not tell when it sends, so only a failed connect counts as "not sent"; a call that is cut off while it
    still connects has an unknown outcome.

    Raises:
        ConfigurationError: The extra ``fast`` is not installed.
    """
    try:
        from plivo_record_async._rust import RustTransport  # noqa: PLC0415 - an optional part
    except ImportError as error:
        raise ConfigurationError(
            "fast_transport() needs the extra 'fast': pip install 'plivo-record-async[fast]'"
        ) from error
    return RustTransport()


def common_headers(settings: Settings) -> RawHeaders:
    credentials = base64.b64encode(f"{settings.auth_id}:{settings.auth_token}".encode())
    return [
        (b"Host", httpx.URL(settings.base_url).netloc),
        (b"Accept", b"application/json"),
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", USER_AGENT.encode()),
        (b"Authorization", b"Basic " + credentials),
    ]


def own_headers(request: Request[Any]) -> RawHeaders:
    """What depends on the request.

    A DELETE asks to close its connection: Plivo's 204 may come with a body, which would then pass for the answer
    to the next request. http://plivo.com/docs/api/conference/record/ shows such a 204.
    """
    if request.method == "DELETE":
        return [(b"Connection", b"close")]
    if request.body is None:
        return []
    return [(b"Content-Type", b"application/json"), (b"Content-Length", str(len(request.body)).encode())]


def _as_text(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


class _Connections:
    """The default way: a free list of single connections to the one origin. O(1) whatever the concurrency.

    httpx's pool looks at all its connections for each request, and after cancellations under contention it may
    never hand out one again. Here a connection that did not end in good order is closed and no other one
    knows of it.
    """

    def __init__(self, settings: Settings) -> None:
        base = httpx.URL(settings.base_url)
        self._scheme, self._host, self._port = base.raw_scheme, base.raw_host, base.port
        self._prefix = base.raw_path.rstrip(b"/") + f"/v1/Account/{settings.auth_id}".encode()
        self._origin = self._url(b"/").origin
        self._headers = common_headers(settings)
        self._ssl_context = httpx.create_ssl_context() if base.scheme == "https" else None
        self._network = AsyncioBackend()
        self._free: deque[httpcore.AsyncHTTPConnection] = deque()

    async def exchange(self, request: Request[Any], evidence: Evidence, seconds: float) -> None:  # noqa: ARG002 - the caller keeps the time
        connection = await self._take()
        try:
            response = await connection.handle_async_request(
                httpcore.Request(
                    request.method,
                    self._url(self._prefix + request.path.encode()),
                    headers=self._headers + own_headers(request),
                    content=request.body,
                    extensions={"trace": evidence.trace},
                )
            )
            try:
                await evidence.collect(response.status, _as_text(response.headers), response.aiter_stream())
            finally:
                await response.aclose()
        finally:
            await self._give_back(connection, evidence)

    def _url(self, target: bytes) -> httpcore.URL:
        return httpcore.URL(scheme=self._scheme, host=self._host, port=self._port, target=target)

    async def _take(self) -> httpcore.AsyncHTTPConnection:
        """The connection used last, as it is the likeliest to be alive; or a new one."""
        while self._free:
            connection = self._free.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            self._origin, self._ssl_context, keepalive_expiry=KEEPALIVE, network_backend=self._network
        )

    async def _give_back(self, connection: httpcore.AsyncHTTPConnection, evidence: Evidence) -> None:
        if not (connection.is_available() and _is_clean(connection)):
            await connection.aclose()
            if evidence.opened is not None:  # httpcore forgets it when it is cancelled in the TLS handshake
                await evidence.opened.aclose()
            return
        self._free.append(connection)
        if self._free[0].has_expired():
            await self._free.popleft().aclose()

    async def aclose(self) -> None:
        while self._free:
            await self._free.pop().aclose()


def _is_clean(connection: httpcore.AsyncHTTPConnection) -> bool:
    """Whether nothing came after the answer: it would pass for the answer to the next request.

    httpcore has no public word for this. Should its insides change, no connection is used twice any more, and the
    tests say so.
    """
    h11_connection = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return getattr(h11_connection, "trailing_data", None) == (b"", False)


class _Foreign:
    """The way through a transport that the user gave.

    httpx's pool is never cancelled: it would lose a connection for good now and then, until it has none left. Who
    is not waited for any more stops by itself before it sends, or ends by the time limits that it was given.
    """

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self._base = f"{settings.base_url}/v1/Account/{settings.auth_id}"
        self._headers = common_headers(settings)
        self._transport = transport
        self._trusted = not any(base.__module__.startswith(MISLEADING_TRANSPORTS) for base in type(transport).__mro__)
        self._has_pool = isinstance(transport, httpx.AsyncHTTPTransport)
        self._abandoned: set[asyncio.Task[None]] = set()

    async def exchange(self, request: Request[Any], evidence: Evidence, seconds: float) -> None:
        evidence.trusted = self._trusted
        if not self._has_pool:
            return await self._exchange(request, evidence, seconds)
        task = asyncio.create_task(self._exchange(request, evidence, seconds))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            evidence.abandoned = True
            self._abandoned.add(task)
            task.add_done_callback(self._abandoned.discard)
            raise

    async def _exchange(self, request: Request[Any], evidence: Evidence, seconds: float) -> None:
        response = await self._transport.handle_async_request(
            httpx.Request(
                request.method,
                self._base + request.path,
                headers=self._headers + own_headers(request),
                content=request.body,
                extensions={
                    "trace": evidence.trace,
                    "timeout": {"connect": seconds, "read": seconds, "write": seconds},
                },
            )
        )
        try:
            stream = response.stream  # not what httpx would unpack of it: that may fail, and the headers stay
            assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - an async transport has no other
            await evidence.collect(response.status_code, _as_text(response.headers.raw), stream)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        for task in self._abandoned:
            task.cancel()
        await asyncio.gather(*self._abandoned, return_exceptions=True)
        await self._transport.aclose()
