"""The floor: a request made beforehand, written to a connection, and an answer that is only waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

from bench.peers import AUTH_ID, Start, Target


class Connection(asyncio.Protocol):
    transport: asyncio.Transport
    answered: asyncio.Future[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """The server sends each answer in one piece."""
        self.answered.set_result(data)

    async def exchange(self, request: bytes) -> bytes:
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answered


@asynccontextmanager
async def connections(target: Target) -> AsyncIterator[Start]:
    loop = asyncio.get_running_loop()
    address = urlsplit(target.url)
    host, port = address.hostname or "", address.port or 80
    free = [(await loop.create_connection(Connection, host, port))[1] for _ in range(target.concurrency)]
    head = f"POST /v1/Account/{AUTH_ID}/Conference/room/Record/ HTTP/1.1\r\nHost: {address.netloc}\r\n"
    request = f'{head}Content-Type: application/json\r\nContent-Length: 22\r\n\r\n{{"file_format": "wav"}}'.encode()

    async def start(_name: str) -> bytes:
        connection = free.pop()
        answer = await connection.exchange(request)
        free.append(connection)
        return answer

    yield start
    for connection in free:
        connection.transport.close()
