"""One function per endpoint: from what the user wants to the request that says it.

https://plivo.com/docs/voice/api/conferences
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode

import attrs

from plivo_record_async.protocol.models import (
    PendingResponse,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
)
from plivo_record_async.protocol.responses import Reply, read_already_stopped, read_pending, read_started, read_stopped
from plivo_record_async.protocol.wire import unstructure

__all__ = ["Request", "start_recording", "stop_recording"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Request(Generic[T]):
    """One request as it goes out, and how to read what comes back.

    Attributes:
        operation: What is being done, in words, for messages.
        method: HTTP method.
        path: Below ``/v1/Account/{auth_id}``, percent-encoded, with its query.
        body: JSON, or ``None`` for no body.
        repeatable: Whether sending it again does no harm. A start does: it records, and bills, twice.
        read: Makes the result of a successful answer; raises ``ValueError`` if it makes no sense.
        read_gone: Makes the result of a 404 that follows an attempt whose outcome is unknown, where that
            means "done"; raises ``ValueError`` if it cannot.
    """

    operation: str
    method: str
    path: str
    body: bytes | None = None
    repeatable: bool = False
    read: Callable[[Reply], T]
    read_gone: Callable[[Reply], T] | None = None


def start_recording(request: StartRequest) -> Request[RecordingStarted | PendingResponse]:
    """``POST …/Conference/{conference_name}/Record/``, parameters as JSON."""
    return Request(
        operation=f"start of {request.conference_name!r}",
        method="POST",
        path=_record_path(request.conference_name),
        body=json.dumps(unstructure(request)).encode(),
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
        read=read_pending if asynchronous else read_stopped,
        read_gone=read_pending if asynchronous else read_already_stopped,
    )


def _record_path(conference_name: str) -> str:
    return f"/Conference/{quote(conference_name, safe='')}/Record/"


def _query(parameters: Mapping[str, str]) -> str:
    return f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""
