"""How many bodies of unproven requests are read at once, how many bytes of them are held, and for how long.

A genuine callback needs its place for a moment: its body comes right behind its first lines. So where there is no room
left, it is not the newcomer who goes, but whoever has been sending longest among those that share the URL which takes
up most. Who keeps every place busy with slow bodies keeps out only others who are slow.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus

import attrs

from plivo_record_async.errors import CallbackRejectedError
from plivo_record_async.tracking.receiving.request_head import LONGEST_BODY, Incoming, TooLargeError

__all__ = ["Admission", "TooManyError", "TooSlowError"]

REQUEST_BYTES = 64 * 1024
"""What a request weighs besides its body: about what a server holds of it, and all that it needs while it is read."""


class TooSlowError(CallbackRejectedError):
    """The body did not come in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class TooManyError(CallbackRejectedError):
    """More unproven requests came at once than are read at once; Plivo tries again later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


@attrs.define(kw_only=True, eq=False)
class _Reading:
    """One request whose body is being read, or was read and is being verified.

    Attributes:
        key: What it shares with others that probably come from the same sender.
        weight: The bytes that it is reckoned with.
        is_displaced: Whether it had to make room.
        deadline: When the body must have been read.
    """

    key: str | None
    weight: int = 0
    is_displaced: bool = False
    deadline: asyncio.Timeout


class Admission:
    """Room for the bodies of unproven requests.

    Args:
        most_bytes: How much they may weigh together.
        seconds: How long a body may take.
    """

    def __init__(self, *, most_bytes: int, seconds: float) -> None:
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._slow: dict[str | None, dict[_Reading, None]] = {}  # of each key, in the order in which they came
        self._weights: Counter[str | None] = Counter()
        self._weight = 0

    @asynccontextmanager
    async def body(self, incoming: Incoming, key: str | None) -> AsyncGenerator[bytes]:
        """Read a body; it takes up its room until the context is left.

        Args:
            incoming: The request.
            key: What it shares with others that probably come from the same sender.

        Raises:
            TooManyError: It had to make room for others.
            TooSlowError: It did not come in time.
            TooLargeError: It is longer than `LONGEST_BODY`.
            HungUpError: The caller has gone.
        """
        reading = _Reading(key=key, deadline=asyncio.timeout(self._seconds))
        self._slow.setdefault(key, {})[reading] = None
        self._weigh(reading, REQUEST_BYTES)
        try:
            yield await self._read(reading, incoming)
        finally:
            self._stop_waiting(reading)
            self._weigh(reading, -reading.weight)

    async def _read(self, reading: _Reading, incoming: Incoming) -> bytes:
        body = bytearray()
        try:
            async with reading.deadline:
                self._make_room(reading)
                while not incoming.is_over:
                    chunk = await incoming.chunk()
                    if reading.is_displaced:  # at this very moment
                        raise _too_many()
                    if len(body) + len(chunk) > LONGEST_BODY:
                        raise TooLargeError(f"a body of more than {LONGEST_BODY} bytes is longer than a callback's")
                    body += chunk
                    self._weigh(reading, len(chunk))
                    self._make_room(reading)
        except TimeoutError as error:
            if reading.is_displaced:
                raise _too_many() from error
            raise TooSlowError(f"its body did not come within {self._seconds:g} seconds") from error
        self._stop_waiting(reading)
        return bytes(body)

    def _make_room(self, asking: _Reading) -> None:
        while self._weight > self._most_bytes:
            heaviest = max(self._slow, key=self._weights.__getitem__)
            displaced = next(iter(self._slow[heaviest]))
            displaced.is_displaced = True
            self._stop_waiting(displaced)
            self._weigh(displaced, -displaced.weight)
            if displaced is asking:
                raise _too_many()
            displaced.deadline.reschedule(asyncio.get_running_loop().time())

    def _weigh(self, reading: _Reading, more: int) -> None:
        reading.weight += more
        self._weight += more
        self._weights[reading.key] += more
        if not self._weights[reading.key]:
            del self._weights[reading.key]

    def _stop_waiting(self, reading: _Reading) -> None:
        """Remove a reading from those that may have to make room, because it has ended."""
        waiting = self._slow.get(reading.key, {})
        waiting.pop(reading, None)
        if not waiting:
            self._slow.pop(reading.key, None)


def _too_many() -> TooManyError:
    return TooManyError("more unproven requests came at once than are read at once; Plivo is told to try again")
