"""Responses of Plivo's API as it is documented or was observed to send them, and what one of them comes to."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.protocol.api.endpoints import start_recording
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.api.result_or_error import result_of
from plivo_record_async.protocol.api.results import read_started
from plivo_record_async.protocol.models import StartRequest

__all__ = [
    "API_ID",
    "CUT_OFF",
    "HTML",
    "OLD_STARTED",
    "SPAWNED",
    "STARTED",
    "STOPPED",
    "error_of",
    "response",
    "result",
]

API_ID = "2867b6e2-58c3-11e1-86da-adf28403fe48"

# The answer in the tests of the official SDKs, and the one of the oldest documentation, without recording_id:
# http://plivo.com/docs/api/conference/record/
STARTED = {
    "api_id": API_ID,
    "message": "conference recording started",
    "recording_id": "93bc7c6a-3b2b-11e3",
    "url": "http://s3.amazonaws.com/recordings_2013/93bc7c6a-3b2b-11e3.mp3",
}
OLD_STARTED = {name: value for name, value in STARTED.items() if name != "recording_id"}
# https://docs.plivo.com/docs/voice/api/request/asynchronous-request
SPAWNED = {"message": "async api spawned", "api_id": API_ID}
STOPPED = {"message": "conference recording stopped", "api_id": API_ID}

HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
CUT_OFF = b'{"api_id": "2867b6e2-58c3-11e1-86da-adf28403fe48", "err'


def response(status: int, body: object = b"", **more: Any) -> Response:
    return Response(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode(), **more)


def result(incoming: Response, reader: Any = read_started, *, repeatable: bool = False) -> Any:
    """Return what a response to a request comes to; the request is a start unless the arguments say otherwise."""
    request = attrs.evolve(start_recording(StartRequest("standup")), repeatable=repeatable, read=reader)
    return result_of(request, incoming)


def error_of(incoming: Response, *, repeatable: bool = False) -> Any:
    """Return the error that a response to a request comes to."""
    with pytest.raises(PlivoRecordError) as caught:
        result(incoming, repeatable=repeatable)
    return caught.value
