"""The interface of all connectors, and what they share: the headers of a request, and checks of connections."""

from __future__ import annotations

import base64
import platform
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import httpx

from plivo_record_async._version import __version__
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.settings import Settings
from plivo_record_async.transport.connectors.exchange import Exchange
from plivo_record_async.transport.connectors.proxies import Proxy

__all__ = [
    "KEEPALIVE",
    "AdaptedTransport",
    "Connector",
    "NativeTransport",
    "OtherTransport",
    "RawHeaders",
    "Transport",
    "common_headers",
    "decoded",
    "is_clean",
    "is_unmodified",
    "packages_of",
    "request_headers",
]

Transport = httpx.AsyncBaseTransport
"""The type of the transport that a user can pass, for example for mTLS or HTTP/2, or as a mock."""

RawHeaders = list[tuple[bytes, bytes]]
"""The names and values of headers."""

USER_AGENT = f"plivo-record-async/{__version__} (Python {platform.python_version()}; httpx {httpx.__version__})"

KEEPALIVE = 5.0
"""Seconds after which an idle connection is closed. This is short because a start on a connection that the server has
just closed has an unknown outcome."""


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


class OtherTransport(Protocol):
    """The methods of an ``httpx2.AsyncBaseTransport``. httpx2 may not be installed, so its class is not used here."""

    async def handle_async_request(self, request: Any, /) -> Any:
        """Send a request and return its response."""
        ...

    async def aclose(self) -> None:
        """Close the transport."""
        ...


class AdaptedTransport(Transport, ABC):
    """A transport of another library, as one of httpx.

    Attributes:
        original: The transport of the other library.
        pool_types: The transport of the other library that has a pool, and the class of the pool.
    """

    original: OtherTransport
    pool_types: ClassVar[tuple[type, type]]


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


def packages_of(transport: object) -> set[str]:
    """Return the names of the packages that define the class of a transport and its base classes.

    Args:
        transport: The transport.
    """
    return {base.__module__.partition(".")[0] for base in type(transport).__mro__}


def is_unmodified(cls: Any) -> bool:
    """Return whether a class sends with the code of httpx or its successor, which reports when it begins to send.

    A mock such as respx, or a subclass of a user's, may not report it.

    Args:
        cls: A class of httpx, httpcore, httpx2 or httpcore2, or a subclass.
    """
    return cls.handle_async_request.__module__.partition(".")[0] in {"httpcore", "httpcore2", "httpx", "httpx2"}
