"""The only file that sends: httpx and httpcore on one side, requests and evidence on the other.

For every request it notes whether a byte of it may have left, as httpcore's ``trace`` extension tells it
(https://www.encode.io/httpcore/extensions/#trace). What to make of that is `_sender`'s business.
"""

from __future__ import annotations

import asyncio
import base64
import math
import platform
import ssl
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import attrs
import httpcore
import httpx

from plivo_record_async import _clock
from plivo_record_async._network import AsyncioBackend
from plivo_record_async._proxies import Proxy, ProxyTypes, choose_proxy
from plivo_record_async._version import __version__
from plivo_record_async.errors import ConfigurationError, Phase
from plivo_record_async.protocol.endpoints import Request
from plivo_record_async.settings import Environment, Settings

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
        deadline: When it is given up, by ``clock``.
        clock: The clock of the event loop.
        phase: How far it came.
        traced: Whether the transport tells before it sends: what is not known to have been sent has not been.
        trusted: Whether the transport's connect errors can be believed.
        sent_at: When the first byte may have left.
        status: HTTP status, once the status line came.
        headers: Header fields of the answer, names in lower case.
        body: The answer's body as far as it came.
        opened: The socket that was opened for this request, if one was.
        abandoned: Whether nobody wants it any more: what has not left stays here.
    """

    deadline: float = math.inf
    clock: Callable[[], float] = attrs.field(default=lambda: 0.0)
    phase: Phase = "queue"
    traced: bool = False
    trusted: bool = True
    sent_at: datetime | None = None
    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytearray = attrs.field(factory=bytearray)
    opened: httpcore.AsyncNetworkStream | None = None
    abandoned: bool = False

    @property
    def seconds_left(self) -> float:
        """How long it may still take; 0 if the deadline has passed."""
        return max(0.0, self.deadline - self.clock())

    def sending(self) -> None:
        """Note that the first byte is about to leave, or prevent it, if nobody wants the request any more.

        It is noted first and then looked at, because a transport may call this in a thread of its own: so either
        this sees that the request was abandoned, or whoever abandons it sees that it was sent.

        Raises:
            CancelledError: It was abandoned.
            TimeoutError: Its deadline has passed.
        """
        before, self.phase, self.sent_at = self.phase, "send", _clock.now()
        try:
            self._stop_if_unwanted()
        except BaseException:
            self.phase, self.sent_at = before, None
            raise

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Listen to httpcore. The headers of a CONNECT to a proxy are not yet the request."""
        self.traced = True
        if event.endswith("send_request_headers.started"):
            if info["request"].method == b"CONNECT":
                self._stop_if_unwanted()
            else:
                self.sending()
        elif event.endswith("receive_response_headers.started") and self.sent_at is not None:
            self.phase = "answer"
        elif event.endswith("connect_tcp.complete"):
            self.opened = info["return_value"]

    def may_have_left(self, error: BaseException | None = None) -> bool:
        """Whether a byte may have left, given how the request ended, if it has ended."""
        if self.phase in {"queue", "quota"}:
            return False
        if self.traced or self.sent_at is not None:
            return self.sent_at is not None
        return not (self.trusted and isinstance(error, NEVER_CONNECTED))

    async def collect(self, status: int, headers: Mapping[str, str], chunks: AsyncIterable[bytes]) -> None:
        """Take in an answer as it comes, so that what came is kept if the rest does not."""
        self.phase, self.status, self.headers = "answer", status, headers
        async for chunk in chunks:
            self._stop_if_unwanted()
            self.body += chunk
            if len(self.body) > LONGEST_BODY:
                raise httpcore.RemoteProtocolError(f"the answer is longer than {LONGEST_BODY} bytes")

    def _stop_if_unwanted(self) -> None:
        if self.abandoned:
            raise asyncio.CancelledError
        if self.seconds_left == 0:
            raise TimeoutError


class Lane(Protocol):
    """One way to the API. It can be used again after it was closed."""

    can_be_cancelled: bool
    """Whether a request ends at once, and its connection with it, when its task is cancelled. Otherwise it ends by
    itself, not later than a moment after its deadline, and sends nothing once it is abandoned."""

    async def exchange(self, request: Request[Any], evidence: Evidence) -> None:
        """Send ``request`` and write what is seen into ``evidence``."""

    async def aclose(self) -> None:
        """Close what is idle."""


class ShortcutTransport(Transport, ABC):
    """A transport that knows a shorter way than through httpx's request and response objects."""

    @abstractmethod
    def lane(self, settings: Settings, proxy: Proxy | None) -> Lane:
        """Return the shorter way, through ``proxy`` if it is not None.

        It holds at most one connection for each request that was ever under way at the same time.
        """


