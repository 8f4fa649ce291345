"""The emulator over HTTP: Plivo's API, the recorded files, the control API, and the console."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from uuid import uuid4

import attrs
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.media import byte_range, media_file
from plivo_record_async.emulator.api.endpoints import ApiRequest, Route, route_of
from plivo_record_async.emulator.api.paths import authority_of, segments
from plivo_record_async.emulator.api.requests import ApiReply, handle_request
from plivo_record_async.emulator.console.files import read_console
from plivo_record_async.emulator.control.access import CONTROL_HEADER, own_addresses, refuse_web_pages
from plivo_record_async.emulator.control.routes import Control
from plivo_record_async.emulator.history.entries import ReceivedRequest, kept

__all__ = ["EmulatorApp"]

_CONSOLE = read_console()
_logger = logging.getLogger(__name__)


@attrs.frozen(kw_only=True, eq=False)
class EmulatorApp:
    """An ASGI application around one account.

    The application does not use Starlette's router, which reads only the decoded path: there ``a%2Fb`` is two segments,
    and a name must not contain a line break.

    Attributes:
        control: The account, its history, and what delivers its callbacks.
        auth_token: The account's token.
        host: The name or address that the server was told to listen on.
    """

    control: Control
    auth_token: str
    host: str = "localhost"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return  # the client has disconnected, so no answer is possible
        response = await self._respond(request, body)
        response.headers["Date"] = format_datetime(self.control.now(), usegmt=True)  # as Plivo's answers have it
        _logger.info("%s %s %d", request.method, scope["raw_path"].decode("latin-1"), response.status_code)
        await response(scope, receive, send)

    async def _respond(self, request: Request, body: bytes) -> Response:
        path = segments(request.scope["raw_path"])
        match path:
            case ["__emulator__", *resource]:
                return await self._control(request, resource)
            case [""] | ["console", _] if request.method in {"GET", "HEAD"} and (file := _CONSOLE.get(tuple(path))):
                return Response(file.content, headers=file.headers)
            case _:
                return self._api(request, path, body)

    async def _control(self, request: Request, resource: list[str]) -> Response:
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
            if [request.method, *resource] == ["GET", "events"]:
                events = self.control.history.events.listen(headers.get("last-event-id"))
                return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
            query = request.scope["query_string"].decode("latin-1")
            reply = await self.control.handle(request.method, resource, query)
        except RefusedError as refusal:
            return JSONResponse({"error": refusal.error}, status_code=refusal.status)
        return JSONResponse(reply.body, status_code=reply.status)

    def _api(self, request: Request, path: list[str], body: bytes) -> Response:
        control, now = self.control, self.control.now()
        route = route_of(control.world, request.method, path)
        if route.operation == "media":
            response = self._media(request.method, path, request.headers.get("range"))
            self._note(request, now, body, route, response)
            return response
        api_request = ApiRequest(
            method=request.method,
            path=path,
            query=request.scope["query_string"].decode("latin-1"),
            body=body,
            authorization=request.headers.get("authorization"),
            now=now,
            api_id=str(uuid4()),
            recording_id=str(uuid4()),
        )
        reply = handle_request(control.world, api_request, auth_token=self.auth_token)
        response = _http(reply)
        self._note(request, now, body, route, response, reply=reply, api_request=api_request)
        control.history.note_changes(reply.changed)
        for callback in reply.callbacks:
            control.deliveries.send_soon(callback)
        return response

    def _note(
        self,
        request: Request,
        now: datetime,
        body: bytes,
        route: Route,
        response: Response,
        *,
        reply: ApiReply | None = None,
        api_request: ApiRequest | None = None,
    ) -> None:
        """Add a request to the log. Of a file, the log has no body."""
        scope, history = request.scope, self.control.history
        if not history.keep:
            return
        started = route.operation == "start" and reply is not None and reply.executed
        answered = bytes(response.body) if reply is not None else b""
        history.note_request(
            ReceivedRequest(
                id=history.requests.next_id(),
                time=now,
                method=request.method,
                path=scope["raw_path"].decode("latin-1"),
                query=scope["query_string"].decode("latin-1"),
                operation=route.operation,
                conference_name=route.conference_name,
                recording_id=api_request.recording_id if started and api_request else route.recording_id,
                api_id=api_request.api_id if api_request else None,
                executed=reply.executed if reply is not None else response.status_code < HTTPStatus.BAD_REQUEST,
                status=response.status_code,
                raw_headers=tuple(scope["headers"]),
                raw_body=kept(body),
                body_bytes=len(body),
                raw_response_headers=tuple(response.raw_headers),
                raw_response_body=kept(answered),
                response_bytes=int(response.headers.get("content-length", len(answered))),
            )
        )

    def _media(self, method: str, path: list[str], wanted: str | None) -> Response:
        """Return a recorded file. As at Plivo, no credentials are needed."""
        world = self.control.world
        *_, auth_id, _resource, file = path
        recording = world.recordings.get(file.rpartition(".")[0])
        if (
            recording is None
            or recording.ended_at is None
            or (auth_id, file) != (world.auth_id, f"{recording.recording_id}.{recording.file_format}")
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
