"""PURE: from an HTTP request to Plivo's API to the answer and the callbacks to deliver.

https://plivo.com/docs/account/api/overview.md
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import attrs

from plivo_record_async.emulator.account.arguments import RefusedError, choice_argument, parse_arguments, url_argument
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.world import Result, World
from plivo_record_async.emulator.api.listing import listing

__all__ = ["ApiReply", "ApiRequest", "authority_of", "handle_request", "segments"]


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


@attrs.frozen(kw_only=True)
class ApiReply:
    """The answer to a request, and the callbacks that follow from it.

    Attributes:
        status: The HTTP status.
        body: The body: JSON, or a text of HTML. If None, the answer has no body.
        headers: The headers of the answer.
        callbacks: The callbacks to deliver now.
    """

    status: int
    body: Mapping[str, Any] | str | None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    callbacks: tuple[Callback, ...] = ()


Endpoint = Callable[[World, ApiRequest, list[str], Mapping[str, Any]], Result]
"""What one method does with one resource: from world, request, names in the path and arguments to a result."""


def _start(world: World, request: ApiRequest, names: list[str], given: Mapping[str, Any]) -> Result:
    return world.start(names[0], given, now=request.now, api_id=request.api_id, recording_id=request.recording_id)


def _stop(world: World, request: ApiRequest, names: list[str], _given: Mapping[str, Any]) -> Result:
    return world.stop(names[0], now=request.now, api_id=request.api_id)


def _list_conferences(world: World, request: ApiRequest, _names: list[str], _given: Mapping[str, Any]) -> Result:
    live = [conference.name for conference in world.conferences.values() if conference.live]
    return Result(body={"api_id": request.api_id, "conferences": live})


def _get_conference(world: World, request: ApiRequest, names: list[str], _given: Mapping[str, Any]) -> Result:
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


def _list_recordings(world: World, request: ApiRequest, _names: list[str], given: Mapping[str, Any]) -> Result:
    path = f"{world.account_path}/Recording/"
    page = listing(world.recordings.values(), given, path=path, now=request.now)
    return Result(body={"api_id": request.api_id, **page})


def _get_recording(world: World, request: ApiRequest, names: list[str], _given: Mapping[str, Any]) -> Result:
    return Result(body={**world.ended_recording(names[0]).resource(), "api_id": request.api_id})


def _delete_recording(world: World, request: ApiRequest, names: list[str], _given: Mapping[str, Any]) -> Result:
    del world.recordings[world.ended_recording(names[0]).recording_id]
    return Result(status=HTTPStatus.NO_CONTENT, body={"api_id": request.api_id})


ENDPOINTS: Mapping[tuple[str, ...], Mapping[str, Endpoint]] = {
    ("Conference",): {"GET": _list_conferences},
    ("Conference", "*"): {"GET": _get_conference},
    ("Conference", "*", "Record"): {"POST": _start, "DELETE": _stop},
    ("Recording",): {"GET": _list_recordings},
    ("Recording", "*"): {"GET": _get_recording, "DELETE": _delete_recording},
}
"""Every resource by its path under the account. ``*`` stands for a name or an ID."""


def handle_request(world: World, request: ApiRequest, *, auth_token: str) -> ApiReply:
    """Execute a request and return Plivo's answer."""
    fault = world.faults.popleft() if world.faults else None
    try:
        if fault is None:
            return _execute(world, request, auth_token)
        callbacks = _execute(world, request, auth_token).callbacks if fault.executed else ()
        body = world.dialect.refusal(fault.phrase, request.api_id)
        headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
        return ApiReply(status=fault.status, body=body, headers=headers, callbacks=callbacks)
    except RefusedError as refusal:
        # The one error that is known to come without an api_id: https://github.com/plivo/plivo-php/pull/367
        api_id = None if refusal.status == HTTPStatus.UNAUTHORIZED else request.api_id
        body = world.dialect.refusal(refusal.error, api_id)
        return ApiReply(status=refusal.status, body=body, headers=refusal.headers)


_ABSOLUTE = re.compile(rb"(?i:https?)://([^/]*)")
"""The beginning of a request target that is a whole URL: https://www.rfc-editor.org/rfc/rfc9112#name-absolute-form"""


def authority_of(raw_path: bytes) -> str | None:
    """Return host and port of a request target that is a whole URL, or None if the target is a path."""
    absolute = _ABSOLUTE.match(raw_path)
    return absolute and absolute[1].decode("latin-1")


def segments(raw_path: bytes) -> list[str]:
    """Return the segments of a path as it was sent. Each is decoded on its own, so ``a%2Fb`` is one segment.

    Returns:
        An empty list if the path is not UTF-8, because no resource has such a path.
    """
    try:
        absolute = _ABSOLUTE.match(raw_path)
        path = raw_path[absolute.end() if absolute else 0 :].decode("ascii").removeprefix("/")
        return [unquote(segment, errors="strict") for segment in path.split("/")]
    except UnicodeDecodeError:
        return []


def _execute(world: World, request: ApiRequest, auth_token: str) -> ApiReply:
    match request.path:
        case ["v1", "Account", auth_id, *resource, ""]:
            _authenticate(world, auth_id, request.authorization, auth_token)
        case _:
            raise RefusedError(404, "not found")
    for pattern, methods in ENDPOINTS.items():
        if len(pattern) == len(resource) and all(
            want == have if want != "*" else have for want, have in zip(pattern, resource, strict=True)
        ):
            names = [have for want, have in zip(pattern, resource, strict=True) if want == "*"]
            return _run_endpoint(world, request, names, methods)
    raise RefusedError(404, "not found")


def _authenticate(world: World, auth_id: str, authorization: str | None, auth_token: str) -> None:
    expected = base64.b64encode(f"{world.auth_id}:{auth_token}".encode()).decode()
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() != "basic" or credentials.strip() != expected or auth_id != world.auth_id:
        challenge = {"WWW-Authenticate": 'Basic realm="Plivo"'}
        raise RefusedError(401, "authentication credentials were not provided", headers=challenge)


def _run_endpoint(world: World, request: ApiRequest, names: list[str], methods: Mapping[str, Endpoint]) -> ApiReply:
    if request.method not in methods:
        raise RefusedError(405, "method not allowed", headers={"Allow": ", ".join(methods)})
    endpoint = methods[request.method]
    given = parse_arguments(request.method, request.query, request.body)
    callback_url = url_argument(given, "callback_url")
    callback_method = choice_argument(given, "callback_method", ("GET", "POST"), "POST")
    if callback_url is None:
        result = endpoint(world, request, names, given)
        body = None if result.status == HTTPStatus.NO_CONTENT else result.body
        return ApiReply(status=result.status, body=body, callbacks=result.callbacks)
    result = _result_in_background(endpoint, world, request, names, given)
    response = Callback(
        kind="response",
        url=callback_url,
        method=callback_method,
        fields={"response": json.dumps(result.body)},
        api_id=request.api_id,
    )
    spawned = {"api_id": request.api_id, "message": "async api spawned"}
    return ApiReply(status=world.dialect.async_status, body=spawned, callbacks=(response, *result.callbacks))


def _result_in_background(
    endpoint: Endpoint, world: World, request: ApiRequest, names: list[str], given: Mapping[str, Any]
) -> Result:
    """Execute a request in asynchronous mode.

    Invalid arguments are refused at once. All other errors are reported by the callback.
    """
    try:
        return endpoint(world, request, names, given)
    except RefusedError as refusal:
        if refusal.status == HTTPStatus.BAD_REQUEST:
            raise
        return Result(body={"api_id": request.api_id, "error": refusal.error})
