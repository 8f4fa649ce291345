"""Limits of the memory that unverified requests occupy, and of the time for which they occupy it.

The body of a genuine callback arrives directly after its head, so it occupies memory only for a moment. Therefore, if
the limit is reached, the new request is not the one that is rejected. Instead, the oldest request to the URL whose
requests occupy the most bytes is rejected. A sender who fills the memory with slow bodies excludes only other slow
senders.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import ClassVar

import attrs

from plivo_record_async.errors import CallbackRejectedError
from plivo_record_async.tracking.receiving.request_head import LONGEST_BODY, RequestBody, TooLargeError

__all__ = ["BodyLimits", "TooManyError", "TooSlowError"]

REQUEST_BYTES = 64 * 1024
"""The bytes that are reserved for a request in addition to its body. A server needs about as much for a connection."""


class TooSlowError(CallbackRejectedError):
    """The body of the request was not received in time."""

    status: ClassVar[int] = HTTPStatus.REQUEST_TIMEOUT


class TooManyError(CallbackRejectedError):
    """Too many unverified requests were received at the same time. Plivo delivers the callback again later."""

    status: ClassVar[int] = HTTPStatus.SERVICE_UNAVAILABLE


@attrs.define(kw_only=True, eq=False)
class _PendingBody:
    """A request whose body is being read, or was read and is being verified.

    Attributes:
        key: The key that requests of the same sender probably share.
        reserved: The bytes that are reserved for the request.
        is_displaced: Whether the request was rejected to free memory for others.
        deadline: The time limit for reading the body.
    """

    key: str | None
    reserved: int = 0
    is_displaced: bool = False
    deadline: asyncio.Timeout


class BodyLimits:
    """Limits the memory that the bodies of unverified requests occupy.

    Args:
        max_bytes: The most bytes that are reserved for all requests together.
        seconds: How long reading a body may take.
    """

    def __init__(self, *, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._unread: dict[str | None, dict[_PendingBody, None]] = {}  # the requests of each key, the oldest first
        self._bytes_by_key: Counter[str | None] = Counter()
        self._total_bytes = 0

    @asynccontextmanager
    async def body(self, request_body: RequestBody, key: str | None) -> AsyncGenerator[bytes]:
        """Read a body. Its bytes stay reserved until the context is left.

        Args:
            request_body: The body of the request.
            key: The key that requests of the same sender probably share. If None, nothing is known about the sender.

        Raises:
            TooManyError: The request was rejected to free memory for others.
            TooSlowError: The body was not received in time.
            TooLargeError: The body is longer than `LONGEST_BODY`.
            ClientDisconnectedError: The client has disconnected.
        """
        pending = _PendingBody(key=key, deadline=asyncio.timeout(self._seconds))
        self._unread.setdefault(key, {})[pending] = None
        self._reserve(pending, REQUEST_BYTES)
        try:
            yield await self._read(pending, request_body)
        finally:
            self._forget(pending)
            self._reserve(pending, -pending.reserved)

    async def _read(self, pending: _PendingBody, request_body: RequestBody) -> bytes:
        body = bytearray()
        try:
            async with pending.deadline:
                self._free_memory(pending)
                while not request_body.is_over:
                    chunk = await request_body.chunk()
                    if pending.is_displaced:  # while the chunk was awaited
                        raise _too_many()
                    if len(body) + len(chunk) > LONGEST_BODY:
                        raise TooLargeError(f"its body has more than {LONGEST_BODY} bytes; no callback is so long")
                    body += chunk
                    self._reserve(pending, len(chunk))
                    self._free_memory(pending)
        except TimeoutError as error:
            if pending.is_displaced:
                raise _too_many() from error
            raise TooSlowError(f"its body was not received within {self._seconds:g} seconds") from error
        self._forget(pending)
        return bytes(body)

    def _free_memory(self, asking: _PendingBody) -> None:
        while self._total_bytes > self._max_bytes:
            heaviest = max(self._unread, key=self._bytes_by_key.__getitem__)
            displaced = next(iter(self._unread[heaviest]))
            displaced.is_displaced = True
            self._forget(displaced)
            self._reserve(displaced, -displaced.reserved)
            if displaced is asking:
                raise _too_many()
            displaced.deadline.reschedule(asyncio.get_running_loop().time())

    def _reserve(self, pending: _PendingBody, more: int) -> None:
        pending.reserved += more
        self._total_bytes += more
        self._bytes_by_key[pending.key] += more
        if not self._bytes_by_key[pending.key]:
            del self._bytes_by_key[pending.key]

    def _forget(self, pending: _PendingBody) -> None:
        """Remove a request from those that may be rejected to free memory."""
        waiting = self._unread.get(pending.key, {})
        waiting.pop(pending, None)
        if not waiting:
            self._unread.pop(pending.key, None)


def _too_many() -> TooManyError:
    return TooManyError("too many unverified requests were received at the same time; Plivo delivers it again")
