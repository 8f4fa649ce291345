"""The functions that read a successful response, and return the value that a call returns.

They accept every form that is documented or was observed. The response to a start has the status 200, 201 or 202, with
or without a ``recording_id``. The response to a stop is a 204 without a body, with ``{}`` or with a JSON object.

The functions raise ``ValueError`` if a response cannot be read. The message says why.
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
    Transcription,
    TranscriptionRequested,
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
    "read_transcription",
    "read_transcription_requested",
]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Page:
    """One page of the list of recordings.

    Attributes:
        rows: The recordings.
        next: The URL of the next page, as the server gives it. If None, the server gives none.
        ends: Whether the server says that there is no next page.
        limit: The maximum number of recordings on a page. If None, the server does not say it.
        total: The number of recordings in the whole list. If None, the server does not say it.
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
    """Read a response in asynchronous mode, which always contains an ``api_id``."""
    return _structured(response, PendingResponse)


def read_stopped(response: Response) -> RecordingStopped:
    """Read the response to a stop. It is usually a 204 without a body."""
    is_empty = response.complete and not response.text.strip()
    return RecordingStopped() if is_empty else _structured(response, RecordingStopped)


def read_already_stopped(response: Response) -> RecordingStopped:
    """Read the 404 to a repeated stop, which shows that the first stop was executed."""
    return RecordingStopped(api_id=response.api_id)


def read_nothing(response: Response) -> None:
    """Accept the 204 to a deletion, or the 404 to a repeated one, which shows that the first was executed."""


def read_recording(response: Response) -> Recording:
    """Read one recording."""
    return _structured(response, Recording)


def read_transcription(response: Response) -> Transcription:
    """Read the transcript of one recording."""
    return _structured(response, Transcription)


def read_transcription_requested(response: Response) -> TranscriptionRequested:
    """Read the response to a request for a transcript."""
    return _structured(response, TranscriptionRequested)


def read_recordings(response: Response) -> Page:
    """Read one page of recordings. If a row cannot be read, the others still are."""
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
            return []  # Go writes an empty list as null
        case other:
            raise ValueError(f"{name!r} in the response is not a list: {reprlib.repr(other)}")


def _object_of(response: Response) -> Mapping[str, Any]:
    if not response.complete:
        raise ValueError(f"the response ended after {len(response.body)} bytes, before it was complete")
    return response.data or parse_json_object(response.text)


def _structured(response: Response, cls: type[T]) -> T:
    return structure(_object_of(response), cls)
