"""Send one callback over HTTP. This is the only module of the emulator that imports httpx."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping

import attrs
import httpx

from plivo_record_async.emulator.account.callbacks import DeliveryOptions, HttpCallback
from plivo_record_async.emulator.clock import RealClock, VirtualClock
from plivo_record_async.emulator.history.entries import DeliveryFailure, kept

__all__ = ["CallbackSender", "DeliveryResult", "in_seconds", "unanswered"]

_HEADERS = {"Connection": "close", "User-Agent": "plivo-record-emulator", "Accept-Encoding": "identity"}
_CT: set[DeliveryFailure | None] = {"connect_timeout", "refused", "unreachable", "dns", "tls"}
_RT: set[DeliveryFailure | None] = {"read_timeout", "reset", "disconnected", "invalid_response"}


@attrs.frozen(kw_only=True)
class DeliveryResult:
    """The result of an attempt.

    Attributes:
        status: The HTTP status of the answer. If None, there was no answer.
        headers: The headers of the answer, with names in lower case.
        body: The first 16 KiB of the body of the answer.
        body_bytes: The length of the whole body of the answer.
        error: What went wrong, in words. If None, the receiver answered 2xx.
        failure: The kind of the failure. If None, the receiver answered 2xx.
    """

    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytes = b""
    body_bytes: int = 0
    error: str | None = None
    failure: DeliveryFailure | None = None

    @property
    def retry_class(self) -> str | None:
        """The class of the failure, as in ``DeliveryOptions.retry_on``. If None, Plivo does not retry it."""
        if self.failure == "status":
            return f"{(self.status or 0) // 100}xx"
        return "ct" if self.failure in _CT else "rt" if self.failure in _RT else None


class CallbackSender:
    """Sends callbacks, each over a connection of its own, so that ``ct`` applies to each of them.

    The clients honour SSL_CERT_FILE and use no proxy.

    Args:
        clock: The clock of all timeouts.
    """

    def __init__(self, clock: RealClock | VirtualClock) -> None:
        self._clock = clock
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def send(self, request: HttpCallback, options: DeliveryOptions) -> DeliveryResult:
        """Send a callback and read the answer.

        Args:
            request: The callback.
            options: How long to wait.

        Returns:
            The result. No error of the network is raised.
        """
        seconds = (options.connect_ms + options.read_ms) / 1000
        if self._clock.mode != "virtual":
            return await self._send(request, options, _timeout(options))
        try:
            async with self._clock.timeout(seconds):
                return await self._send(request, options, httpx.Timeout(None))
        except TimeoutError:
            return DeliveryResult(error=f"no response within {in_seconds(seconds)}", failure="read_timeout")

    async def _send(self, request: HttpCallback, options: DeliveryOptions, timeout: httpx.Timeout) -> DeliveryResult:
        client = self._client(tls=request.url.lower().startswith("https:"))
        try:
            async with client.stream(
                request.method, request.url, headers=request.headers, content=request.content, timeout=timeout
            ) as response:
                return await _answered(response)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return unanswered(error, request.url, options)

    async def aclose(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.aclose()

    def _client(self, *, tls: bool) -> httpx.AsyncClient:
        """Return the client for plain or TLS connections. Only the latter reads certificates."""
        if tls not in self._clients:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
            transport = httpx.AsyncHTTPTransport(verify=tls, limits=limits)
            self._clients[tls] = httpx.AsyncClient(transport=transport, headers=_HEADERS)
        return self._clients[tls]


def _timeout(options: DeliveryOptions) -> httpx.Timeout:
    return httpx.Timeout(options.read_ms / 1000, connect=options.connect_ms / 1000, pool=None)


async def _answered(response: httpx.Response) -> DeliveryResult:
    """Read an answer. If it breaks off, Plivo does not retry."""
    status, body, length = response.status_code, b"", 0
    error: str | None = None
    failure: DeliveryFailure | None = None
    try:
        async for piece in response.aiter_raw():
            length += len(piece)
            body = kept(body + piece)
    except httpx.HTTPError:
        error, failure = f"the response broke off after {length} {'byte' if length == 1 else 'bytes'}", "broke_off"
    else:
        if not response.is_success:
            error, failure = f"the receiver answered {status}", "status"
    return DeliveryResult(
        status=status, headers=dict(response.headers), body=body, body_bytes=length, error=error, failure=failure
    )


def unanswered(error: Exception, url: str, options: DeliveryOptions) -> DeliveryResult:
    """Return the result of an attempt without an answer."""
    failure = _failure_of(error)
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    words: dict[DeliveryFailure, str] = {
        "connect_timeout": f"no connection within {in_seconds(options.connect_ms / 1000)}",
        "read_timeout": f"no response within {in_seconds(options.read_ms / 1000)}",
        "refused": f"{host} refused the connection",
        "unreachable": f"no connection to {host} is possible",
        "dns": f"the name in {host} cannot be resolved",
        "tls": f"the TLS connection to {host} failed: {_tls_reason(error)}",
        "reset": "the connection was reset before a response arrived",
        "disconnected": "the receiver closed the connection without a response",
        "invalid_response": "the response is not valid HTTP",
        "invalid_url": "the URL cannot be called",
    }
    return DeliveryResult(error=words[failure], failure=failure)


def _failure_of(error: Exception) -> DeliveryFailure:
    """Return the kind of the failure that an exception of httpx reports."""
    causes = list(_causes(error))
    kinds: list[tuple[DeliveryFailure, type[BaseException]]] = [
        ("connect_timeout", httpx.ConnectTimeout),
        ("read_timeout", httpx.TimeoutException),
        ("dns", socket.gaierror),
        ("tls", ssl.SSLError),
        ("refused", ConnectionRefusedError),
        ("unreachable", httpx.ConnectError),
        ("reset", httpx.NetworkError),
    ]
    for failure, kind in kinds:
        if any(isinstance(cause, kind) for cause in causes):
            return failure
    if isinstance(error, httpx.RemoteProtocolError):
        return "disconnected" if "disconnected" in str(error) else "invalid_response"
    return "invalid_url"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and everything that caused it."""
    while error is not None:
        yield error
        # A group of exceptions has this attribute; other exceptions do not.
        members: tuple[BaseException, ...] = getattr(error, "exceptions", ())
        for member in members:
            yield from _causes(member)
        error = error.__cause__ or error.__context__


def _tls_reason(error: Exception) -> str:
    """Return why TLS failed, in OpenSSL's words."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted ({cause.verify_message.rstrip('.')})"
        if isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None):
            return cause.reason.lower().replace("_", " ")
    return "the handshake was not completed"


def in_seconds(seconds: float) -> str:
    """Return a length of time in words.

    Args:
        seconds: The length.
    """
    return f"{seconds:g} {'second' if seconds == 1 else 'seconds'}"
