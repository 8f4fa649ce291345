from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.api.endpoints import ENDPOINTS, ApiRequest, Route, endpoints_at, route_of

ACCOUNT = ["v1", "Account", "MAXXXXXXXXXXXXXXXXXX"]


@pytest.fixture
def world() -> World:
    world = World(auth_id=ACCOUNT[2], url="http://h")
    world.start("standup", {}, now=datetime(2026, 5, 31, 12, tzinfo=UTC), api_id="a", recording_id="r")
    return world


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", ["Conference", "x", "Record", ""], Route(operation="start", names=("x",), conference_name="x")),
        ("DELETE", ["Conference", "x", "Record", ""], Route(operation="stop", names=("x",), conference_name="x")),
        ("GET", ["Conference", "x", ""], Route(operation="get", names=("x",), conference_name="x")),
        ("GET", ["Conference", ""], Route(operation="list")),
        ("GET", ["Recording", ""], Route(operation="list")),
        (
            "GET",
            ["Recording", "r", ""],
            Route(operation="get", names=("r",), conference_name="standup", recording_id="r"),
        ),
        ("DELETE", ["Recording", "unknown", ""], Route(operation="delete", names=("unknown",), recording_id="unknown")),
        (
            "GET",
            ["Transcription", "r", ""],
            Route(operation="get", names=("r",), conference_name="standup", recording_id="r"),
        ),
        (
            "POST",
            ["Transcription", "r", ""],
            Route(operation="transcribe", names=("r",), conference_name="standup", recording_id="r"),
        ),
        (
            "HEAD",
            ["Recording", "r.mp3"],
            Route(operation="media", names=("r.mp3",), conference_name="standup", recording_id="r"),
        ),
        ("POST", ["Recording", "r.mp3"], Route()),
        ("PUT", ["Conference", "x", "Record", ""], Route(names=("x",))),
        ("POST", ["Conference", "x", "Record"], Route()),
        ("GET", ["Nothing", ""], Route()),
    ],
)
def test_route_says_what_a_request_concerns(world: World, method: str, path: list[str], route: Route) -> None:
    assert route_of(world, method, [*ACCOUNT, *path]) == route


def test_names_in_a_path_are_not_empty() -> None:
    assert endpoints_at(["Conference", ""]) == ((), {})
    assert endpoints_at(["Conference", "x"]) == (("x",), ENDPOINTS["Conference", "*"])


def execute(world: World, method: str, *path: str) -> Any:
    names, endpoints = endpoints_at(path)
    request = ApiRequest(
        method=method,
        path=[*ACCOUNT, *path, ""],
        query="",
        body=b"",
        authorization=None,
        now=datetime(2026, 5, 31, 12, 0, 30, tzinfo=UTC),
        api_id="b",
        recording_id="s",
    )
    return endpoints[method].execute(world, request, names, {}).body


def test_endpoints_execute_their_operation(world: World) -> None:
    assert execute(world, "GET", "Conference") == {"api_id": "b", "conferences": ["standup"]}
    conference = execute(world, "GET", "Conference", "standup")
    assert (conference["conference_run_time"], conference["conference_member_count"]) == ("30", "1")
    assert execute(world, "POST", "Conference", "other", "Record")["recording_id"] == "s"
    execute(world, "DELETE", "Conference", "standup", "Record")
    assert [each["recording_id"] for each in execute(world, "GET", "Recording")["objects"]] == ["r"]
    recording = execute(world, "GET", "Recording", "r")
    assert (recording["recording_id"], recording["api_id"]) == ("r", "b")
    assert execute(world, "POST", "Transcription", "r") == {"api_id": "b", "message": "transcription in progress"}
    transcription = execute(world, "GET", "Transcription", "r")
    assert (transcription["status"], transcription["api_id"]) == ("success", "b")
    execute(world, "DELETE", "Recording", "r")
    assert execute(world, "GET", "Recording")["objects"] == []
