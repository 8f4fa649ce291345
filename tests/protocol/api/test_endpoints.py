"""Each endpoint: the method, the path and the body of its request, and how its response is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plivo_record_async import RecordClient
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.api.results import (
    read_conference,
    read_conference_names,
    read_nothing,
    read_pending,
    read_recordings,
    read_started,
)
from plivo_record_async.protocol.models import PendingResponse, RecordingStopped, StartRequest, StopRequest

CALLBACK = "https://me.example/cb?room=a%20b&x=ä%2F#ct=2000&rt=3000&rc=5&rp=5xx,ct"

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda name: name not in {".", ".."})


def segments(request: Request[Any]) -> list[str]:
    """Return the segments of a path as a server reads them: it splits the path before it decodes them."""
    path = request.path.partition("?")[0]
    return [unquote(segment, errors="strict") for segment in path.split("/")]


def query(request: Request[Any]) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(request.path).query, strict_parsing=True, keep_blank_values=True)


@given(NAMES)
@example("a/b c?x#y")
@example("100%")
@example("%2F")
@example("+ &=;")
@example("...")
@example("über 🎙")
@example("\x00\r\n")
def test_any_name_is_one_path_segment(name: str) -> None:
    record: list[Request[Any]] = [
        endpoints.start_recording(StartRequest(name)),
        endpoints.stop_recording(StopRequest(name)),
        endpoints.stop_recording(StopRequest(name, callback_url=CALLBACK)),
    ]
    for request in record:
        assert segments(request) == ["", "Conference", name, "Record", ""]
        assert request.path.isascii()
        assert request.path.isprintable()
    assert segments(endpoints.get_conference(name)) == ["", "Conference", name, ""]
    assert segments(endpoints.get_recording(name)) == ["", "Recording", name, ""]
    assert segments(endpoints.delete_recording(name)) == ["", "Recording", name, ""]


def test_start_posts_the_given_arguments_as_json() -> None:
    request = endpoints.start_recording(StartRequest("standup", file_format="wav", callback_url=CALLBACK))
    assert (request.method, request.repeatable) == ("POST", False)
    assert json.loads(request.body or b"") == {"file_format": "wav", "callback_url": CALLBACK}


def test_a_start_without_arguments_posts_an_empty_object() -> None:
    assert endpoints.start_recording(StartRequest("standup")).body == b"{}"


def test_a_callback_url_stays_byte_for_byte_in_json() -> None:
    url = "https://me.example/a%2Fb?q=%C3%A4+c&&x#ct=2000"
    body = endpoints.start_recording(StartRequest("standup", callback_url=url)).body or b""
    assert f'"callback_url": "{url}"'.encode() in body


def test_stop_has_its_arguments_in_the_query_and_no_body() -> None:
    request = endpoints.stop_recording(StopRequest("standup", callback_url=CALLBACK, callback_method="GET"))
    assert (request.method, request.repeatable, request.body) == ("DELETE", True, None)
    assert query(request) == [("callback_url", CALLBACK), ("callback_method", "GET")]
    assert endpoints.stop_recording(StopRequest("standup")).path == "/Conference/standup/Record/"


def test_mode_decides_how_the_response_is_read() -> None:
    assert endpoints.start_recording(StartRequest("x")).read is read_started
    assert endpoints.start_recording(StartRequest("x", callback_url=CALLBACK)).read is read_pending
    response = Response(status=204)
    assert endpoints.stop_recording(StopRequest("x")).read(response) == RecordingStopped()
    with pytest.raises(ValueError, match="empty"):
        endpoints.stop_recording(StopRequest("x", callback_url=CALLBACK)).read(response)


def test_404_after_an_unknown_attempt_means_success_only_for_stop_and_delete() -> None:
    gone = Response(status=404, body=b'{"api_id": "a", "error": "not found"}')
    assert endpoints.start_recording(StartRequest("x")).read_already_executed is None
    assert endpoints.get_recording("r").read_already_executed is None
    stop = endpoints.stop_recording(StopRequest("x")).read_already_executed
    stop_async = endpoints.stop_recording(StopRequest("x", callback_url=CALLBACK)).read_already_executed
    delete = endpoints.delete_recording("r").read_already_executed
    assert stop is not None
    assert stop_async is not None
    assert delete is not None
    assert stop(gone) == RecordingStopped(api_id="a")
    assert stop(Response(status=404)) == RecordingStopped()
    assert stop_async(gone) == PendingResponse("a")
    with pytest.raises(ValueError, match="empty"):
        stop_async(Response(status=404))
    delete(gone)


@pytest.mark.parametrize(
    ("request_", "method", "path", "read"),
    [
        (endpoints.delete_recording("r"), "DELETE", "/Recording/r/", read_nothing),
        (endpoints.get_conference("My Conf Room"), "GET", "/Conference/My%20Conf%20Room/", read_conference),
        (endpoints.list_conferences(), "GET", "/Conference/", read_conference_names),
        (endpoints.list_recordings(), "GET", "/Recording/?limit=20&offset=0", read_recordings),
    ],
)
def test_lookups_and_deletions_are_repeatable(request_: Request[Any], method: str, path: str, read: object) -> None:
    assert (request_.method, request_.path, request_.read) == (method, path, read)
    assert request_.repeatable
    assert request_.body is None


def test_recording_without_an_id_gets_the_requested_id() -> None:
    request = endpoints.get_recording("r/1")
    assert (request.method, request.path, request.body, request.repeatable) == ("GET", "/Recording/r%2F1/", None, True)
    answers: list[dict[str, Any]] = [{}, {"recording_id": None}, {"recording_id": "another"}]
    for answered, read in zip(answers, ["r/1", "r/1", "another"], strict=True):
        assert request.read(Response(status=200, body=json.dumps({**answered, "x": 1}).encode())).recording_id == read


def test_transcript_without_a_recording_id_gets_the_requested_id() -> None:
    request = endpoints.get_transcription("r/1")
    assert (request.method, request.path, request.body) == ("GET", "/Transcription/r%2F1/", None)
    assert request.repeatable
    assert request.read(Response(status=200, body=b'{"status": "success"}')).recording_id == "r/1"


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (None, {}),
        ("https://me.example/t?a=%20#rc=5", {"transcription_callback_url": "https://me.example/t?a=%20#rc=5"}),
    ],
)
def test_request_for_a_transcript_is_a_post_that_is_not_repeatable(url: str | None, body: dict[str, str]) -> None:
    request = endpoints.create_transcription("r/1", callback_url=url)
    assert (request.method, request.path) == ("POST", "/Transcription/r%2F1/")
    assert json.loads(request.body or b"") == body
    assert not request.repeatable
    assert "Plivo bills both" in (request.warning or "")


def test_filters_are_in_utc_and_only_those_that_were_given() -> None:
    request = endpoints.list_recordings(
        conference_name="a&b=c",
        added_after=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        added_before=datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
        page={"limit": "5", "offset": "40", "cursor": "x", "conference_name": "another"},
    )
    assert query(request) == [
        ("conference_name", "a&b=c"),
        ("add_time__gte", "2026-01-01 21:34:05.000000"),
        ("add_time__lte", "2026-01-02 03:04:05.000678"),
        ("limit", "5"),
        ("offset", "40"),
        ("cursor", "x"),
    ]


@pytest.mark.parametrize("name", ["", ".", "..", "\ud800"])
def test_names_and_ids_that_cannot_be_path_segments_raise(name: str) -> None:
    for make in (
        endpoints.get_recording,
        endpoints.delete_recording,
        endpoints.get_transcription,
        endpoints.create_transcription,
        endpoints.get_conference,
    ):
        with pytest.raises(ValueError, match=r"^(recording_id|conference_name) "):
            make(name)
    with pytest.raises(ValueError, match=r"^conference_name "):
        endpoints.list_recordings(conference_name=name)


def test_naive_time_filters_raise() -> None:
    with pytest.raises(ValueError, match=r"^added_after must be aware"):
        endpoints.list_recordings(added_after=datetime(2026, 1, 2))  # noqa: DTZ001 - the point
    with pytest.raises(ValueError, match=r"^added_before must be aware"):
        endpoints.list_recordings(added_before=datetime(2026, 1, 2))  # noqa: DTZ001 - the point


@pytest.mark.parametrize(
    "request_",
    [
        endpoints.start_recording(StartRequest("standup")),
        endpoints.stop_recording(StopRequest("standup", callback_url=CALLBACK)),
        endpoints.get_recording("r1"),
        endpoints.delete_recording("r1"),
        endpoints.list_recordings(),
        endpoints.get_transcription("r1"),
        endpoints.create_transcription("r1"),
        endpoints.get_conference("standup"),
        endpoints.list_conferences(),
    ],
    ids=lambda request: request.name,
)
def test_request_has_the_name_of_a_method_of_the_client_and_a_route_without_values(request_: Request[Any]) -> None:
    assert hasattr(RecordClient, request_.name)
    route = request_.route.format(conference_name="standup", recording_id="r1")
    assert route == request_.path.partition("?")[0]
    assert request_.conference_name == ("standup" if "{conference_name}" in request_.route else None)
