"""Turns an HTTP request to Plivo's API into the answer and the callbacks to deliver.

https://plivo.com/docs/account/api/overview.md
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

import attrs

from plivo_record_async.emulator.account.arguments import RefusedError, choice_argument, parse_arguments, url_argument
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.account.world import Conference, Result, World
from plivo_record_async.emulator.api.endpoints import ApiRequest, Endpoint, Execute, endpoints_at, route_of

__all__ = ["ApiReply", "answer_error", "handle_request"]


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
        trailing: Bytes that follow the answer, although HTTP does not allow them there.
    """

    status: int
    body: Mapping[str, Any] | str | None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    callbacks: tuple[Callback, ...] = ()
    changed: tuple[Conference | Recording, ...] = ()
    executed: bool = False
    trailing: bytes = b""


def handle_request(world: World, request: ApiRequest, *, auth_token: str) -> ApiReply:
    """Execute a request and return Plivo's answer.

    Args:
        world: The account.
        request: The request.
        auth_token: The account's token.
    """
    try:
        return _execute(world, request, auth_token)
    except RefusedError as refusal:
        # The one error that is known to come without an api_id: https://github.com/plivo/plivo-php/pull/367
        api_id = None if refusal.status == HTTPStatus.UNAUTHORIZED else request.api_id
        dialect = world.dialect_of(route_of(world, request.method, request.path).conference_name)
        body = dialect.refusal(refusal.error, api_id)
        return ApiReply(status=refusal.status, body=body, headers=refusal.headers)


def answer_error(world: World, request: ApiRequest, status: int, error: str, *, done: ApiReply | None) -> ApiReply:
    """Return an error as the answer to a request, whether or not it was executed.

    Args:
        world: The account.
        request: The request.
        status: The HTTP status of the error.
        error: The text of the error.
        done: The answer that is replaced. If None, the request was not executed.
    """
    dialect = world.dialect_of(route_of(world, request.method, request.path).conference_name)
    reply = ApiReply(status=status, body=None) if done is None else done
    return attrs.evolve(reply, status=status, body=dialect.refusal(error, request.api_id), headers={})


def _execute(world: World, request: ApiRequest, auth_token: str) -> ApiReply:
    match request.path:
        case ["v1", "Account", auth_id, *resource, ""]:
            _authenticate(world, auth_id, request.authorization, auth_token)
            _count(world, request)
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


def _count(world: World, request: ApiRequest) -> None:
    """Count a request against the quota of the account.

    Raises:
        RefusedError: 429, the quota is used up.
    """
    wait = None if world.quota is None else world.quota.admit(request.now)
    if wait is not None:
        conference_name = route_of(world, request.method, request.path).conference_name
        headers = {"Retry-After": str(ceil(wait))} if world.dialect_of(conference_name).retry_after else {}
        raise RefusedError(429, "too many requests", headers=headers)


def _run_endpoint(world: World, request: ApiRequest, names: Sequence[str], methods: Mapping[str, Endpoint]) -> ApiReply:
    if request.method not in methods:
        raise RefusedError(405, "method not allowed", headers={"Allow": ", ".join(methods)})
    execute = methods[request.method].execute
    given = parse_arguments(request.method, request.query, request.body)
    callback_url = url_argument(given, "callback_url")
    callback_method = choice_argument(given, "callback_method", ("GET", "POST"), "POST")
    route = route_of(world, request.method, request.path)
    dialect = world.dialect_of(route.conference_name)
    if callback_url is None or dialect.async_reply == "full":
        return _result_at_once(execute(world, request, names, given), dialect, shaped=request.method != "GET")
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
        status=dialect.async_status,
        body=dialect.success(spawned),
        callbacks=(response, *result.callbacks),
        changed=result.changed,
        executed="error" not in result.body,
    )


def _result_at_once(result: Result, dialect: Dialect, *, shaped: bool) -> ApiReply:
    """Return the result of a request as its answer. A 204 has no body, but some servers send one."""
    no_content = result.status == HTTPStatus.NO_CONTENT
    trailing = json.dumps(result.body).encode() if no_content and dialect.stop_body == "message" else b""
    return ApiReply(
        status=result.status,
        body=None if no_content else dialect.success(result.body) if shaped else result.body,
        headers={"Content-Type": "application/json", "Content-Length": str(len(trailing))} if trailing else {},
        callbacks=result.callbacks,
        changed=result.changed,
        executed=True,
        trailing=trailing,
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
