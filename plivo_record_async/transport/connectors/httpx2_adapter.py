"""A transport of httpx2 as a transport of httpx. This is the only module that imports httpx2 and httpcore2.

httpx2 continues httpx under another name, with the same classes: https://github.com/pydantic/httpx2
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any, ClassVar

import httpcore2
import httpx
import httpx2

from plivo_record_async.transport.connectors.connector import AdaptedTransport, OtherTransport

__all__ = ["Httpx2Transport", "adapt"]


def adapt(transport: object) -> Httpx2Transport | None:
    """Return an asynchronous transport of httpx2 as one of httpx, or None if it is something else.

    Args:
        transport: The transport.
    """
    return Httpx2Transport(transport) if isinstance(transport, httpx2.AsyncBaseTransport) else None


class Httpx2Transport(AdaptedTransport):
    """Sends the requests of httpx through a transport of httpx2, and raises the exceptions of httpx.

    Args:
        original: The transport of httpx2.
    """

    pool_types: ClassVar[tuple[type, type]] = (httpx2.AsyncHTTPTransport, httpcore2.AsyncConnectionPool)

    def __init__(self, original: httpx2.AsyncBaseTransport) -> None:
        self.original: OtherTransport = original

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its response, whose body has not been read.

        Args:
            request: The request, with its whole body.

        Returns:
            The response.

        Raises:
            httpx.TransportError: The request failed.
        """
        translated = httpx2.Request(
            request.method,
            str(request.url),
            headers=request.headers.raw,
            content=request.content,
            extensions=request.extensions,
        )
        with _exceptions_of_httpx():
            response = await self.original.handle_async_request(translated)
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - asynchronous transports have no other kind
        return httpx.Response(
            response.status_code,
            headers=response.headers.raw,
            stream=_Stream(response.stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the transport and its idle connections."""
        with _exceptions_of_httpx():
            await self.original.aclose()


class _Stream(httpx.AsyncByteStream):
    """The body of a response of httpx2.

    Args:
        original: The body.
    """

    def __init__(self, original: httpx2.AsyncByteStream) -> None:
        self._original = original
        # `HttpxAdapter` looks at it to find out whether bytes followed the response.
        self._httpcore_stream: Any = getattr(original, "_httpcore_stream", None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the parts of the body."""
        with _exceptions_of_httpx():
            async for chunk in self._original:
                yield chunk

    async def aclose(self) -> None:
        """Release the connection."""
        with _exceptions_of_httpx():
            await self._original.aclose()


@contextmanager
def _exceptions_of_httpx() -> Generator[None]:
    """Raise the exception of httpx that has the same name as one of httpx2."""
    try:
        yield
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        raise getattr(httpx, type(error).__name__, httpx.TransportError)(str(error)) from error
