"""The resources of Plivo's API, and what each method does with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import attrs

from plivo_record_async.emulator.account.transcription import transcription_resource
from plivo_record_async.emulator.account.world import Result, World
from plivo_record_async.emulator.api.listing import listing

__all__ = ["ENDPOINTS", "ApiRequest", "Endpoint", "Execute", "Operation", "Route", "endpoints_at", "route_of"]


@attrs.frozen(kw_only=True)
class ApiRequest:
    """One request to the API, with its time and the IDs that it may use.

    Attributes:
        method: The HTTP method.
        path: The segments of the path.
        query: The query as it was received.
        body: The body.
        authorization: The ``Authorization`` header.
        now: The time (aware).
        api_id: The ID of this request.
        recording_id: The ID of the recording, if the request starts one.
    """

    method: str
    path: Sequence[str]
    query: str = ""
    body: bytes = b""
    authorization: str | None = None
    now: datetime
    api_id: str
    recording_id: str


Operation = Literal["start", "stop", "get", "list", "delete", "transcribe", "media"]
"""What a request does."""


@attrs.frozen(kw_only=True)
class Route:
    """The endpoint of a request, and what the request concerns.

    Attributes:
        operation: What the request does. If None, nothing is at this address, or it does not support the method.
        names: The names and IDs in the path.
        conference_name: The conference that it concerns. If None, it concerns none.
        recording_id: The recording that it concerns. If None, it concerns none.
    """

    operation: Operation | None = None
    names: tuple[str, ...] = ()
    conference_name: str | None = None
    recording_id: str | None = None


Execute = Callable[[World, ApiRequest, Sequence[str], Mapping[str, Any]], Result]
"""A function that executes a request, given the account, the request, the names in its path, and its arguments."""


@attrs.frozen
class Endpoint:
    """What one method does with one resource.

    Attributes:
        operation: The name of the operation.
        execute: The function that executes it.
    """

    operation: Operation
    execute: Execute


def _start(world: World, request: ApiRequest, names: Sequence[str], given: Mapping[str, Any]) -> Result:
    return world.start(names[0], given, now=request.now, api_id=request.api_id, recording_id=request.recording_id)


def _stop(world: World, request: ApiRequest, names: Sequence[str], _given: Mapping[str, Any]) -> Result:
    return world.stop(names[0], now=request.now, api_id=request.api_id)


def _list_conferences(world: World, request: ApiRequest, _names: Sequence[str], _given: Mapping[str, Any]) -> Result:
    live = [conference.name for conference in world.conferences.values() if conference.live]
    return Result(body={"api_id": request.api_id, "conferences": live})


def _get_conference(world: World, request: ApiRequest, names: Sequence[str], _given: Mapping[str, Any]) -> Result:
    conference = world.conference(names[0], now=request.now)
    run_time = str(int((request.now - conference.opened_at).total_seconds()))
    member = {
        "muted": False,
        "member_id": "1",
        "deaf": False,
        "from": "14155550100",
        "to": "14155550199",
        "caller_name": "14155550100",
        "direction": "inbound",
        "call_uuid": world.call_uuid(conference.name),
        "join_time": run_time,
    }
    return Result(
        body={
            "api_id": request.api_id,
            "conference_name": conference.name,
            "conference_run_time": run_time,
            "conference_member_count": "1",
            "members": [member],
        }
    )


def _list_recordings(world: World, request: ApiRequest, _names: Sequence[str], given: Mapping[str, Any]) -> Result:
    path = f"{world.account_path}/Recording/"
    page = listing(world.recordings.values(), given, path=path, now=request.now)
    return Result(body={"api_id": request.api_id, **page})


def _get_recording(world: World, request: ApiRequest, names: Sequence[str], _given: Mapping[str, Any]) -> Result:
    return Result(body={**world.ended_recording(names[0]).resource(), "api_id": request.api_id})


def _delete_recording(world: World, request: ApiRequest, names: Sequence[str], _given: Mapping[str, Any]) -> Result:
    return world.delete(names[0], api_id=request.api_id)


def _get_transcription(world: World, request: ApiRequest, names: Sequence[str], _given: Mapping[str, Any]) -> Result:
    recording = world.ended_recording(names[0])
    return Result(body={**transcription_resource(recording, now=request.now), "api_id": request.api_id})


def _transcribe(world: World, request: ApiRequest, names: Sequence[str], given: Mapping[str, Any]) -> Result:
    return world.transcribe(names[0], given, now=request.now, api_id=request.api_id)


ENDPOINTS: Mapping[tuple[str, ...], Mapping[str, Endpoint]] = {
    ("Conference",): {"GET": Endpoint("list", _list_conferences)},
    ("Conference", "*"): {"GET": Endpoint("get", _get_conference)},
    ("Conference", "*", "Record"): {"POST": Endpoint("start", _start), "DELETE": Endpoint("stop", _stop)},
    ("Recording",): {"GET": Endpoint("list", _list_recordings)},
    ("Recording", "*"): {"GET": Endpoint("get", _get_recording), "DELETE": Endpoint("delete", _delete_recording)},
    ("Transcription", "*"): {
        "GET": Endpoint("get", _get_transcription),
        "POST": Endpoint("transcribe", _transcribe),
    },
}
"""Every resource by its path under the account. ``*`` stands for a name or an ID."""


def route_of(world: World, method: str, path: Sequence[str]) -> Route:
    """Return the endpoint of a request, whether or not the request will be executed.

    Args:
        world: The account.
        method: The HTTP method.
        path: The segments of the path.
    """
    match path:
        case ["v1", "Account", _, "Recording", file] if file and method in {"GET", "HEAD"}:
            return _recording_route(world, "media", (file,), file.rpartition(".")[0])
        case ["v1", "Account", _, *resource, ""]:
            names, methods = endpoints_at(resource)
        case _:
            return Route()
    endpoint = methods.get(method)
    if endpoint is None:
        return Route(names=names)
    if not names:
        return Route(operation=endpoint.operation)
    if resource[0] in {"Recording", "Transcription"}:
        return _recording_route(world, endpoint.operation, names, names[0])
    return Route(operation=endpoint.operation, names=names, conference_name=names[0])


def _recording_route(world: World, operation: Operation, names: tuple[str, ...], recording_id: str) -> Route:
    known = world.recordings.get(recording_id)
    conference_name = known.conference_name if known else None
    return Route(operation=operation, names=names, conference_name=conference_name, recording_id=recording_id)


def endpoints_at(resource: Sequence[str]) -> tuple[tuple[str, ...], Mapping[str, Endpoint]]:
    """Return the names and IDs in the path of a resource, and its endpoints by HTTP method."""
    for pattern, methods in ENDPOINTS.items():
        if len(pattern) != len(resource):
            continue
        pairs = list(zip(pattern, resource, strict=True))
        names = tuple(segment for expected, segment in pairs if expected == "*")
        if all(names) and all(segment == expected for expected, segment in pairs if expected != "*"):
            return names, methods
    return (), {}
