"""A server on a real socket that sends a recorded file, and misbehaves as the test says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Self

import attrs

__all__ = ["FILE", "MediaServer", "Reply"]

FILE = b"ID3\x04" + bytes(range(256)) * 4000
"""A file of one megabyte that begins as an mp3 file does."""


@attrs.frozen(kw_only=True)
class Reply:
    """How the server answers one request.

    Attributes:
        status: The HTTP status. With 200, a range is answered with 206, unless ``ranges`` is False.
        data: The file.
        etag: The entity tag, or None for none.
        last_modified: The time of the last change, or None for none.
        ranges: Whether the server supports ranges.
        announced: How much longer than the body the announced length is.
        cut_after: After how many bytes of the body the connection is closed. If None, after all.
        stalls: Whether the connection stays open after these bytes.
        chunked: Whether the length is not announced.
        headers: More headers.
    """

    status: int = 200
    data: bytes = FILE
    etag: str | None = '"v1"'
    last_modified: str | None = None
    ranges: bool = True
    announced: int = 0
    cut_after: int | None = None
    stalls: bool = False
    chunked: bool = False
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def to(self, request: Mapping[str, str]) -> bytes:
        """Return the response to a request with these headers."""
        status, start, headers = self.status, 0, dict(self.headers)
        validator = request.get("if-range")
        if status == 200 and self.ranges and "range" in request and validator in {self.etag, self.last_modified}:
            start = int(re.sub("[^0-9]", "", request["range"]))
            if start >= len(self.data):
                return b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n"
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        body = self.data[start:] if status in {200, 206} else b""
        if self.etag is not None:
            headers["ETag"] = self.etag
        if self.last_modified is not None:
            headers["Last-Modified"] = self.last_modified
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        else:
            headers["Content-Length"] = str(len(body) + self.announced)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode("latin-1") + body[: self.cut_after]


@attrs.define(eq=False)
class MediaServer:
    """A server that answers each request with the next of its replies, and any further one with the last of them.

    Attributes:
        url: The URL of the server.
        replies: The replies.
        requests: The headers of each request, with their names in lower case, and ``target``.
    """

    url: str = ""
    replies: list[Reply] = attrs.field(factory=lambda: [Reply()])
    requests: list[dict[str, str]] = attrs.field(factory=list[dict[str, str]])
    _answering: set[asyncio.Task[None]] = attrs.field(factory=set[asyncio.Task[None]])

    @classmethod
    @asynccontextmanager
    async def serving(cls, *replies: Reply) -> AsyncGenerator[Self]:
        """Serve on a free port of this machine."""
        self = cls(replies=[*replies] or [Reply()])
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self
            for task in self._answering:
                task.cancel()
            await asyncio.gather(*self._answering, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until no request is being answered."""
        while self._answering:
            await asyncio.wait(tuple(self._answering))

    @property
    def ranges(self) -> list[str | None]:
        """The header ``Range`` of each request."""
        return [request.get("range") for request in self.requests]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._answer(reader, writer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            request = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            request["target"] = start.split(" ")[1]
            self.requests.append(request)
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            writer.write(reply.to(request))
            await writer.drain()
            if reply.stalls:
                await reader.read()  # until the client closes
        except ConnectionError:
            pass  # the client has closed the connection, as it may
        finally:
            writer.close()
