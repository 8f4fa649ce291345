"""How many bytes of unproven requests are held in memory at once, and for how long.

The body of a genuine callback follows its head at once, so it occupies memory only for a moment. If the limit is
reached, the new request is therefore not refused. Instead, among the requests to the URL that occupies most bytes, the
oldest is refused. A sender who occupies all memory with slow bodies keeps out only other slow senders.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus

import attrs

from plivo_record_async.errors import CallbackRejectedError
from plivo_record_async.tracking.receiving.request_head import LONGEST_BODY, RequestBody, TooLargeError

__all__ = ["Admission", "TooManyError", "TooSlowError"]

REQUEST_BYTES = 64 * 1024
"""The bytes that are reserved for a request besides its body, which is about what a server holds for it."""


class TooSlowError(CallbackRejectedError):
    """The body of the request did not come in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class TooManyError(CallbackRejectedError):
    """More unproven requests came at once than are read at once. Plivo tries again later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


@attrs.define(kw_only=True, eq=False)
class _PendingBody:
    """One request whose body is being read, or was read and is being verified.

    Attributes:
        key: The key that requests of the same sender probably share.
        reserved: The bytes that are reserved for the request.
        is_displaced: Whether the request was refused to free memory for others.
        deadline: When the body must have been read.
    """

    key: str | None
    reserved: int = 0
    is_displaced: bool = False
    deadline: asyncio.Timeout


class Admission:
    """Limits the memory that the bodies of unproven requests occupy.

    Args:
        max_bytes: The most bytes that are reserved for all requests together.
        seconds: How long a body may take.
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
            key: The key that requests of the same sender probably share.

        Raises:
            TooManyError: The request was refused to free memory for others.
            TooSlowError: The body did not come in time.
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
                        raise TooLargeError(f"a body of more than {LONGEST_BODY} bytes is longer than a callback's")
                    body += chunk
                    self._reserve(pending, len(chunk))
                    self._free_memory(pending)
        except TimeoutError as error:
            if pending.is_displaced:
                raise _too_many() from error
            raise TooSlowError(f"its body did not come within {self._seconds:g} seconds") from error
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
        """Remove a request from those that may be refused to free memory, because its body was read."""
        waiting = self._unread.get(pending.key, {})
        waiting.pop(pending, None)
        if not waiting:
            self._unread.pop(pending.key, None)


def _too_many() -> TooManyError:
    return TooManyError("more unproven requests came at once than are read at once; Plivo tries again after the 503")
