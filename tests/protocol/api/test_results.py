"""Every form of a successful response that is documented or was observed, and the value that is returned for it."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from plivo_record_async.errors import NotFoundError, UnexpectedResponseError
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
    read_stopped,
    read_transcription,
    read_transcription_requested,
)
from plivo_record_async.protocol.api.wire import structure
from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
    Transcription,
    TranscriptionRequested,
)
from tests.support.samples.responses import (
    API_ID,
    HTML,
    OLD_STARTED,
    SPAWNED,
    STARTED,
    STOPPED,
    error_of,
    response,
    result,
)


@pytest.mark.parametrize("status", [200, 201, 202, 206, 207])
@pytest.mark.parametrize("body", [STARTED, OLD_STARTED, STARTED | {"recording_id": None}, {"api_id": API_ID}, SPAWNED])
def test_start_is_accepted_with_any_success_status_and_missing_fields(status: int, body: dict[str, str]) -> None:
    started = result(response(status, body))
    assert started == RecordingStarted(
        api_id=API_ID, message=body.get("message"), url=body.get("url"), recording_id=body.get("recording_id")
    )
    assert started.raw == body


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("body", [SPAWNED, STARTED, {"api_id": API_ID}])
def test_asynchronous_mode_returns_only_the_api_id(status: int, body: dict[str, str]) -> None:
    assert result(response(status, body), read_pending) == PendingResponse(API_ID)


@pytest.mark.parametrize(
    ("incoming", "stopped"),
    [
        (response(204), RecordingStopped()),
        (response(204, b"\r\n"), RecordingStopped()),
        (response(204, {}), RecordingStopped()),
        (response(200), RecordingStopped()),
        (response(204, STOPPED), RecordingStopped(api_id=API_ID, message="conference recording stopped")),
        (response(202, STOPPED), RecordingStopped(api_id=API_ID, message="conference recording stopped")),
        (response(202, SPAWNED), RecordingStopped(api_id=API_ID, message="async api spawned")),
    ],
)
def test_a_stop_is_accepted_with_and_without_a_body(incoming: Response, stopped: RecordingStopped) -> None:
    assert result(incoming, read_stopped) == stopped


READABLE: dict[str, Response] = {
    "gzip": response(202, gzip.compress(json.dumps(STARTED).encode()), headers={"content-encoding": "gzip"}),
    "deflate": response(202, zlib.compress(json.dumps(STARTED).encode()), headers={"content-encoding": "deflate"}),
    "a byte order mark": response(202, json.dumps(STARTED).encode("utf-8-sig")),
    "UTF-16": response(202, json.dumps(STARTED).encode("utf-16")),
    "a comment behind it": response(202, json.dumps(STARTED).encode() + b"<!-- cache 7 -->"),
    "unknown numbers": response(202, json.dumps(STARTED | {"x": float("nan")}).encode()),
}


@pytest.mark.parametrize("incoming", READABLE.values(), ids=READABLE)
def test_response_to_a_start_is_read_in_any_encoding(incoming: Response) -> None:
    assert result(incoming) == structure(STARTED, RecordingStarted)


def test_latin_1_body_is_read() -> None:
    started = result(response(202, '{"api_id": "a", "recording_id": "r", "message": "démarré"}'.encode("latin-1")))
    assert started == RecordingStarted(api_id="a", recording_id="r", message="démarré")


def test_stop_of_a_stopped_recording() -> None:
    assert read_already_stopped(response(404, {"api_id": API_ID, "error": "x"})) == RecordingStopped(api_id=API_ID)
    assert read_already_stopped(response(404, HTML)) == RecordingStopped()


def test_deletion_returns_none() -> None:
    result(response(204), read_nothing)
    assert isinstance(error_of(response(404)), NotFoundError)


def test_recordings_and_conferences_are_read() -> None:
    assert result(response(200, {"recording_id": "r"}), read_recording) == Recording(recording_id="r")
    conference: dict[str, Any] = {"conference_name": "standup", "members": []}
    assert result(response(200, conference), read_conference) == Conference(conference_name="standup")
    names = {"api_id": API_ID, "conferences": ["My Conf Room"]}
    assert result(response(200, names), read_conference_names) == ["My Conf Room"]


ROW = {"recording_id": "r"}


PAGES: dict[str, tuple[dict[str, Any], Page]] = {
    "as documented": (
        {"meta": {"limit": 20, "next": "/x?offset=20", "offset": 0, "total_count": 21}, "objects": [ROW]},
        Page(rows=(Recording(recording_id="r"),), next="/x?offset=20", limit=20, total=21),
    ),
    "the last": (
        {"meta": {"limit": "5", "next": None, "total_count": "1.0"}, "objects": [ROW]},
        Page(rows=(Recording(recording_id="r"),), ends=True, limit=5, total=1),
    ),
    "an odd meta": (
        {"meta": {"limit": "many", "next": ["x"], "total_count": -1}, "objects": []},
        Page(),
    ),
    "no object as meta": ({"meta": [], "objects": []}, Page()),
    "no meta": ({"objects": []}, Page()),
    "no rows, as Go writes them": ({"objects": None}, Page()),
    "odd rows": (
        {"objects": [None, 17, [ROW], {}, ROW, {"recording_id": None, "add_time": "soon"}]},
        Page(rows=(*[Recording()] * 4, Recording(recording_id="r"), Recording())),
    ),
}


@pytest.mark.parametrize(("body", "page"), PAGES.values(), ids=PAGES)
def test_pages_of_recordings_are_read(body: dict[str, Any], page: Page) -> None:
    assert result(response(200, body), read_recordings) == page


def test_row_keeps_all_its_fields_in_raw() -> None:
    objects: list[Any] = [None, 17, {"x": 1}]
    rows = result(response(200, {"objects": objects}), read_recordings).rows
    assert [row.raw for row in rows] == [{"row": None}, {"row": 17}, {"x": 1}]


def test_malformed_conference_names_do_not_hide_the_others() -> None:
    names: dict[str, Any] = {"conferences": ["a", None, 17, True, {}, ""]}
    assert result(response(200, names), read_conference_names) == ["a", "17"]


SENSELESS_LISTS: list[tuple[Any, dict[str, Any], str]] = [
    (read_recordings, {}, "'objects' in the response is not a list: None"),
    (read_recordings, {"objects": "none"}, "'objects' in the response is not a list: 'none'"),
    (read_recordings, {"objects": {"recording_id": "r"}}, "'objects' in the response is not a list"),
    (read_conference_names, {"conferences": 17}, "'conferences' in the response is not a list"),
    (read_conference, {"members": []}, "no valid 'conference_name'"),
    (read_conference, {"conference_name": True}, "no valid 'conference_name'"),
]


@pytest.mark.parametrize(("reader", "body", "words"), SENSELESS_LISTS)
def test_unreadable_list_raises_unexpected_response_error(reader: Any, body: dict[str, Any], words: str) -> None:
    with pytest.raises(UnexpectedResponseError, match=words):
        result(response(200, body), reader, repeatable=True)


def test_truncated_body_is_not_read() -> None:
    with pytest.raises(ValueError, match="the response ended after 2 bytes"):
        read_pending(Response(status=202, body=b"{}", complete=False))


TRANSCRIPT = {
    "api_id": API_ID,
    "cost": 0.05,
    "rate": 0.05,
    "recording_duration_ms": 22780,
    "recording_start_ms": 1407235163907,
    "status": "success",
    "transcription": "Hello everybody.",
}
"""https://plivo.com/docs/voice/api/recordings.md"""


def test_transcript_is_read_with_its_numbers() -> None:
    transcription = result(response(200, TRANSCRIPT), read_transcription)
    assert transcription == Transcription(
        transcription="Hello everybody.", status="success", duration_ms=22780, cost=0.05, rate=0.05
    )
    assert transcription.raw == TRANSCRIPT


@pytest.mark.parametrize("status", [200, 201, 202])
def test_request_for_a_transcript_is_accepted_with_any_success_status(status: int) -> None:
    body = {"api_id": API_ID, "message": "transcription in progress"}
    requested = result(response(status, body), read_transcription_requested)
    assert requested == TranscriptionRequested(api_id=API_ID, message="transcription in progress")
    assert requested.raw == body


def test_request_for_a_transcript_without_an_api_id_counts_as_executed() -> None:
    error = error_of(response(202, HTML))
    assert isinstance(error, UnexpectedResponseError)
    assert not error.repeatable
