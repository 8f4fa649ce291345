"""The interface of all connectors, what they observe of an exchange, and the headers of a request."""

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
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.settings import Settings
from plivo_record_async.transport.connectors.proxies import Proxy

__all__ = [
    "KEEPALIVE",
    "Connector",
    "Exchange",
    "NativeTransport",
    "RawHeaders",
    "Transport",
    "common_headers",
    "decoded",
    "is_clean",
    "is_unmodified",
    "request_headers",
]

Transport = httpx.AsyncBaseTransport
"""The type of the transport that a user can pass, for example for mTLS or HTTP/2, or as a mock."""

RawHeaders = list[tuple[bytes, bytes]]
"""The names and values of headers."""

USER_AGENT = f"plivo-record-async/{__version__} (Python {platform.python_version()}; httpx {httpx.__version__})"

LONGEST_RESPONSE = 4 * 1024 * 1024
"""Bytes. A page of 20 recordings has about 20 KB, so a longer body is not a response of Plivo's."""

KEEPALIVE = 5.0
"""Seconds after which an idle connection is closed. This is short because a start on a connection that the server has
just closed has an unknown outcome."""

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
"""The errors that prove that nothing was sent if a transport does not report when sending begins."""


@attrs.define(kw_only=True)
class Exchange:
    """What has been observed of one attempt: how far it got, and the part of the response that has arrived.

    Attributes:
        deadline: The time by which the attempt ends, by ``clock``.
        clock: A function that returns the time of the event loop.
        phase: How far the attempt got.
        reports_sending: Whether the transport reports when it begins to send. If it does, and has not reported it, no
            byte was sent.
        trusts_connect_errors: Whether a connect error of the transport proves that no byte was sent.
        sent_at: The time at which the first byte may have been sent (aware, UTC). If None, no byte was sent, or the
            transport does not report it.
        opened_stream: The stream that was opened for this request. If None, the request uses an idle connection.
        abandoned: Whether the response is no longer needed. If no byte has been sent yet, none will be sent.
        partial_response: The part of the response that has arrived. If None, the status line has not arrived.
    """

    deadline: float = math.inf
    clock: Callable[[], float] = attrs.field(default=lambda: 0.0)
    phase: Phase = "queue"
    reports_sending: bool = False
    trusts_connect_errors: bool = True
    sent_at: datetime | None = None
    opened_stream: httpcore.AsyncNetworkStream | None = None
    abandoned: bool = False
    partial_response: Response | None = None

    @property
    def seconds_left(self) -> float:
        """The number of seconds until the deadline, or 0 if it has passed."""
        return max(0.0, self.deadline - self.clock())

    def begin_sending(self) -> None:
        """Note that the first byte is about to be sent, or prevent that it is sent.

        A transport may call this method in a thread of its own, so it makes the note before the check. Then either this
        method finds that the exchange was abandoned, or the thread that abandons it finds that it may have been sent.

        Raises:
            CancelledError: The exchange was abandoned, so nothing may be sent.
            TimeoutError: The deadline has passed, so nothing may be sent.
        """
        before, self.phase, self.sent_at = self.phase, "send", _clock.now()
        try:
            self._raise_if_ended()
        except BaseException:
            self.phase, self.sent_at = before, None
            raise

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Note an event that httpcore's ``trace`` extension reports: https://www.encode.io/httpcore/extensions/#trace .

        A CONNECT to a proxy reports the same events as the request, but does not belong to it.

        Args:
            event: The name of the event.
            info: The details of the event.

        Raises:
            CancelledError: The request is about to be sent, but the exchange was abandoned.
            TimeoutError: The request is about to be sent, but the deadline has passed.
        """
        self.reports_sending = True
        if event.endswith("send_request_headers.started"):
            if info["request"].method == b"CONNECT":
                self._raise_if_ended()
            else:
                self.begin_sending()
        elif event.endswith("receive_response_headers.started") and self.sent_at is not None:
            self.phase = "answer"
        elif event.endswith("connect_tcp.complete"):
            self.opened_stream = info["return_value"]

    def may_have_been_sent(self, error: BaseException | None = None) -> bool:
        """Return whether a byte of the request may have been sent.

        Args:
            error: The exception with which the attempt ended. If None, the attempt has not ended, or it ended without
                an exception.
        """
        if self.phase in {"queue", "quota"}:
            return False
        if self.reports_sending or self.sent_at is not None:
            return self.sent_at is not None
        return not (self.trusts_connect_errors and isinstance(error, NEVER_CONNECTED))

    async def receive(self, status: int, headers: Mapping[str, str], chunks: AsyncIterable[bytes]) -> Response:
        """Read the body and return the response. Meanwhile, `partial_response` contains the part that has arrived.

        Args:
            status: The HTTP status.
            headers: The headers, with their names in lower case.
            chunks: The parts of the body.

        Returns:
            The response, with its whole body.

        Raises:
            CancelledError: The exchange was abandoned.
            TimeoutError: The deadline has passed.
            httpcore.RemoteProtocolError: The body is longer than any response of Plivo's.
        """
        self.phase = "answer"
        response = self.partial_response = Response(
            status=status, headers=headers, complete=False, sent_at=self.sent_at, received_at=_clock.now()
        )
        body = bytearray()
        async for chunk in chunks:
            self._raise_if_ended()
            body += chunk
            response = self.partial_response = attrs.evolve(response, body=bytes(body))
            if len(body) > LONGEST_RESPONSE:
                raise httpcore.RemoteProtocolError(f"the response is longer than {LONGEST_RESPONSE} bytes")
        return attrs.evolve(response, complete=True)

    def _raise_if_ended(self) -> None:
        if self.abandoned:
            raise asyncio.CancelledError
        if self.seconds_left == 0:
            raise TimeoutError


class Connector(Protocol):
    """Sends a request and reads its response. A connector can be used again after it was closed."""

    can_be_cancelled: bool
    """Whether cancelling the task of a request ends the request and closes its connection at once. If not, the request
    ends on its own, at the latest shortly after its deadline, and sends nothing after its exchange was abandoned."""

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
        ...

    async def aclose(self) -> None:
        """Close the idle connections."""


class NativeTransport(Transport, ABC):
    """A transport with a connector of its own, which does not need httpx's request and response objects."""

    @abstractmethod
    def connector(self, settings: Settings, proxy: Proxy | None) -> Connector:
        """Return a connector that opens at most one connection for each request that is in progress.

        Args:
            settings: The account and the URL of the API.
            proxy: The proxy for all requests. If None, requests are sent directly.

        Raises:
            ConfigurationError: The transport cannot use the proxy.
        """


