"""The events of the emulator, as Server-Sent Events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncGenerator
from functools import lru_cache
from threading import Lock
from typing import Any, Literal, Protocol
from uuid import uuid4

import attrs

__all__ = ["Event", "EventKind", "EventStream", "Snapshot"]

EventKind = Literal["request", "delivery", "conference", "recording", "fault", "clock", "reset"]
"""What an event is about."""

_HEARTBEAT = b": the emulator is running\n\n"
_PIECE_EVENTS = 100
_PIECE_BYTES = 16_384
_FORMATTED = 1_000
_NUMBER = re.compile("[0-9]{1,18}")


class Snapshot(Protocol):
    """A frozen value that an event shows."""

    def to_dict(self) -> dict[str, Any]:
        """Return the value as JSON values."""
        ...


@attrs.frozen(eq=False)
class Event:
    """One event.

    Attributes:
        id: The ID of the event, which ends with its number.
        kind: What the event is about.
        entry: The new state of it.
    """

    id: str
    kind: EventKind
    entry: Snapshot


@attrs.frozen
class _Reset:
    """The entry of an event ``reset``: everything has to be read again.

    Attributes:
        reason: Why, in words.
    """

    reason: str

    def to_dict(self) -> dict[str, Any]:
        return {"reason": self.reason}


class EventStream:
    """The latest events, and everyone who listens to them.

    A listener has a place in the stream and no queue of its own. It receives a small piece at a time, and all listeners
    share the formatted events. A listener that is so slow that events after its place were dropped receives an event
    ``reset``, and goes on with the next event.

    Args:
        keep: How many events are kept for listeners that are slow or that connect again.
        heartbeat: Seconds without an event after which a comment is sent, so that a connection that broke is noticed.
    """

    def __init__(self, keep: int, *, heartbeat: float = 15.0) -> None:
        self._run = uuid4().hex[:8]
        self._events: deque[Event] = deque(maxlen=keep)
        self._last = 0
        self._heartbeat = heartbeat
        self._lock = Lock()
        self._wakers: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._format = lru_cache(maxsize=_FORMATTED)(_format)

    def publish(self, kind: EventKind, entry: Snapshot) -> None:
        """Add an event. This may be called from any thread.

        Args:
            kind: What the event is about.
            entry: The new state of it.
        """
        with self._lock:
            self._last += 1
            self._events.append(self._event(kind, entry))
        if self._wakers and self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def publish_reset(self, reason: str) -> None:
        """Tell all listeners to read everything again.

        Args:
            reason: Why, in words.
        """
        self.publish("reset", _Reset(reason))

    async def listen(self, last_event_id: str | None = None) -> AsyncGenerator[bytes]:
        """Yield events as they come, in the format of Server-Sent Events, until the stream is closed.

        Args:
            last_event_id: The ID of the last event that the listener received. If None, it receives events from now on.

        Yields:
            Bytes of ``text/event-stream``.
        """
        self._loop = asyncio.get_running_loop()
        changed = asyncio.Event()
        try:
            place = self._last if last_event_id is None else self._place_of(last_event_id)
            yield _HEARTBEAT  # so that the client knows at once that it is connected
            while not self._closed:
                changed.clear()
                self._wakers.add(changed)
                place, text = self._after(place)
                if text:
                    yield text
                    continue
                try:
                    async with asyncio.timeout(self._heartbeat):
                        await changed.wait()
                except TimeoutError:
                    yield _HEARTBEAT
        finally:
            self._wakers.discard(changed)

    def close(self) -> None:
        """End the streams of all listeners."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        """Wake up the listeners. One that does not read is not woken up again before it waits again."""
        woken, self._wakers = self._wakers, set()
        for waker in woken:
            waker.set()

    def _event(self, kind: EventKind, entry: Snapshot) -> Event:
        return Event(f"{self._run}-{self._last}", kind, entry)

    def _place_of(self, event_id: str) -> int:
        """Return the number of the event with this ID, or -1 if it is of another run or cannot be read."""
        run, _, number = event_id.partition("-")
        known = run == self._run and _NUMBER.fullmatch(number) and int(number) <= self._last
        return int(number) if known else -1

    def _after(self, place: int) -> tuple[int, bytes]:
        """Return the next events after a place as bytes, and the place after them."""
        with self._lock:
            skipped = place - self._last + len(self._events)
            if skipped < 0:
                missed = self._event("reset", _Reset("events were missed: read the state again"))
                return self._last, _format(missed)
            stop = min(len(self._events), skipped + _PIECE_EVENTS)
            events = [self._events[index] for index in range(skipped, stop)]
        texts: list[bytes] = []
        size = 0
        for event in events:
            if size >= _PIECE_BYTES:
                break
            texts.append(self._format(event))
            size += len(texts[-1])
        return place + len(texts), b"".join(texts)


def _format(event: Event) -> bytes:
    data = json.dumps(event.entry.to_dict())
    return f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n".encode()
