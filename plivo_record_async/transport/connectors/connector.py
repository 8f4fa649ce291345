"""What all connectors share: their interface, what is seen of one exchange, and the headers of a request."""

from __future__ import annotations

import asyncio
import base64
import math
import platform
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import attrs
import httpcore
import httpx

from plivo_record_async import _clock
from plivo_record_async._version import __version__
from plivo_record_async.errors import Phase
from plivo_record_async.protocol.api.endpoints import Request
from plivo_record_async.protocol.api.responses import Reply
from plivo_record_async.settings import Settings
from plivo_record_async.transport.connectors.proxies import Proxy

__all__ = [
    "KEEPALIVE",
    "Connector",
    "Exchange",
    "NativeTransport",
    "RawHeaders",
    "Transport",
    "as_text",
    "common_headers",
    "is_clean",
    "is_genuine",
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


@attrs.define(kw_only=True)
class Exchange:
    """What one attempt has come to so far: how far the request got, and the answer as far as it came.

    Attributes:
        deadline: When it is given up, by ``clock``.
        clock: The clock of the event loop.
        phase: How far it came.
        traced: Whether the transport tells before it sends: what is not known to have been sent has not been.
        trusted: Whether the transport's connect errors can be believed.
        sent_at: When the first byte may have left.
        opened: The socket that was opened for this request, if one was.
        abandoned: Whether nobody wants it any more: what has not left stays here.
        partial: The answer as far as it came, once its status line came.
    """

    deadline: float = math.inf
    clock: Callable[[], float] = attrs.field(default=lambda: 0.0)
    phase: Phase = "queue"
    traced: bool = False
    trusted: bool = True
    sent_at: datetime | None = None
    opened: httpcore.AsyncNetworkStream | None = None
    abandoned: bool = False
    partial: Reply | None = None

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

    async def collect(self, status: int, headers: Mapping[str, str], chunks: AsyncIterable[bytes]) -> Reply:
        """Return the answer. While it arrives, ``partial`` holds what is there, so that nothing is lost if the rest is.

        Args:
            status: HTTP status.
            headers: Header fields, names in lower case.
            chunks: The body.

        Raises:
            CancelledError: The request was abandoned.
            TimeoutError: Its deadline has passed.
            httpcore.RemoteProtocolError: The body is longer than any answer of Plivo's.
        """
        self.phase = "answer"
        reply = self.partial = Reply(
            status=status, headers=headers, complete=False, sent_at=self.sent_at, received_at=_clock.now()
        )
        body = bytearray()
        async for chunk in chunks:
            self._stop_if_unwanted()
            body += chunk
            reply = self.partial = attrs.evolve(reply, body=bytes(body))
            if len(body) > LONGEST_BODY:
                raise httpcore.RemoteProtocolError(f"the answer is longer than {LONGEST_BODY} bytes")
        return attrs.evolve(reply, complete=True)

    def _stop_if_unwanted(self) -> None:
        if self.abandoned:
            raise asyncio.CancelledError
        if self.seconds_left == 0:
            raise TimeoutError


class Connector(Protocol):
    """One way to the API. It can be used again after it was closed."""

    can_be_cancelled: bool
    """Whether a request ends at once, and its connection with it, when its task is cancelled. Otherwise it ends by
    itself, not later than a moment after its deadline, and sends nothing once it is abandoned."""

    async def send(self, request: Request[Any], exchange: Exchange) -> Reply:
        """Send ``request``, report to ``exchange`` how far it has come, and return the answer."""

    async def aclose(self) -> None:
        """Close what is idle."""


class NativeTransport(Transport, ABC):
    """A transport that knows a shorter way than through httpx's request and response objects."""

    @abstractmethod
    def connector(self, settings: Settings, proxy: Proxy | None) -> Connector:
        """Return the shorter way, through ``proxy`` if it is not None.

        It holds at most one connection for each request that was ever under way at the same time.
        """


def common_headers(settings: Settings) -> RawHeaders:
    """Return the headers that all requests have."""
    credentials = base64.b64encode(f"{settings.auth_id}:{settings.auth_token}".encode())
    return [
        (b"Host", httpx.URL(settings.base_url).netloc),
        (b"Accept", b"application/json"),
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", USER_AGENT.encode()),
        (b"Authorization", b"Basic " + credentials),
    ]


def own_headers(request: Request[Any]) -> RawHeaders:
    """Return the headers that depend on the request.

    A DELETE asks to close its connection: Plivo's 204 may come with a body, which would then pass for the answer
    to the next request. http://plivo.com/docs/api/conference/record/ shows such a 204.
    """
    if request.method == "DELETE":
        return [(b"Connection", b"close")]
    if request.body is None:
        return []
    return [(b"Content-Type", b"application/json"), (b"Content-Length", str(len(request.body)).encode())]


def as_text(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return header fields as text, with their names in lower case."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def is_clean(connection: object) -> bool:
    """Whether nothing came after the answer: it would pass for the answer to the next request.

    httpcore has no public word for this. Should its insides change, no connection is used twice any more, and the
    tests say so.
    """
    while connection is not None and not hasattr(connection, "_h11_state"):
        connection = getattr(connection, "_connection", None)
    return getattr(getattr(connection, "_h11_state", None), "trailing_data", None) == (b"", False)


def is_genuine(sends: Any) -> bool:
    """Whether a class of httpx or httpcore sends as they wrote it, and thus tells when it does.

    What stands in its place (respx, a user's subclass) need not.
    """
    return sends.handle_async_request.__module__.partition(".")[0] in {"httpcore", "httpx"}
