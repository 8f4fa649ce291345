"""Proxies that open tunnels, one for CONNECT and one for SOCKS 5. Each can be set to refuse them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.support.servers.fault_server import is_open


class ConnectProxy:
    """An HTTP proxy for CONNECT, on 127.0.0.1.

    Attributes:
        tunnels: How many tunnels were requested.
        refusal_status: The status that refuses every tunnel. If None, tunnels are opened.
        heads: The heads of the requests for a tunnel.
        most_open: The most connections of clients that were ever open at once.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.tunnels = 0
        self.refusal_status: int | None = None
        self.heads: list[bytes] = []
        self.most_open = 0
        self._sockets: dict[asyncio.Task[None], socket.socket] = {}

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        for task in self._sockets:
            task.cancel()
        await asyncio.gather(*self._sockets, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sockets[task] = writer.get_extra_info("socket")
        self.most_open = max(self.most_open, sum(is_open(each) for each in self._sockets.values()))
        with suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
            await self._tunnel(reader, writer)
        writer.transport.abort()
        del self._sockets[task]

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        assert method == b"CONNECT"
        self.heads.append(head)
        self.tunnels += 1
        if self.refusal_status:
            await _answer(writer, self.refusal_status)
            return
        host, _, port = target.decode().rpartition(":")
        try:
            upstream = await asyncio.open_connection(host, int(port))
        except OSError:
            await _answer(writer, 502)
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _join((reader, writer), upstream)


class SocksProxy(ConnectProxy):
    """A SOCKS 5 proxy without authentication: https://www.rfc-editor.org/rfc/rfc1928"""

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        address, port = await reader.readexactly(length), int.from_bytes(await reader.readexactly(2))
        self.tunnels += 1
        if self.refusal_status:
            writer.write(b"\x05\x02\x00\x01" + bytes(6))
            await writer.drain()
            return
        host = address.decode() if kind == 3 else str(ipaddress.ip_address(address))
        upstream = await asyncio.open_connection(host, port)
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await _join((reader, writer), upstream)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(one: Ends, other: Ends) -> None:
    """Forward the bytes of each side to the other until one side ends."""
    try:
        directions = {asyncio.create_task(_pump(one[0], other[1])), asyncio.create_task(_pump(other[0], one[1]))}
        _, unfinished = await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for direction in unfinished:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
    finally:
        other[1].transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def _answer(writer: asyncio.StreamWriter, status: int) -> None:
    writer.write(f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n".encode())
    await writer.drain()
