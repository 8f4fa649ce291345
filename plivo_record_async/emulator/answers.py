"""The answers to requests to the API and for recorded files, and their entries in the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from uuid import uuid4

import attrs
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from plivo_record_async.emulator.account.media import byte_range, media_file
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.api.endpoints import ApiRequest, Route
from plivo_record_async.emulator.api.requests import ApiReply, answer_error, handle_request
from plivo_record_async.emulator.control.control import Control
from plivo_record_async.emulator.faults.fault import Fault, phrase_of
from plivo_record_async.emulator.history.entries import ReceivedRequest, kept

__all__ = ["Answer", "Incoming", "answer_api", "answer_media"]

_UNANSWERED = frozenset({"reset_before_execution", "reset_after_execution", "stall", "cut"})


@attrs.frozen(kw_only=True)
class Incoming:
    """A request that was received.

    Attributes:
        request: The request.
        path: The segments of its path.
        body: Its body.
        route: Where it leads.
        fault: The fault that happens to it. If None, none does.
    """

    request: Request
    path: list[str]
    body: bytes
    route: Route
    fault: Fault | None

    @property
    def is_executed(self) -> bool:
        """Whether the request is executed: a fault may prevent it."""
        match self.fault:
            case Fault(do="reset_before_execution"):
                return False
            case Fault(do="status" | "stall", executed=executed):
                return executed
            case _:
                return True


@attrs.frozen
class Answer:
    """An answer.

    Attributes:
        response: The answer as HTTP.
        trailing: Bytes that are written after it, although HTTP does not allow them there.
    """

    response: Response
    trailing: bytes = b""


def answer_api(control: Control, incoming: Incoming, *, auth_token: str) -> Answer:
    """Execute a request to the API, deliver its callbacks, log it, and return the answer.

    Args:
        control: The emulator.
        incoming: The request.
        auth_token: The account's token.
    """
    request, fault = incoming.request, incoming.fault
    api_request = ApiRequest(
        method=request.method,
        path=incoming.path,
        query=request.scope["query_string"].decode("latin-1"),
        body=incoming.body,
        authorization=request.headers.get("authorization"),
        now=control.clock.now(),
        api_id=str(uuid4()),
        recording_id=str(uuid4()),
    )
    done = handle_request(control.world, api_request, auth_token=auth_token) if incoming.is_executed else None
    reply = _with_fault(control.world, api_request, fault, done)
    response = _http(reply)
    _note(control, incoming, response, reply=reply, api_request=api_request)
    control.history.note_changes(reply.changed)
    for callback in reply.callbacks:
        control.deliveries.send_soon(callback)
    return Answer(response, reply.trailing)


def _with_fault(world: World, request: ApiRequest, fault: Fault | None, done: ApiReply | None) -> ApiReply:
    """Return the answer that a fault leads to. An invalid request is refused in spite of the fault."""
    if fault is not None and fault.do == "status" and fault.status is not None and (done is None or done.executed):
        reply = answer_error(world, request, fault.status, phrase_of(fault.status), done=done)
        return reply if fault.retry_after is None else attrs.evolve(reply, headers={"Retry-After": fault.retry_after})
    return done or ApiReply(status=HTTPStatus.SERVICE_UNAVAILABLE, body=None)


def answer_media(control: Control, incoming: Incoming) -> Answer:
    """Return a recorded file, and log the request. As at Plivo, no credentials are needed.

    Args:
        control: The emulator.
        incoming: The request.
    """
    fault = incoming.fault
    if fault is not None and fault.do == "status" and fault.status is not None:
        headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
        response: Response = JSONResponse({"error": phrase_of(fault.status)}, fault.status, headers)
    else:
        response = _media(control.world, incoming.request, incoming.path)
    _note(control, incoming, response)
    return Answer(response)


def _media(world: World, request: Request, path: list[str]) -> Response:
    *_, auth_id, _resource, file = path
    recording = world.recordings.get(file.rpartition(".")[0])
    if (
        recording is None
        or recording.ended_at is None
        or (auth_id, file) != (world.auth_id, f"{recording.recording_id}.{recording.file_format}")
    ):
        return JSONResponse({"error": "not found"}, status_code=404)
    media = media_file(recording.file_format, recording.duration_ms)
    etag = f'"{recording.recording_id}-{media.length}"'
    is_same = request.headers.get("if-range", etag) == etag
    part = byte_range(request.headers.get("range") if is_same else None, media.length)
    if part is None:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{media.length}"})
    start, stop = part
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(stop - start), "ETag": etag}
    if part != (0, media.length):
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{media.length}"
    status = 206 if "Content-Range" in headers else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media.media_type)
    pieces = _each(media.read(start, stop))
    return StreamingResponse(pieces, status_code=status, headers=headers, media_type=media.media_type)


def _http(reply: ApiReply) -> Response:
    """Return the answer of the API as a response of HTTP."""
    if isinstance(reply.body, str):
        return HTMLResponse(reply.body, status_code=reply.status, headers=reply.headers)
    if reply.body is None:
        return Response(status_code=reply.status, headers=reply.headers)
    return JSONResponse(reply.body, status_code=reply.status, headers=reply.headers)


async def _each(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces without the thread in which Starlette would iterate over them."""
    for piece in pieces:
        yield piece


def _note(
    control: Control,
    incoming: Incoming,
    response: Response,
    *,
    reply: ApiReply | None = None,
    api_request: ApiRequest | None = None,
) -> None:
    """Add a request to the log. Of a file, the log has no body. An answer that is not sent is not logged."""
    history, route, fault = control.history, incoming.route, incoming.fault
    if not history.keep:
        return
    scope = incoming.request.scope
    started = route.operation == "start" and reply is not None and reply.executed
    sent = fault is None or fault.do not in _UNANSWERED
    content = bytes(response.body) if sent and reply is not None else b""
    history.note_request(
        ReceivedRequest(
            id=history.requests.next_id(),
            time=control.clock.now(),
            method=incoming.request.method,
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            operation=route.operation,
            conference_name=route.conference_name,
            recording_id=api_request.recording_id if started and api_request else route.recording_id,
            api_id=api_request.api_id if api_request else None,
            executed=reply.executed if reply is not None else response.status_code < HTTPStatus.BAD_REQUEST,
            fault=fault.do if fault else None,
            status=response.status_code if sent else None,
            raw_headers=tuple(scope["headers"]),
            raw_body=kept(incoming.body),
            body_bytes=len(incoming.body),
            raw_response_headers=tuple(response.raw_headers) if sent else (),
            raw_response_body=kept(content),
            response_bytes=int(response.headers.get("content-length", len(content))) if sent else 0,
        )
    )
