"""One function for each endpoint, which returns the request for the given arguments.

https://plivo.com/docs/voice/api/conferences
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import attrs

from plivo_record_async.errors import Missing
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.api.results import (
    Page,
    read_already_stopped,
    read_conference,
    read_conference_names,
    read_nothing,
    read_pending,
    read_recording,
    read_recordings,
    read_started,
    read_stopped,
    read_transcription,
    read_transcription_requested,
)
from plivo_record_async.protocol.api.wire import unstructure
from plivo_record_async.protocol.arguments import absolute_url, aware_datetime, path_segment
from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
    Transcription,
    TranscriptionRequested,
)

__all__ = [
    "FIRST_PAGE",
    "PAGE_SIZE",
    "create_transcription",
    "delete_recording",
    "get_conference",
    "get_recording",
    "get_transcription",
    "list_conferences",
    "list_recordings",
    "start_recording",
    "stop_recording",
]

T = TypeVar("T")

_RECORD_ROUTE: Final = "/Conference/{conference_name}/Record/"
_RECORDING_ROUTE: Final = "/Recording/{recording_id}/"
_TRANSCRIPTION_ROUTE: Final = "/Transcription/{recording_id}/"

PAGE_SIZE = 20
"""The number of recordings on one page. Plivo returns at most 20: https://plivo.com/docs/voice/api/recordings.md"""

FIRST_PAGE: Final[Mapping[str, str]] = {"limit": str(PAGE_SIZE), "offset": "0"}
"""The parameters that select the first page of a list."""


def start_recording(
    request: StartRequest, *, start_id: str | None = None
) -> Request[RecordingStarted | PendingResponse]:
    """Return the request ``POST …/Conference/{conference_name}/Record/``, with its parameters as JSON.

    https://plivo.com/docs/voice/api/conferences

    Args:
        request: The arguments of the start.
        start_id: The tracker's ID of the start. If None, the start is not made by a tracker.

    Returns:
        The request. It is not repeatable.
    """
    return Request(
        operation=f"start of {request.conference_name!r}",
        name="start_recording",
        route=_RECORD_ROUTE,
        method="POST",
        path=_record_path(request.conference_name),
        body=json.dumps(unstructure(request)).encode(),
        missing="conference",
        conference_name=request.conference_name,
        start_id=start_id,
        read=read_pending if request.callback_url is not None else read_started,
    )


def stop_recording(request: StopRequest) -> Request[RecordingStopped | PendingResponse]:
    """Return the request ``DELETE …/Conference/{conference_name}/Record/``, with its parameters in the query.

    Plivo reads the parameters of a GET and a DELETE from the query: https://www.plivo.com/docs/api/request/

    Args:
        request: The arguments of the stop.

    Returns:
        The request. It is repeatable.
    """
    asynchronous = request.callback_url is not None
    return Request(
        operation=f"stop of {request.conference_name!r}",
        name="stop_recording",
        route=_RECORD_ROUTE,
        method="DELETE",
        path=_record_path(request.conference_name) + _query_string(unstructure(request)),
        repeatable=True,
        missing="conference",
        conference_name=request.conference_name,
        read=read_pending if asynchronous else read_stopped,
        read_already_executed=read_pending if asynchronous else read_already_stopped,
    )


def get_recording(recording_id: str) -> Request[Recording]:
    """Return the request ``GET …/Recording/{recording_id}/``: https://plivo.com/docs/voice/api/recordings.md .

    Args:
        recording_id: Plivo's ID of the recording.

    Returns:
        The request.

    Raises:
        ValueError: The ID cannot be a path segment.
        TypeError: The ID is not a string.
    """

    def read(response: Response) -> Recording:
        recording = read_recording(response)
        return attrs.evolve(recording, recording_id=recording.recording_id or recording_id)

    return _get(
        f"reading of recording {recording_id!r}",
        _path_of("Recording", recording_id),
        read,
        name="get_recording",
        route=_RECORDING_ROUTE,
        missing="recording",
    )


def delete_recording(recording_id: str) -> Request[None]:
    """Return the request ``DELETE …/Recording/{recording_id}/``: https://plivo.com/docs/voice/api/recordings.md .

    Args:
        recording_id: Plivo's ID of the recording.

    Returns:
        The request. It is repeatable.

    Raises:
        ValueError: The ID cannot be a path segment.
        TypeError: The ID is not a string.
    """
    return Request(
        operation=f"deletion of recording {recording_id!r}",
        name="delete_recording",
        route=_RECORDING_ROUTE,
        method="DELETE",
        path=_path_of("Recording", recording_id),
        repeatable=True,
        missing="recording",
        read=read_nothing,
        read_already_executed=read_nothing,
    )


