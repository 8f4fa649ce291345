"""Send one callback over HTTP. This is the only module of the emulator that imports httpx."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import httpx

from plivo_record_async.emulator.account.callbacks import DeliveryOptions, HttpCallback
from plivo_record_async.emulator.clock import RealClock, VirtualClock
from plivo_record_async.emulator.history.entries import kept

__all__ = ["CallbackSender", "DeliveryResult"]

_HEADERS = {"Connection": "close", "User-Agent": "plivo-record-emulator", "Accept-Encoding": "identity"}


@attrs.frozen(kw_only=True)
class DeliveryResult:
    """The result of an attempt.

    Attributes:
        status: The HTTP status of the answer. If None, there was no answer.
        headers: The headers of the answer, with names in lower case.
        body: The first 16 KiB of the body of the answer.
        body_bytes: The length of the whole body of the answer.
        error: What went wrong, in words. If None, the receiver answered 2xx.
        failure: The class of the failure, as in ``DeliveryOptions.retry_on``. If None, there is nothing to retry.
    """

    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytes = b""
    body_bytes: int = 0
    error: str | None = None
    failure: str | None = None


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
            What came of it. No error of the network is raised.
        """
        seconds = (options.connect_ms + options.read_ms) / 1000
        if self._clock.mode != "virtual":
            return await self._send(request, _timeout(options))
        try:
            async with self._clock.timeout(seconds):
                return await self._send(request, httpx.Timeout(None))
        except TimeoutError:
            return DeliveryResult(error=f"no answer within {seconds} s", failure="rt")

    async def _send(self, request: HttpCallback, timeout: httpx.Timeout) -> DeliveryResult:
        client = self._client(tls=request.url.lower().startswith("https:"))
        try:
            async with client.stream(
                request.method, request.url, headers=request.headers, content=request.content, timeout=timeout
            ) as response:
                return await _answered(response)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return _unanswered(error)

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
    error = failure = None
    try:
        async for piece in response.aiter_raw():
            length += len(piece)
            body = kept(body + piece)
    except httpx.HTTPError as broken:
        error = f"the answer broke off: {broken!r}"
    else:
        if not response.is_success:
            error, failure = f"answered {status}", f"{status // 100}xx"
    return DeliveryResult(
        status=status, headers=dict(response.headers), body=body, body_bytes=length, error=error, failure=failure
    )


def _unanswered(error: Exception) -> DeliveryResult:
    """Return the result without an answer: ``ct`` if the connection failed, ``rt`` if it timed out or was lost."""
    failure = None
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        failure = "ct"
    elif isinstance(error, httpx.TimeoutException | httpx.NetworkError | httpx.RemoteProtocolError):
        failure = "rt"
    return DeliveryResult(error=f"no answer: {error!r}", failure=failure)
