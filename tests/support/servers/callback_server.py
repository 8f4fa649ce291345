"""A server on a real socket that receives callbacks and answers each one as the test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal, Self
from urllib.parse import parse_qsl, urlsplit

import attrs

Behaviour = int | Literal["close", "never answer", "cut the body"]
"""The status to answer with, or what to do instead of answering in full."""


@attrs.frozen
class ReceivedCallback:
    """A callback as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> Self:
        start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        method, target, _ = start.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return cls(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))

    @property
    def fields(self) -> dict[str, str]:
        text = self.body.decode() if self.method == "POST" else urlsplit(self.target).query
        return dict(parse_qsl(text, keep_blank_values=True))


@attrs.define(eq=False)
class CallbackServer:
    """A server that answers each callback with the next of its behaviours, and any further one with 200.

    Attributes:
        url: The URL of the server.
        received: The callbacks that arrived.
        max_concurrent: The highest number of callbacks that were open at the same time.
        may_answer: The server answers only while this event is set.
    """

    url: str = ""
    behaviours: list[Behaviour] = attrs.field(factory=list[Behaviour])
    received: asyncio.Queue[ReceivedCallback] = attrs.field(factory=asyncio.Queue[ReceivedCallback])
    max_concurrent: int = 0
    may_answer: asyncio.Event = attrs.field(factory=asyncio.Event)
    _answering: set[asyncio.Task[None]] = attrs.field(factory=set[asyncio.Task[None]])

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.answer(reader, writer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behaviour = self.behaviours.pop(0) if self.behaviours else 200
        self.max_concurrent = max(self.max_concurrent, len(self._answering))
        try:
            await self.received.put(await ReceivedCallback.read(reader))
            await self.may_answer.wait()
            match behaviour:
                case "close":
                    return
                case "never answer":
                    await reader.read()  # until the client closes
                case "cut the body":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                case status:
                    writer.write(f"HTTP/1.1 {status} Status\r\nContent-Length: 2\r\n\r\nok".encode())
            await writer.drain()
        finally:
            writer.close()

    @classmethod
    @asynccontextmanager
    async def listening(cls, *behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Self]:
        receiver = cls(behaviours=list(behaviours))
        receiver.may_answer.set()
        async with await asyncio.start_server(receiver.accept, "127.0.0.1", 0, ssl=tls) as server:
            receiver.url = "{}://{}:{}".format("https" if tls else "http", *server.sockets[0].getsockname())
            yield receiver
        await asyncio.gather(*receiver._answering)
