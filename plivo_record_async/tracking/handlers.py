"""The user's handlers: each has a name and a task of its own, whatever the others do and whatever it raises."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from plivo_record_async.protocol.models import ApiResponse, RecordingEnded, TranscriptionEnded
from plivo_record_async.protocol.recording.evidence import EventName
from plivo_record_async.protocol.recording.record import FollowedRecording

__all__ = ["HandledEvent", "Handler", "Handlers", "describe_error", "error_of", "label_of"]

HandledEvent = ApiResponse | RecordingEnded | TranscriptionEnded
Handler = Callable[[FollowedRecording, HandledEvent], Awaitable[object]]

_LONGEST: Final = 500
"""Letters of an error that are kept in the record."""


def describe_error(error: BaseException) -> str:
    """Return the error as the last line of its traceback has it, shortened."""
    return traceback.format_exception_only(error)[-1].strip()[:_LONGEST]


class Handlers:
    """The handlers of each event, by name."""

    def __init__(self) -> None:
        self._by_event: dict[EventName, dict[str, Handler]] = {}

    def add(self, name: EventName, handler: Handler, label: str) -> None:
        """Add a handler of an event.

        Args:
            name: The event.
            handler: The handler.
            label: What it is called in records and logs; a second one of that name is called ``label#2``.
        """
        handlers = self._by_event.setdefault(name, {})
        number = 1 + sum(known.partition("#")[0] == label for known in handlers)
        handlers[label if number == 1 else f"{label}#{number}"] = handler

    def of(self, name: EventName) -> Mapping[str, Handler]:
        """The handlers of an event."""
        return self._by_event.get(name, {})

    @property
    def events(self) -> frozenset[EventName]:
        """The events that have handlers."""
        return frozenset(self._by_event)


async def error_of(handler: Handler, record: FollowedRecording, event: HandledEvent) -> BaseException | None:
    """Run a handler to its end and return what it raised. If None, it raised nothing.

    A `CancelledError` of a task that the handler waited for is an error like any other.

    Raises:
        CancelledError: The task that this runs in was cancelled.
        KeyboardInterrupt: The program is to end.
        SystemExit: The program is to end.
    """
    try:
        await handler(record, event)
    except (KeyboardInterrupt, SystemExit):
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return error
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the handler's
        return error
    return None


def label_of(handler: object) -> str:
    """The name under which a handler is known: that of its function or class, with its module."""
    while isinstance(handler, partial):
        handler = handler.func
    named: object = handler if hasattr(handler, "__qualname__") else type(handler)
    return f"{getattr(named, '__module__', '?')}.{getattr(named, '__qualname__', '?')}"
