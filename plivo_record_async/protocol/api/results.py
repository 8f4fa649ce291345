"""From a successful response to the value that a call returns, whatever shape Plivo chose.

Every shape that is documented or was observed is read: a start is answered with 200, 201 or 202, with or without
``recording_id``; a stop with 204 and nothing, ``{}`` or JSON.

The functions raise ``ValueError`` if a response cannot be read; the message says why.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from plivo_record_async.protocol.api.bodies import parse_json_object
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.api.wire import integer_or_none, is_object, structure, text_or_none
from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
)

__all__ = [
    "Page",
    "read_already_stopped",
    "read_conference",
    "read_conference_names",
    "read_nothing",
    "read_pending",
    "read_recording",
    "read_recordings",
    "read_started",
    "read_stopped",
]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Page:
    """One page of the list of recordings.

    Attributes:
        rows: The recordings.
        next: The address of the next page, as the server gives it.
        ends: Whether the server says that there is no next page.
        limit: How many recordings a page holds at most. If None, the server does not say it.
        total: How many recordings the list holds in total. If None, the server does not say it.
    """

    rows: tuple[Recording, ...] = ()
    next: str | None = None
    ends: bool = False
    limit: int | None = None
    total: int | None = None


def read_started(response: Response) -> RecordingStarted:
    """Read the response to a start without ``callback_url``."""
    return _structured(response, RecordingStarted)


def read_pending(response: Response) -> PendingResponse:
    """Read a response in asynchronous mode; only its ``api_id`` can be relied on."""
    return _structured(response, PendingResponse)


def read_stopped(response: Response) -> RecordingStopped:
    """Read the response to a stop; the usual 204 has no body."""
    is_empty = response.complete and not response.text.strip()
    return RecordingStopped() if is_empty else _structured(response, RecordingStopped)


def read_already_stopped(response: Response) -> RecordingStopped:
    """Read the 404 that answers a repeated stop if the first one was executed after all."""
    return RecordingStopped(api_id=response.api_id)


def read_nothing(response: Response) -> None:
    """Accept the 204 that answers a deletion, and the 404 that answers a repeated one which was executed after all."""


def read_recording(response: Response) -> Recording:
    """Read one recording."""
    return _structured(response, Recording)


def read_recordings(response: Response) -> Page:
    """Read one page of recordings. A row that cannot be read does not hide the others."""
    data = _object_of(response)
    meta = data.get("meta")
    about = meta if is_object(meta) else {}
    return Page(
        rows=tuple(_row(item) for item in _items(data, "objects")),
        next=text_or_none(about.get("next")),
        ends="next" in about and about["next"] is None,
        limit=integer_or_none(about.get("limit")),
        total=integer_or_none(about.get("total_count")),
    )


def _row(item: object) -> Recording:
    return structure(item, Recording) if is_object(item) else Recording(raw={"row": item})


def read_conference(response: Response) -> Conference:
    """Read one conference."""
    return _structured(response, Conference)


def read_conference_names(response: Response) -> list[str]:
    """Read the names of the live conferences."""
    names = map(text_or_none, _items(_object_of(response), "conferences"))
    return [name for name in names if name is not None]


def _items(data: Mapping[str, Any], name: str) -> list[Any]:
    match data.get(name):
        case [*items]:
            return items
        case None if name in data:
            return []  # as Go writes a list without items
        case other:
            raise ValueError(f"its {name!r} is not a list: {reprlib.repr(other)}")


def _object_of(response: Response) -> Mapping[str, Any]:
    if not response.complete:
        raise ValueError(f"its body was cut off after {len(response.body)} bytes")
    return response.data or parse_json_object(response.text)


def _structured(response: Response, cls: type[T]) -> T:
    return structure(_object_of(response), cls)
