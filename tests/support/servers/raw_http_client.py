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
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class RawHttpClient:
    """One connection.

    Attributes:
        url: Whom it is to.
    """

    def __init__(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.url = url
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, url: str) -> AsyncGenerator[Self]:
        """Connect to a server; hang up at the end."""
        host, _, port = url.partition("://")[2].partition("/")[0].partition(":")
        caller = cls(url, *await asyncio.open_connection(host, int(port)))
        try:
            yield caller
        finally:
            await caller.hang_up()

    async def say(self, *pieces: bytes) -> None:
        """Send bytes, each piece by itself."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def hear(self) -> Response:
        """The next answer."""
        reply = await self.hear_head()
        async with asyncio.timeout(10):
            body = await self._reader.readexactly(int(reply.headers.get("content-length", "0")))
        return attrs.evolve(reply, body=body)

    async def hear_head(self) -> Response:
        """The next answer as far as its body."""
        async with asyncio.timeout(10):
            start, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return Response(int(start.split()[1]), headers, b"")

    async def hang_up(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def ask(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Response:
        """Send a request and hear its answer; the connection is kept."""
        await self.say(request_head(method, target, {"Content-Length": str(len(body)), **(headers or {})}) + body)
        return await self.hear()


def request_head(method: str, target: str, headers: dict[str, str]) -> bytes:
    """A request's first lines."""
    lines = [
        f"{method} {target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in {"Host": "internal", **headers}.items()),
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
