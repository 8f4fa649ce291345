"""Limits of the memory that unverified requests occupy, and of the time for which they occupy it.

The body of a genuine callback arrives directly after its head, so it occupies memory only for a moment. Therefore, if
the limit is reached, the new request is not the one that is rejected. Instead, the oldest request to the URL whose
requests occupy the most bytes is rejected. A sender who fills the memory with slow bodies excludes only other slow
senders.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import ClassVar

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


class _PendingBody:
    """A request whose body is being read, or was read and is being verified.

    It is a context manager that reads the body, and keeps its bytes reserved until the context is left.

    Attributes:
        key: The key that requests of the same sender probably share.
        reserved: The bytes that are reserved for the request.
        is_displaced: Whether the request was rejected to free memory for others.
        deadline: The time limit for reading the body.
    """

    __slots__ = ("_body", "_limits", "deadline", "is_displaced", "key", "reserved")

    def __init__(self, limits: BodyLimits, body: RequestBody, key: str | None) -> None:
        self._limits = limits
        self._body = body
        self.key: str | None = key
        self.reserved: int = 0
        self.is_displaced: bool = False
        self.deadline: asyncio.Timeout = asyncio.timeout(limits.seconds)

    async def __aenter__(self) -> bytes:
        self._limits.add(self)
        try:
            return await self._read()
        except BaseException:
            self._limits.release(self)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._limits.release(self)

    async def _read(self) -> bytes:
        body = bytearray()  # a list would need more memory than is reserved if the chunks are small
        try:
            async with self.deadline:
                self._limits.free_memory(self)
                while not self._body.is_over:
                    chunk = await self._body.chunk()
                    if self.is_displaced:  # while the chunk was awaited
                        raise _too_many()
                    if len(body) + len(chunk) > LONGEST_BODY:
                        raise TooLargeError(f"its body has more than {LONGEST_BODY} bytes; no callback is so long")
                    body += chunk
                    self._limits.reserve(self, len(chunk))
                    self._limits.free_memory(self)
        except TimeoutError as error:
            if self.is_displaced:
                raise _too_many() from error
            raise TooSlowError(f"its body was not received within {self._limits.seconds:g} seconds") from error
        self._limits.keep(self)
        return bytes(body)


class BodyLimits:
    """Limits the memory that the bodies of unverified requests occupy.

    Args:
        max_bytes: The most bytes that are reserved for all requests together.
        seconds: How long reading a body may take.

    Attributes:
        seconds: As above.
    """

    def __init__(self, *, max_bytes: int, seconds: float) -> None:
        self.seconds = seconds
        self._max_bytes = max_bytes
        self._unread: dict[str | None, dict[_PendingBody, None]] = {}  # the requests of each key, the oldest first
        self._bytes_by_key: Counter[str | None] = Counter()
        self._total_bytes = 0

    def body(self, request_body: RequestBody, key: str | None) -> AbstractAsyncContextManager[bytes]:
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
        return _PendingBody(self, request_body, key)

    def add(self, pending: _PendingBody) -> None:
        """Add a request whose body will be read."""
        self._unread.setdefault(pending.key, {})[pending] = None
        self.reserve(pending, REQUEST_BYTES)

    def reserve(self, pending: _PendingBody, more: int) -> None:
        """Count more bytes of a request."""
        pending.reserved += more
        self._total_bytes += more
        self._bytes_by_key[pending.key] += more
        if not self._bytes_by_key[pending.key]:
            del self._bytes_by_key[pending.key]

    def keep(self, pending: _PendingBody) -> None:
        """Do not reject a request to free memory for others, because its body was read."""
        unread = self._unread.get(pending.key, {})
        unread.pop(pending, None)
        if not unread:
            self._unread.pop(pending.key, None)

    def release(self, pending: _PendingBody) -> None:
        """Count the bytes of a request no more. Releasing them again has no effect."""
        self.keep(pending)
        self.reserve(pending, -pending.reserved)

    def free_memory(self, asking: _PendingBody) -> None:
        """Reject requests until the memory suffices.

        Args:
            asking: The request for which bytes were reserved.

        Raises:
            TooManyError: This request itself was rejected.
        """
        while self._total_bytes > self._max_bytes:
            heaviest = max(self._unread, key=self._bytes_by_key.__getitem__)
            displaced = next(iter(self._unread[heaviest]))
            displaced.is_displaced = True
            self.release(displaced)
            if displaced is asking:
                raise _too_many()
            displaced.deadline.reschedule(asyncio.get_running_loop().time())


def _too_many() -> TooManyError:
    return TooManyError("too many unverified requests were received at the same time; Plivo delivers it again")
