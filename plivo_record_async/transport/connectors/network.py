"""A network backend for httpcore that uses asyncio's transports. It needs a third less CPU time per call than AnyIO.

https://www.encode.io/httpcore/network-backends/ describes the interface. This backend ignores the timeouts that
httpcore passes, because the sender cancels a request at its deadline.
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

_BUFFER_LIMIT = 256 * 1024
"""Bytes. While more than this are unread, reading is paused. As soon as more than this are unsent, they are written."""


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
        """Open a connection. If the host has IPv6 and IPv4 addresses, asyncio tries both concurrently.

        Args:
            host: The name or the IP address of the host.
            port: The port.
            timeout: Ignored.
            local_address: The local IP address. If None, the system chooses it.
            socket_options: The options to set on the socket. If None, there are none.

        Returns:
            The open connection.

        Raises:
            httpcore.ConnectError: The host cannot be found, or it does not accept the connection.
        """
        loop = asyncio.get_running_loop()
        # uvloop does not support this option. With it, asyncio does not close its sockets if it is cancelled.
        tries_both = isinstance(loop, asyncio.BaseEventLoop) and not _is_address(host)
        options: Any = {"happy_eyeballs_delay": 0.25} if tries_both else {}
        local_addr = None if local_address is None else (local_address, 0)
        try:
            transport, stream = await loop.create_connection(_Stream, host, port, local_addr=local_addr, **options)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for option in socket_options or ():
            transport.get_extra_info("socket").setsockopt(*option)
        return stream


class _Stream(httpcore.AsyncNetworkStream, asyncio.Protocol):
    """One connection. asyncio calls the methods up to `resume_writing`, and httpcore calls the others."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._unsent = bytearray()
        self._unread = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._reading_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > _BUFFER_LIMIT and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        _wake(self._readable)

    def eof_received(self) -> None:
        self._ended = True
        _wake(self._readable)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._error = True, exc
        _wake(self._readable)
        _wake(self._writable)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        _wake(self._writable)
        self._writable = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Wait for bytes and return them.

        Args:
            max_bytes: The maximum number of bytes to return.
            timeout: Ignored.

        Returns:
            The bytes. They are empty if the peer has closed the connection.

        Raises:
            httpcore.ReadError: The connection was lost.
        """
        await self._flush()
        while not self._unread:
            if self._error is not None:
                raise httpcore.ReadError(str(self._error)) from self._error
            if self._ended:
                return b""
            self._readable = asyncio.get_running_loop().create_future()
            await self._readable
        data = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if self._reading_paused and not self._unread:
            self._reading_paused = False
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Buffer bytes until the response is read, so that the headers and the body of a request are sent together.

        Args:
            buffer: The bytes.
            timeout: Ignored.
        """
        self._unsent += buffer
        if len(self._unsent) > _BUFFER_LIMIT:
            await self._flush()

    async def _flush(self) -> None:
        if not self._unsent or self._ended:  # the peer may have sent a response before it closed
            return
        self._transport.write(self._unsent)
        self._unsent = bytearray()
        if self._writable is not None:
            await self._writable

    async def aclose(self) -> None:
        """Close the connection at once. Waiting for the peer could take half a minute with TLS.

        If the event loop is closed, the transport cannot be closed. Then the socket is closed when it is
        garbage-collected.
        """
        if not self._loop.is_closed():
            self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Encrypt the connection with TLS.

        Args:
            ssl_context: The certificates to trust.
            server_hostname: The name that the certificate of the peer must have. If None, it is not checked.
            timeout: Ignored.

        Returns:
            This connection.

        Raises:
            httpcore.ConnectError: The TLS handshake failed.
        """
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
            raise httpcore.ConnectError("the connection was closed during the TLS handshake")
        if self._unread:
            transport.abort()
            raise httpcore.ConnectError("data arrived before the TLS handshake, so it may be forged")
        self._transport = transport
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return a property of the connection.

        Args:
            info: The name of the property. ``is_readable`` is whether an idle connection has received data or was
                closed, so that it cannot be used again. The kernel is asked too, because a busy event loop may not have
                noticed yet that the peer has closed the connection. ``server_addr`` is the address of the peer. The
                other names are those of asyncio's transports.

        Returns:
            The value, or None if there is no such property.
        """
        if info == "is_readable":
            return self._ended or bool(self._unread) or _is_readable(self._transport.get_extra_info("socket"))
        return self._transport.get_extra_info("peername" if info == "server_addr" else info)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_readable(sock: socket.socket) -> bool:
    if not hasattr(select, "poll"):  # on Windows, select accepts any file descriptor
        return bool(select.select([sock], (), (), 0)[0])
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
