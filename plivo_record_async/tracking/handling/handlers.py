"""The user's handlers: which functions can be handlers, how they are named, and how one of them is run."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from plivo_record_async.protocol.arguments import is_async
from plivo_record_async.protocol.models import ApiResponse, RecordingEnded, TranscriptionEnded
from plivo_record_async.protocol.recording.evidence import EventName
from plivo_record_async.protocol.recording.record import FollowedRecording

__all__ = [
    "HandleableEvent",
    "Handler",
    "Handlers",
    "describe_error",
    "error_of",
    "handler_of",
    "label_of",
    "name_of_event_class",
]

HandleableEvent = ApiResponse | RecordingEnded | TranscriptionEnded
Handler = Callable[[FollowedRecording, HandleableEvent], Awaitable[object]]

_NAMES: Final[Mapping[type[HandleableEvent], EventName]] = {
    ApiResponse: "ApiResponse",
    RecordingEnded: "RecordingEnded",
    TranscriptionEnded: "TranscriptionEnded",
}

_MAX_ERROR_LENGTH: Final = 500
"""The most characters of an error that are stored in the record."""


class Handlers:
    """The registered handlers of each event, by label."""

    def __init__(self) -> None:
        self._by_event: dict[EventName, dict[str, Handler]] = {}

    def add(self, name: EventName, handler: Handler, label: str) -> None:
        """Add a handler of an event.

        Args:
            name: The name of the event.
            handler: The handler.
            label: The name of the handler in records and logs. A second handler with the same name is ``label#2``.
        """
        handlers = self._by_event.setdefault(name, {})
        number = 1 + sum(known.partition("#")[0] == label for known in handlers)
        handlers[label if number == 1 else f"{label}#{number}"] = handler

    def of(self, name: EventName) -> Mapping[str, Handler]:
        """Return the handlers of an event, by label.

        Args:
            name: The name of the event.
        """
        return self._by_event.get(name, {})

    @property
    def events(self) -> frozenset[EventName]:
        """The events that have handlers."""
        return frozenset(self._by_event)


def name_of_event_class(event: type[HandleableEvent]) -> EventName:
    """Return the name of a class of events.

    Args:
        event: The class.

    Raises:
        TypeError: ``event`` is not the class of an event that can have handlers.
    """
    name = _NAMES.get(event)
    if name is None:
        raise TypeError(f"event must be one of {', '.join(sorted(_NAMES.values()))}, not {event!r}")
    return name


def handler_of(function: Any, handle_of: Callable[[FollowedRecording], object]) -> Handler:
    """Return the handler that calls a user's function with an event, and with its recording if it takes two arguments.

    Args:
        function: An async function that takes an event, or an event and its recording.
        handle_of: A function that returns the handle of a recording.

    Raises:
        TypeError: ``function`` is not an async function, or cannot be called with these arguments.
    """
    if not is_async(function):
        raise TypeError(f"a handler must be an async function, not {function!r}; define it with `async def`")
    takes_recording = _takes(function, 2)
    if not takes_recording and not _takes(function, 1):
        raise TypeError(
            "a handler must be callable with one argument, the event, or with two, the event and its recording; "
            f"{function!r} is not"
        )

    async def handler(record: FollowedRecording, event: HandleableEvent) -> None:
        await function(*(event, handle_of(record)) if takes_recording else (event,))

    return handler


def label_of(function: object) -> str:
    """Return the name of a function, or of the class of a callable object, with its module.

    Args:
        function: A function, a ``functools.partial`` of one, or a callable object.
    """
    while isinstance(function, partial):
        function = function.func
    named: object = function if hasattr(function, "__qualname__") else type(function)
    return f"{getattr(named, '__module__', '?')}.{getattr(named, '__qualname__', '?')}"


async def error_of(handler: Handler, record: FollowedRecording, event: HandleableEvent) -> BaseException | None:
    """Run a handler and return the exception that it raised. If None, it succeeded.

    If the handler raises a `CancelledError` although its own task was not cancelled, for example because it awaited a
    task that was cancelled, that counts as an error like any other.

    Args:
        handler: The handler.
        record: The recording.
        event: The event.

    Raises:
        CancelledError: The task in which this runs was cancelled.
        KeyboardInterrupt: The handler raised it.
        SystemExit: The handler raised it.
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
    except BaseException as error:  # noqa: BLE001 - a handler may raise anything, which must not affect the others
        return error
    return None


def describe_error(error: BaseException) -> str:
    """Return the last line of an exception's traceback, shortened if it is long.

    Args:
        error: The exception.
    """
    return traceback.format_exception_only(error)[-1].strip()[:_MAX_ERROR_LENGTH]


def _takes(function: Callable[..., object], count: int) -> bool:
    """Return whether a function can be called with this number of arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True
