"""Somebody who is called back: a server on a real socket that answers as it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal, Self
from urllib.parse import parse_qsl, urlsplit

import attrs

Behaviour = int | Literal["hang up", "keep silent", "break off"]
"""A status to answer with, or what to do instead."""


@attrs.frozen
class ReceivedCallback:
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
    """Answers one callback after the other with its behaviours, and any further one with 200.

    Attributes:
        url: Where it can be called.
        received: What it was called with.
        most_at_once: How many callers it had at the same time, at most.
        go: While it is not set, nobody gets an answer.
    """

    url: str = ""
    behaviours: list[Behaviour] = attrs.field(factory=list[Behaviour])
    received: asyncio.Queue[ReceivedCallback] = attrs.field(factory=asyncio.Queue[ReceivedCallback])
    most_at_once: int = 0
    go: asyncio.Event = attrs.field(factory=asyncio.Event)
    _answering: set[asyncio.Task[None]] = attrs.field(factory=set[asyncio.Task[None]])

    def answer_soon(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.answer(reader, writer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behaviour = self.behaviours.pop(0) if self.behaviours else 200
        self.most_at_once = max(self.most_at_once, len(self._answering))
        try:
            await self.received.put(await ReceivedCallback.read(reader))
            await self.go.wait()
            match behaviour:
                case "hang up":
                    return
                case "keep silent":
                    await reader.read()  # until the caller hangs up
                case "break off":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                case status:
                    writer.write(f"HTTP/1.1 {status} Told So\r\nContent-Length: 2\r\n\r\nok".encode())
            await writer.drain()
        finally:
            writer.close()

    @classmethod
    @asynccontextmanager
    async def listening(cls, *behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Self]:
        receiver = cls(behaviours=list(behaviours))
        receiver.go.set()
        async with await asyncio.start_server(receiver.answer_soon, "127.0.0.1", 0, ssl=tls) as server:
            receiver.url = "{}://{}:{}".format("https" if tls else "http", *server.sockets[0].getsockname())
            yield receiver
        await asyncio.gather(*receiver._answering)
