"""httpcore's network, straight on asyncio's transports: a third less CPU for each call than through AnyIO.

httpcore takes any network backend (https://www.encode.io/httpcore/network-backends/). There are no timers here:
who sends keeps the time, by cancelling.
"""

from __future__ import annotations

import asyncio
import ipaddress
import select
import socket
import ssl
from collections.abc import Iterable
from typing import Any, cast

import httpcore

__all__ = ["AsyncioBackend"]

_ENOUGH = 256 * 1024
"""Bytes that may lie unread before the peer is asked to wait, or unsent before they go out."""


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections on the running event loop."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect; where a name has IPv6 and IPv4, asyncio tries both side by side."""
        loop = asyncio.get_running_loop()
        # uvloop does not know this option; and asyncio forgets sockets when it is cancelled while it tries.
        race = isinstance(loop, asyncio.BaseEventLoop) and not _is_address(host)
        side_by_side: Any = {"happy_eyeballs_delay": 0.25} if race else {}
        local_addr = None if local_address is None else (local_address, 0)
        try:
            transport, stream = await loop.create_connection(_Stream, host, port, local_addr=local_addr, **side_by_side)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for option in socket_options or ():
            transport.get_extra_info("socket").setsockopt(*option)
        return stream


class _Stream(httpcore.AsyncNetworkStream, asyncio.Protocol):
    """One connection: asyncio calls the first half of the methods, httpcore the second."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._unsent = bytearray()
        self._unread = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._held_back = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > _ENOUGH and not self._held_back:
            self._held_back = True
            self._transport.pause_reading()
        _wake(self._arrival)

    def eof_received(self) -> None:
        self._ended = True
        _wake(self._arrival)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._error = True, exc
        _wake(self._arrival)
        _wake(self._room)

    def pause_writing(self) -> None:
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        _wake(self._room)
        self._room = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Wait for bytes; none means that the peer has closed."""
        await self._flush()
        while not self._unread:
            if self._error is not None:
                raise httpcore.ReadError(str(self._error)) from self._error
            if self._ended:
                return b""
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        data = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if self._held_back and not self._unread:
            self._held_back = False
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Take bytes; a request's headers and its body go out together when the answer is waited for."""
        self._unsent += buffer
        if len(self._unsent) > _ENOUGH:
            await self._flush()

    async def _flush(self) -> None:
        if not self._unsent or self._ended:  # a peer that has closed may have said why: that is still to be read
            return
        self._transport.write(self._unsent)
        self._unsent = bytearray()
        if self._room is not None:
            await self._room

    async def aclose(self) -> None:
        """Close, without waiting for the peer: a TLS connection would wait half a minute for its farewell.

        A transport can no longer be told once its event loop is closed; its socket is closed when it is collected.
        """
        if not self._loop.is_closed():
            self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Encrypt from here on."""
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname)
        except OSError as error:
            self._transport.abort()
            raise httpcore.ConnectError(str(error)) from error
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        if transport is None:
            raise httpcore.ConnectError("the peer closed the connection during the TLS handshake")
        if self._unread:
            transport.abort()
            raise httpcore.ConnectError("the peer spoke before the TLS handshake: that may be anybody's word")
        self._transport = transport
        return self

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks: whether an idle connection has something to say, which is never good.

        The kernel is asked too, because a busy event loop has not yet heard of a peer that has just closed.
        """
        if info == "is_readable":
            return self._ended or bool(self._unread) or _is_readable(self._transport.get_extra_info("socket"))
        return self._transport.get_extra_info(info)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_readable(sock: socket.socket) -> bool:
    if not hasattr(select, "poll"):  # Windows, where select takes any number
        return bool(select.select([sock], (), (), 0)[0])
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
