"""One function per endpoint: from what the user wants to the request that says it.

https://plivo.com/docs/voice/api/conferences
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar
from urllib.parse import quote, urlencode

import attrs

from plivo_record_async.errors import Missing
from plivo_record_async.protocol.api.responses import (
    Page,
    Reply,
    read_already_stopped,
    read_conference,
    read_conference_names,
    read_nothing,
    read_pending,
    read_recording,
    read_recordings,
    read_started,
    read_stopped,
)
from plivo_record_async.protocol.api.wire import unstructure
from plivo_record_async.protocol.arguments import aware, path_segment
from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
)

__all__ = [
    "FIRST_PAGE",
    "PAGE",
    "Request",
    "delete_recording",
    "get_conference",
    "get_recording",
    "list_conferences",
    "list_recordings",
    "start_recording",
    "stop_recording",
]

T = TypeVar("T")

PAGE = 20
"""Recordings on one page, the most that Plivo gives: https://plivo.com/docs/voice/api/recordings.md"""

FIRST_PAGE: Final[Mapping[str, str]] = {"limit": str(PAGE), "offset": "0"}
"""The parameters of the first page."""


@attrs.frozen(kw_only=True)
class Request(Generic[T]):
    """One request as it goes out, and how to read what comes back.

    Attributes:
        operation: What is being done, in words, for messages.
        method: HTTP method.
        path: Below ``/v1/Account/{auth_id}``, percent-encoded, with its query.
        body: JSON, or ``None`` for no body.
        repeatable: Whether sending it again does no harm. A start does: it records, and bills, twice.
        missing: What there is none of, if the answer is a 404; for messages.
        read: Makes the result of a successful answer; raises ``ValueError`` if it makes no sense.
        read_gone: Makes the result of a 404 that follows an attempt whose outcome is unknown, where that
            means "done"; raises ``ValueError`` if it cannot.
    """

    operation: str
    method: str
    path: str
    body: bytes | None = None
    repeatable: bool = False
    missing: Missing | None = None
    read: Callable[[Reply], T]
    read_gone: Callable[[Reply], T] | None = None


def start_recording(request: StartRequest) -> Request[RecordingStarted | PendingResponse]:
    """``POST …/Conference/{conference_name}/Record/``, parameters as JSON."""
    return Request(
        operation=f"start of {request.conference_name!r}",
        method="POST",
        path=_record_path(request.conference_name),
        body=json.dumps(unstructure(request)).encode(),
        missing="conference",
        read=read_pending if request.callback_url is not None else read_started,
    )


def stop_recording(request: StopRequest) -> Request[RecordingStopped | PendingResponse]:
    """``DELETE …/Conference/{conference_name}/Record/``, parameters in the query string.

    Plivo takes the arguments of GET and DELETE from the query: https://www.plivo.com/docs/api/request/
    """
    asynchronous = request.callback_url is not None
    return Request(
        operation=f"stop of {request.conference_name!r}",
        method="DELETE",
        path=_record_path(request.conference_name) + _query(unstructure(request)),
        repeatable=True,
        missing="conference",
        read=read_pending if asynchronous else read_stopped,
        read_gone=read_pending if asynchronous else read_already_stopped,
    )


def get_recording(recording_id: str) -> Request[Recording]:
    """``GET …/Recording/{recording_id}/``: https://plivo.com/docs/voice/api/recordings.md."""

    def read(reply: Reply) -> Recording:
        recording = read_recording(reply)
        return attrs.evolve(recording, recording_id=recording.recording_id or recording_id)

    return _get(f"reading of recording {recording_id!r}", _recording_path(recording_id), read, "recording")


def delete_recording(recording_id: str) -> Request[None]:
    """``DELETE …/Recording/{recording_id}/``: https://plivo.com/docs/voice/api/recordings.md."""
    return Request(
        operation=f"deletion of recording {recording_id!r}",
        method="DELETE",
        path=_recording_path(recording_id),
        repeatable=True,
        missing="recording",
        read=read_nothing,
        read_gone=read_nothing,
    )


def list_recordings(
    *,
    conference_name: str | None = None,
    added_after: datetime | None = None,
    added_before: datetime | None = None,
    page: Mapping[str, str] = FIRST_PAGE,
) -> Request[Page]:
    """``GET …/Recording/``, one page: https://plivo.com/docs/voice/api/recordings.md.

    Args:
        conference_name: Only those of this conference.
        added_after: Only those added at or after this time (aware).
        added_before: Only those added at or before this time (aware).
        page: Further parameters, which say which page; none of them replaces one of the others.
    """
    filters = {
        "conference_name": None if conference_name is None else path_segment("conference_name", conference_name),
        "add_time__gte": None if added_after is None else _utc(aware("added_after", added_after)),
        "add_time__lte": None if added_before is None else _utc(aware("added_before", added_before)),
    }
    given = {name: value for name, value in filters.items() if value is not None}
    query = _query(given | {name: page[name] for name in page if name not in given})
    return _get("listing of recordings", f"/Recording/{query}", read_recordings)


def get_conference(conference_name: str) -> Request[Conference]:
    """``GET …/Conference/{conference_name}/``: https://plivo.com/docs/voice/api/conferences."""
    name = quote(path_segment("conference_name", conference_name), safe="")
    return _get(f"reading of conference {conference_name!r}", f"/Conference/{name}/", read_conference, "conference")


def list_conferences() -> Request[list[str]]:
    """``GET …/Conference/``: https://plivo.com/docs/voice/api/conferences."""
    return _get("listing of conferences", "/Conference/", read_conference_names)


def _get(operation: str, path: str, read: Callable[[Reply], T], missing: Missing | None = None) -> Request[T]:
    return Request(operation=operation, method="GET", path=path, repeatable=True, missing=missing, read=read)


def _recording_path(recording_id: str) -> str:
    return f"/Recording/{quote(path_segment('recording_id', recording_id), safe='')}/"


def _utc(time: datetime) -> str:
    """As Plivo's filters take it: ``YYYY-MM-DD HH:MM:ss.uuuuuu``, in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _record_path(conference_name: str) -> str:
    return f"/Conference/{quote(conference_name, safe='')}/Record/"


def _query(parameters: Mapping[str, str]) -> str:
    return f"?{urlencode(parameters, quote_via=quote, errors='replace')}" if parameters else ""