def open_lane(
    settings: Settings,
    transport: Transport | None,
    *,
    proxy: ProxyTypes | None = None,
    environment: Environment = Environment(),  # noqa: B008 - frozen
) -> Lane:
    """Return the way through the user's transport, or else through the package's own connections.

    Raises:
        ConfigurationError: The address, the transport, the proxy or the certificates cannot be used.
    """
    try:
        httpx.URL(settings.base_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"base_url (PLIVO_BASE_URL) is not an address: {error}") from error
    match transport:
        case None:
            return _Connections(settings, choose_proxy(settings.base_url, proxy, environment), environment)
        case ShortcutTransport():
            return transport.lane(settings, choose_proxy(settings.base_url, proxy, environment))
        case Transport() if proxy is not None:
            raise ConfigurationError(
                "proxy and transport exclude each other: give the proxy to the transport, as in "
                "httpx.AsyncHTTPTransport(proxy=…), or leave the transport out"
            )
        case Transport():
            return _Foreign(settings, transport)
        case _:
            raise ConfigurationError(
                f"transport must be an httpx.AsyncBaseTransport, not {type(transport).__name__}: {transport!r}"
            )


def fast_transport() -> Transport:
    """Return the fastest transport known, written in Rust: pass it as ``RecordClient(transport=…)``.

    It tells exactly whether a start was sent; of other requests, only a failed connect counts as "not sent".

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

    async def exchange(self, request: Request[Any], evidence: Evidence) -> None:
        evidence.traced = _is_genuine(httpcore.AsyncHTTPConnection)
        # A mock stands for the API: it is not to be sought behind a proxy, nor on a connection from before it.
        connection = await self._take() if evidence.traced else self._direct.create_connection(self._origin)
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

    async def _take(self) -> httpcore.AsyncConnectionInterface:
        """The connection used last, as it is the likeliest to be alive; or a new one."""
        while self._free:
            connection = self._free.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return self._source.create_connection(self._origin)

    async def _give_back(self, connection: httpcore.AsyncConnectionInterface, evidence: Evidence) -> None:
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


def _is_clean(connection: object) -> bool:
    """Whether nothing came after the answer: it would pass for the answer to the next request.

    httpcore has no public word for this. Should its insides change, no connection is used twice any more, and the
    tests say so.
    """
    while connection is not None and not hasattr(connection, "_h11_state"):
        connection = getattr(connection, "_connection", None)
    return getattr(getattr(connection, "_h11_state", None), "trailing_data", None) == (b"", False)


def _is_genuine(sends: Any) -> bool:
    """Whether a class of httpx or httpcore sends as they wrote it, and thus tells when it does.

    What stands in its place (respx, a user's subclass) need not.
    """
    return sends.handle_async_request.__module__.partition(".")[0] in {"httpcore", "httpx"}


class _Foreign:
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

    async def exchange(self, request: Request[Any], evidence: Evidence) -> None:
        evidence.trusted = self._trusted
        evidence.traced = (
            self._has_pool and _is_genuine(type(self._transport)) and _is_genuine(httpcore.AsyncConnectionPool)
        )
        try:
            response = await self._transport.handle_async_request(self._for_httpx(request, evidence))
        except BaseException:
            if evidence.opened is not None:  # httpcore forgets it when a SOCKS proxy refuses
                await evidence.opened.aclose()
            raise
        try:
            stream = response.stream  # not what httpx would unpack of it: that may fail, and the headers stay
            assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - an async transport has no other
            await evidence.collect(response.status_code, _as_text(response.headers.raw), stream)
        finally:
            await _close_if_not_clean(response)
            await response.aclose()

    def _for_httpx(self, request: Request[Any], evidence: Evidence) -> httpx.Request:
        return httpx.Request(
            request.method,
            self._base + request.path,
            headers=self._headers + own_headers(request),
            content=request.body,
            extensions={"trace": evidence.trace, "timeout": _TimeLeft(self._limits, evidence)},
        )

    async def aclose(self) -> None:
        await self._transport.aclose()


class _TimeLeft(dict[str, float]):
    """The time limit of each step, which is what is left until the deadline when the step begins."""

    def __init__(self, steps: Sequence[str], evidence: Evidence) -> None:
        super().__init__(dict.fromkeys(steps, evidence.seconds_left))
        self._evidence = evidence

    def get(self, step: str, default: Any = None) -> Any:
        """Answer httpcore, which asks at the beginning of each step."""
        return self._evidence.seconds_left if step in self else default


async def _close_if_not_clean(response: httpx.Response) -> None:
    """Close the connection in httpx's pool on which more came than the answer: no other request may use it."""
    stream = response.extensions.get("network_stream")
    if stream is None or response.extensions.get("http_version") == b"HTTP/2":
        return
    body = getattr(getattr(response.stream, "_httpcore_stream", None), "_stream", None)
    if not _is_clean(body):
        await stream.aclose()
