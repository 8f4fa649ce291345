"""The emulator over HTTP: Plivo's API, the recorded files, and the emulator's own control API.

The control API is under ``/__emulator__/``. It needs no credentials, and web pages cannot use it (see `access`):

- ``GET /__emulator__/state``: conferences, recordings, and every attempt to deliver a callback.
- ``POST /__emulator__/conferences/{name}``: make a conference live, as if somebody had joined it.
- ``POST /__emulator__/conferences/{name}/end``: end a conference and its recordings, and deliver the callbacks.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import attrs
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from plivo_record_async import _clock
from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.media import byte_range, media_file
from plivo_record_async.emulator.account.world import Result, World
from plivo_record_async.emulator.api.requests import ApiRequest, authority_of, handle_request, segments
from plivo_record_async.emulator.control.access import CONTROL_HEADER, own_addresses, refuse_web_pages
from plivo_record_async.emulator.deliveries.deliverer import DeliveryAttempt

__all__ = ["EmulatorApp"]

_logger = logging.getLogger(__name__)


@attrs.frozen(kw_only=True, eq=False)
class EmulatorApp:
    """An ASGI application around one world.

    The application does not use Starlette's router, which reads only the decoded path: there ``a%2Fb`` is two segments,
    and a name must not contain a line break.

    Attributes:
        world: The account.
        auth_token: The account's token.
        send_soon: The function that begins to deliver a callback.
        host: The name or address that the server was told to listen on.
        attempts: Every attempt to deliver a callback so far.
    """

    world: World
    auth_token: str
    send_soon: Callable[[Callback], None]
    host: str = "localhost"
    attempts: list[DeliveryAttempt] = attrs.field(factory=list[DeliveryAttempt])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return  # the client has disconnected, so no answer is possible
        response = self._respond(request, body)
        response.headers["Date"] = format_datetime(_clock.now(), usegmt=True)  # as Plivo's answers have it
        _logger.info("%s %s %d", request.method, scope["raw_path"].decode("latin-1"), response.status_code)
        await response(scope, receive, send)

    def state(self) -> dict[str, Any]:
        """Return everything that has happened so far, as JSON values."""
        return {
            "conferences": {
                each.name: {"executed_starts": each.executed_starts, "recording": bool(each.running)}
                for each in list(self.world.conferences.values())
            },
            "recordings": [
                {**_plain(each), "duration_ms": each.duration_ms if each.ended_at else None}
                for each in list(self.world.recordings.values())
            ],
            "deliveries": [_plain(each) for each in list(self.attempts)],
        }

    def end_conference(self, name: str) -> Mapping[str, Any]:
        """End a conference and begin to deliver the callbacks.

        Raises:
            RefusedError: 404, no conference of this name is live.
        """
        return self._settle(self.world.end(name, now=_clock.now()))

    def open_conference(self, name: str) -> Mapping[str, Any]:
        """Make a conference live."""
        return self._settle(self.world.open(name, now=_clock.now()))

    def _settle(self, result: Result) -> Mapping[str, Any]:
        for callback in result.callbacks:
            self.send_soon(callback)
        return result.body

    def _respond(self, request: Request, body: bytes) -> Response:
        path = segments(request.scope["raw_path"])
        match [request.method, *path]:
            case ["GET" | "HEAD", "v1", "Account", _, "Recording", file] if file:
                return self._media(request.method, path, request.headers.get("range"))
            case [_, "__emulator__", *resource]:
                return self._control(request, resource)
            case _:
                return self._api(request, path, body)

    def _control(self, request: Request, resource: list[str]) -> Response:
        server, port = request.scope["server"]
        address = authority_of(request.scope["raw_path"])
        headers = request.headers
        try:
            refuse_web_pages(
                request.method,
                hosts=[*headers.getlist("host"), *([] if address is None else [address])],
                origins=headers.getlist("origin"),
                content_types=headers.getlist("content-type"),
                control_headers=headers.getlist(CONTROL_HEADER),
                own=own_addresses((self.host, server), port or 80),
            )
            match [request.method, *resource]:
                case ["GET" | "HEAD", "state"]:
                    return JSONResponse(self.state())
                case ["POST", "conferences", name] if name:
                    return JSONResponse(self.open_conference(name))
                case ["POST", "conferences", name, "end"] if name:
                    return JSONResponse(self.end_conference(name))
                case _:
                    return JSONResponse({"error": "not found"}, status_code=404)
        except RefusedError as refusal:
            return JSONResponse({"error": refusal.error}, status_code=refusal.status)

    def _api(self, request: Request, path: list[str], body: bytes) -> Response:
        api_request = ApiRequest(
            method=request.method,
            path=path,
            query=request.scope["query_string"].decode("latin-1"),
            body=body,
            authorization=request.headers.get("authorization"),
            now=_clock.now(),
            api_id=str(uuid4()),
            recording_id=str(uuid4()),
        )
        reply = handle_request(self.world, api_request, auth_token=self.auth_token)
        for callback in reply.callbacks:
            self.send_soon(callback)
        if reply.body is None:
            return Response(status_code=reply.status, headers=reply.headers)
        if isinstance(reply.body, str):
            return HTMLResponse(reply.body, status_code=reply.status, headers=reply.headers)
        return JSONResponse(reply.body, status_code=reply.status, headers=reply.headers)

    def _media(self, method: str, path: list[str], wanted: str | None) -> Response:
        """Return a recorded file. As at Plivo, no credentials are needed."""
        *_, auth_id, _resource, file = path
        recording = self.world.recordings.get(file.rpartition(".")[0])
        if (
            recording is None
            or recording.ended_at is None
            or (auth_id, file) != (self.world.auth_id, f"{recording.recording_id}.{recording.file_format}")
        ):
            return JSONResponse({"error": "not found"}, status_code=404)
        media = media_file(recording.file_format, recording.duration_ms)
        part = byte_range(wanted, media.length)
        if part is None:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{media.length}"})
        start, stop = part
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(stop - start)}
        if part != (0, media.length):
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{media.length}"
        status = 206 if "Content-Range" in headers else 200
        if method == "HEAD":
            return Response(status_code=status, headers=headers, media_type=media.media_type)
        pieces = _each(media.read(start, stop))
        return StreamingResponse(pieces, status_code=status, headers=headers, media_type=media.media_type)


async def _each(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces without the thread in which Starlette would iterate over them."""
    for piece in pieces:
        yield piece


def _plain(value: Any) -> dict[str, Any]:
    """Return an attrs value as JSON values, with times in ISO 8601."""
    return attrs.asdict(
        value, value_serializer=lambda _o, _a, each: each.isoformat() if isinstance(each, datetime) else each
    )
