"""An HTTP client that sends exactly the bytes it is given, over one connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Self

import attrs

__all__ = ["RawHttpClient", "Response", "request_head"]


@attrs.frozen
class Response:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


class RawHttpClient:
    """A client of one server, over one connection.

    Attributes:
        url: The URL of the server.
    """

    def __init__(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.url = url
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, url: str) -> AsyncGenerator[Self]:
        """Connect to a server, and close the connection at the end of the block."""
        host, _, port = url.partition("://")[2].partition("/")[0].partition(":")
        client = cls(url, *await asyncio.open_connection(host, int(port)))
        try:
            yield client
        finally:
            await client.close()

    async def send(self, *pieces: bytes) -> None:
        """Send bytes, each piece in a write of its own."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def read_response(self) -> Response:
        """Return the next response."""
        response = await self.read_response_head()
        async with asyncio.timeout(10):
            body = await self._reader.readexactly(int(response.headers.get("content-length", "0")))
        return attrs.evolve(response, body=body)

    async def read_response_head(self) -> Response:
        """Return the next response without reading its body."""
        async with asyncio.timeout(10):
            start, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return Response(int(start.split()[1]), headers, b"")

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def request(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Send a request and return its response. The connection stays open."""
        await self.send(request_head(method, target, {"Content-Length": str(len(body)), **(headers or {})}) + body)
        return await self.read_response()


def request_head(method: str, target: str, headers: dict[str, str]) -> bytes:
    """Return the request line and the header fields of a request as bytes."""
    lines = [
        f"{method} {target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in {"Host": "internal", **headers}.items()),
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
