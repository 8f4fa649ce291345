"""Answers that break: connections that are reset, answers that never come, and bodies that end too early.

Resetting a connection is outside ASGI. uvicorn's ``send`` is a method of an object that has the connection's transport:
https://github.com/encode/uvicorn/blob/master/uvicorn/protocols/http/h11_impl.py
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

__all__ = ["CutSend", "TrailingSend", "reset_connection", "until_disconnected"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def _transport(send: Send) -> asyncio.Transport:
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if not isinstance(transport, asyncio.Transport):
        raise TypeError("faults of connections need the emulator's own server")
    return transport


async def reset_connection(receive: Receive, send: Send) -> None:
    """Reset the connection: the client receives RST instead of an answer.

    Args:
        receive: The request's ``receive``.
        send: The request's ``send``.
    """
    transport = _transport(send)
    with suppress(OSError):  # the client has closed it
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await until_disconnected(receive)


async def until_disconnected(receive: Receive) -> None:
    """Wait until the connection is closed.

    Args:
        receive: The request's ``receive``.
    """
    while (await receive())["type"] != "http.disconnect":
        continue


class TrailingSend:
    """A ``send`` that writes bytes after the head of an answer, although HTTP allows no body there.

    Args:
        send: The request's ``send``.
        content: The bytes.
    """

    def __init__(self, send: Send, content: bytes) -> None:
        self._send = send
        self._content = content

    async def __call__(self, message: Message) -> None:
        """Pass on a message, and write the bytes after the head."""
        await self._send(message)
        if message["type"] == "http.response.start":
            _transport(self._send).write(self._content)


class CutSend:
    """A ``send`` that closes the connection in the middle of the body, or of the head if there is no body.

    Args:
        send: The request's ``send``.
        length: The length of the whole body.
    """

    def __init__(self, send: Send, length: int) -> None:
        self._send = send
        self._left = length // 2
        self._empty = length == 0
        self._closed = False

    async def __call__(self, message: Message) -> None:
        """Pass on a message, or the part of it that comes before the cut."""
        if self._closed:
            return
        if self._empty:
            _transport(self._send).write(b"HTTP/1.1 %d " % message["status"])
            self._close()
        elif message["type"] == "http.response.start":
            await self._send(message)
        else:
            part = message.get("body", b"")[: self._left]
            self._left -= len(part)
            await self._send({**message, "body": part, "more_body": True})
            if self._left == 0:
                self._close()

    def _close(self) -> None:
        self._closed = True
        _transport(self._send).close()