def list_recordings(
    *,
    conference_name: str | None = None,
    added_after: datetime | None = None,
    added_before: datetime | None = None,
    page: Mapping[str, str] = FIRST_PAGE,
) -> Request[Page]:
    """Return the request ``GET …/Recording/`` for one page: https://plivo.com/docs/voice/api/recordings.md .

    Args:
        conference_name: List only recordings of this conference. If None, list those of all conferences and calls.
        added_after: List only recordings that were added at or after this time (aware). If None, Plivo chooses it.
        added_before: List only recordings that were added at or before this time (aware). If None, there is no limit.
        page: Further parameters, which select the page. A parameter with the name of a filter is ignored.

    Returns:
        The request.

    Raises:
        ValueError: A time is not aware, or the name cannot be a path segment.
        TypeError: An argument has the wrong type.
    """
    filters = {
        "conference_name": None if conference_name is None else path_segment("conference_name", conference_name),
        "add_time__gte": None if added_after is None else _utc(aware_datetime("added_after", added_after)),
        "add_time__lte": None if added_before is None else _utc(aware_datetime("added_before", added_before)),
    }
    given = {name: value for name, value in filters.items() if value is not None}
    query = _query_string(given | {name: page[name] for name in page if name not in given})
    return _get(
        "listing of recordings", f"/Recording/{query}", read_recordings, name="list_recordings", route="/Recording/"
    )


def get_transcription(recording_id: str) -> Request[Transcription]:
    """Return the request ``GET …/Transcription/{recording_id}/``: https://plivo.com/docs/voice/api/recordings.md .

    Args:
        recording_id: Plivo's ID of the recording.

    Returns:
        The request.

    Raises:
        ValueError: The ID cannot be a path segment.
        TypeError: The ID is not a string.
    """

    def read(response: Response) -> Transcription:
        transcription = read_transcription(response)
        return attrs.evolve(transcription, recording_id=transcription.recording_id or recording_id)

    return _get(
        f"reading of the transcript of recording {recording_id!r}",
        _path_of("Transcription", recording_id),
        read,
        name="get_transcription",
        route=_TRANSCRIPTION_ROUTE,
        missing="transcription",
    )


def create_transcription(recording_id: str, *, callback_url: str | None = None) -> Request[TranscriptionRequested]:
    """Return the request ``POST …/Transcription/{recording_id}/``, with its parameters as JSON.

    https://plivo.com/docs/voice/api/recordings.md

    Args:
        recording_id: Plivo's ID of the recording.
        callback_url: The URL to which Plivo sends the transcript. If None, Plivo sends none.

    Returns:
        The request. It is not repeatable, because Plivo bills each transcription.

    Raises:
        ValueError: The ID cannot be a path segment, or the URL is not absolute.
        TypeError: The ID or the URL is not a string.
    """
    given = {} if callback_url is None else {"transcription_callback_url": absolute_url("callback_url", callback_url)}
    return Request(
        operation=f"transcription of recording {recording_id!r}",
        name="create_transcription",
        route=_TRANSCRIPTION_ROUTE,
        method="POST",
        path=_path_of("Transcription", recording_id),
        body=json.dumps(given).encode(),
        missing="recording",
        warning=(
            "a second request makes a second transcript, and Plivo bills both. Find out first whether the recording "
            "has a transcript, with client.get_transcription(…)."
        ),
        read=read_transcription_requested,
    )


def get_conference(conference_name: str) -> Request[Conference]:
    """Return the request ``GET …/Conference/{conference_name}/``: https://plivo.com/docs/voice/api/conferences .

    Args:
        conference_name: The name of the conference.

    Returns:
        The request.

    Raises:
        ValueError: The name cannot be a path segment.
        TypeError: The name is not a string.
    """
    name = quote(path_segment("conference_name", conference_name), safe="")
    return _get(
        f"reading of conference {conference_name!r}",
        f"/Conference/{name}/",
        read_conference,
        name="get_conference",
        route="/Conference/{conference_name}/",
        missing="conference",
        conference_name=conference_name,
    )


def list_conferences() -> Request[list[str]]:
    """Return the request ``GET …/Conference/``: https://plivo.com/docs/voice/api/conferences ."""
    return _get(
        "listing of conferences", "/Conference/", read_conference_names, name="list_conferences", route="/Conference/"
    )


def _get(
    operation: str,
    path: str,
    read: Callable[[Response], T],
    *,
    name: str,
    route: str,
    missing: Missing | None = None,
    conference_name: str | None = None,
) -> Request[T]:
    return Request(
        operation=operation,
        name=name,
        route=route,
        method="GET",
        path=path,
        repeatable=True,
        missing=missing,
        conference_name=conference_name,
        read=read,
    )


def _path_of(resource: str, recording_id: str) -> str:
    return f"/{resource}/{quote(path_segment('recording_id', recording_id), safe='')}/"


def _utc(time: datetime) -> str:
    """Return a time in the form that Plivo's filters require: ``YYYY-MM-DD HH:MM:ss.uuuuuu``, in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _record_path(conference_name: str) -> str:
    return f"/Conference/{quote(conference_name, safe='')}/Record/"


def _query_string(parameters: Mapping[str, str]) -> str:
    return f"?{urlencode(parameters, quote_via=quote, errors='replace')}" if parameters else ""
