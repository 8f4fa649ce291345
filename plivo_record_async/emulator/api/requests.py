"""PURE: from an HTTP request to Plivo's API to the answer and the callbacks to deliver.

https://plivo.com/docs/account/api/overview.md
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import attrs

from plivo_record_async.emulator.account.arguments import RefusedError, choice_argument, parse_arguments, url_argument
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.account.world import Conference, Result, World
from plivo_record_async.emulator.api.endpoints import ApiRequest, Endpoint, Execute, endpoints_at, route_of

__all__ = ["ApiReply", "handle_request"]


@attrs.frozen(kw_only=True)
class ApiReply:
    """The answer to a request, and the callbacks that follow from it.

    Attributes:
        status: The HTTP status.
        body: The body: JSON, or a text of HTML. If None, the answer has no body.
        headers: The headers of the answer.
        callbacks: The callbacks to deliver now.
        changed: The conference and the recordings that changed, as they are now.
        executed: Whether the request was executed.
    """

    status: int
    body: Mapping[str, Any] | str | None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    callbacks: tuple[Callback, ...] = ()
    changed: tuple[Conference | Recording, ...] = ()
    executed: bool = False


def handle_request(world: World, request: ApiRequest, *, auth_token: str) -> ApiReply:
    """Execute a request and return Plivo's answer.

    Args:
        world: The account.
        request: The request.
        auth_token: The account's token.
    """
    fault = world.faults.popleft() if world.faults else None
    try:
        if fault is None:
            return _execute(world, request, auth_token)
        done = _execute(world, request, auth_token) if fault.executed else ApiReply(status=fault.status, body=None)
        body = world.dialect.refusal(fault.phrase, request.api_id)
        headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
        return attrs.evolve(done, status=fault.status, body=body, headers=headers)
    except RefusedError as refusal:
        # The one error that is known to come without an api_id: https://github.com/plivo/plivo-php/pull/367
        api_id = None if refusal.status == HTTPStatus.UNAUTHORIZED else request.api_id
        body = world.dialect.refusal(refusal.error, api_id)
        return ApiReply(status=refusal.status, body=body, headers=refusal.headers)


def _execute(world: World, request: ApiRequest, auth_token: str) -> ApiReply:
    match request.path:
        case ["v1", "Account", auth_id, *resource, ""]:
            _authenticate(world, auth_id, request.authorization, auth_token)
        case _:
            raise RefusedError(404, "not found")
    names, methods = endpoints_at(resource)
    if not methods:
        raise RefusedError(404, "not found")
    return _run_endpoint(world, request, names, methods)


def _authenticate(world: World, auth_id: str, authorization: str | None, auth_token: str) -> None:
    expected = base64.b64encode(f"{world.auth_id}:{auth_token}".encode()).decode()
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() != "basic" or credentials.strip() != expected or auth_id != world.auth_id:
        challenge = {"WWW-Authenticate": 'Basic realm="Plivo"'}
        raise RefusedError(401, "authentication credentials were not provided", headers=challenge)


def _run_endpoint(world: World, request: ApiRequest, names: Sequence[str], methods: Mapping[str, Endpoint]) -> ApiReply:
    if request.method not in methods:
        raise RefusedError(405, "method not allowed", headers={"Allow": ", ".join(methods)})
    execute = methods[request.method].execute
    given = parse_arguments(request.method, request.query, request.body)
    callback_url = url_argument(given, "callback_url")
    callback_method = choice_argument(given, "callback_method", ("GET", "POST"), "POST")
    if callback_url is None:
        result = execute(world, request, names, given)
        body = None if result.status == HTTPStatus.NO_CONTENT else result.body
        return ApiReply(
            status=result.status, body=body, callbacks=result.callbacks, changed=result.changed, executed=True
        )
    route = route_of(world, request.method, request.path)
    result = _result_in_background(execute, world, request, names, given)
    response = Callback(
        kind="response",
        url=callback_url,
        method=callback_method,
        fields={"response": json.dumps(result.body)},
        api_id=request.api_id,
        conference_name=route.conference_name,
        recording_id=request.recording_id if route.operation == "start" else route.recording_id,
    )
    spawned = {"api_id": request.api_id, "message": "async api spawned"}
    return ApiReply(
        status=world.dialect.async_status,
        body=spawned,
        callbacks=(response, *result.callbacks),
        changed=result.changed,
        executed="error" not in result.body,
    )


def _result_in_background(
    execute: Execute, world: World, request: ApiRequest, names: Sequence[str], given: Mapping[str, Any]
) -> Result:
    """Execute a request in asynchronous mode.

    Invalid arguments are refused at once. All other errors are reported by the callback.
    """
    try:
        return execute(world, request, names, given)
    except RefusedError as refusal:
        if refusal.status == HTTPStatus.BAD_REQUEST:
            raise
        return Result(body={"api_id": request.api_id, "error": refusal.error})