def common_headers(settings: Settings) -> RawHeaders:
    """Return the headers that all requests have.

    Args:
        settings: The account and the URL of the API.
    """
    credentials = base64.b64encode(f"{settings.auth_id}:{settings.auth_token}".encode())
    return [
        (b"Host", httpx.URL(settings.base_url).netloc),
        (b"Accept", b"application/json"),
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", USER_AGENT.encode()),
        (b"Authorization", b"Basic " + credentials),
    ]


def request_headers(request: Request[Any]) -> RawHeaders:
    """Return the headers that depend on the request.

    A DELETE asks the server to close the connection. Plivo's 204 may have a body, which would otherwise be read as the
    response to the next request: http://plivo.com/docs/api/conference/record/

    Args:
        request: The request.
    """
    if request.method == "DELETE":
        return [(b"Connection", b"close")]
    if request.body is None:
        return []
    return [(b"Content-Type", b"application/json"), (b"Content-Length", str(len(request.body)).encode())]


def decoded(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers as text, with their names in lower case.

    Args:
        headers: The names and values as bytes.
    """
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def is_clean(connection: object) -> bool:
    """Return whether nothing was received after the response. Further bytes would be read as the next response.

    httpcore has no public attribute for this. If its private attributes change, no connection is reused, and tests
    fail.

    Args:
        connection: A connection of httpcore, or an object that wraps one.
    """
    while connection is not None and not hasattr(connection, "_h11_state"):
        connection = getattr(connection, "_connection", None)
    return getattr(getattr(connection, "_h11_state", None), "trailing_data", None) == (b"", False)


def is_unmodified(cls: Any) -> bool:
    """Return whether a class sends with the code of httpx or httpcore, which reports when it begins to send.

    A mock such as respx, or a subclass of a user's, may not report it.

    Args:
        cls: A class of httpx or httpcore, or a subclass.
    """
    return cls.handle_async_request.__module__.partition(".")[0] in {"httpcore", "httpx"}
