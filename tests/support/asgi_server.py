"""An ASGI application behind uvicorn on a real socket, and a client that says what it is told, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from typing import Any, Self

import attrs
import uvicorn

__all__ = ["Caller", "Reply", "StartupFailedError", "free_listener", "head", "serving", "url_of"]


class StartupFailedError(Exception):
    """The server ended before it had begun to serve."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers; it tells when it is up, and is told when to leave."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.leave = asyncio.Event()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit as error:  # it would end the test run
            raise StartupFailedError from error
        self.up.set()

    async def main_loop(self) -> None:
        await self.leave.wait()


def free_listener() -> socket.socket:
    """A socket that listens on a free port of this machine, and whose connections answer without delay."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a socket can be called."""
    return "http://{}:{}".format(*listener.getsockname())


@contextlib.asynccontextmanager
async def serving(application: Any, *, listener: socket.socket | None = None, **options: Any) -> AsyncGenerator[str]:
    """Serve an application until the end; its URL.

    Raises:
        StartupFailedError: Its lifespan did not begin.
    """
    with listener or free_listener() as listening:
        defaults: dict[str, Any] = {
            "http": "h11",
            "log_config": None,
            "access_log": False,
            "timeout_graceful_shutdown": 1,
            "ws": "none",
        }
        server = _Server(uvicorn.Config(application, **defaults | options))
        serve = asyncio.create_task(server.serve(sockets=[listening]))
        up = asyncio.create_task(server.up.wait())
        try:
            await asyncio.wait({serve, up}, return_when=asyncio.FIRST_COMPLETED)
            if serve.done():
                await serve
            yield url_of(listening)
        finally:
            up.cancel()
            server.leave.set()
            if not serve.done():
                await serve


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
