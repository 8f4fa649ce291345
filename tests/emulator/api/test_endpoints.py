from __future__ import annotations

from datetime import UTC, datetime

import pytest

from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.api.endpoints import ENDPOINTS, Route, endpoints_at, route_of

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
