"""An ASGI application on a real socket, and a client that sends exactly the bytes that a test gives it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from typing import Any, Self

import attrs

from plivo_record_async import serving as embedded
from plivo_record_async.serving import StartupFailedError, url_of

__all__ = ["Caller", "Reply", "StartupFailedError", "free_listener", "head", "serving", "url_of"]


@contextlib.asynccontextmanager
async def serving(application: Any, *, listener: socket.socket | None = None, **settings: Any) -> AsyncGenerator[str]:
    """Serve an application, with its lifespan if it has one, inside this block; yield its URL.

    Raises:
        StartupFailedError: Its lifespan failed to start.
    """
    with listener or free_listener() as listening:
        url = url_of(listening)
        defaults: dict[str, Any] = {"http": "h11", "lifespan": "auto", "timeout_graceful_shutdown": 1}
        async with embedded.serving(application, listening, **defaults | settings):
            yield url


def free_listener() -> socket.socket:
    """Return a socket that listens on a free port of this machine."""
    return embedded.open_listener("127.0.0.1", 0)


@attrs.frozen
class Reply:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Caller:
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

    async def hear(self) -> Reply:
        """The next answer."""
        reply = await self.hear_head()
        async with asyncio.timeout(10):
            body = await self._reader.readexactly(int(reply.headers.get("content-length", "0")))
        return attrs.evolve(reply, body=body)

    async def hear_head(self) -> Reply:
        """The next answer as far as its body."""
        async with asyncio.timeout(10):
            start, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return Reply(int(start.split()[1]), headers, b"")

    async def hang_up(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def ask(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
        """Send a request and hear its answer; the connection is kept."""
        await self.say(head(method, target, {"Content-Length": str(len(body)), **(headers or {})}) + body)
        return await self.hear()


def head(method: str, target: str, headers: dict[str, str]) -> bytes:
    """A request's first lines."""
    lines = [
        f"{method} {target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in {"Host": "internal", **headers}.items()),
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
