"""The emulator over HTTP: Plivo's API, the recorded files, the control API, and the console."""

from __future__ import annotations

import asyncio
import logging
from email.utils import format_datetime
from typing import Any

import attrs
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.answers import Incoming, answer_api, answer_media
from plivo_record_async.emulator.api.endpoints import route_of
from plivo_record_async.emulator.api.paths import authority_of, first_segment, segments
from plivo_record_async.emulator.console.files import read_console
from plivo_record_async.emulator.control.access import CONTROL_HEADER, own_addresses, refuse_web_pages
from plivo_record_async.emulator.control.control import Control
from plivo_record_async.emulator.control.routes import handle
from plivo_record_async.emulator.faults.fault import Fault
from plivo_record_async.emulator.faults.misbehaving import CutSend, TrailingSend, reset_connection, until_disconnected

__all__ = ["EmulatorApp"]

_CONSOLE = read_console()
_GRACE = 0.2
"""For how many seconds requests in progress may go on when the emulator stops."""

_logger = logging.getLogger(__name__)


@attrs.define(kw_only=True, eq=False)
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
    _in_progress: set[asyncio.Task[Any]] = attrs.field(factory=set[asyncio.Task[Any]], init=False)
    _closing: bool = attrs.field(default=False, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. If the emulator stops before the answer is complete, reset the connection."""
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]
        self._in_progress.add(task)
        try:
            if self._closing:
                await reset_connection(receive, send)
            else:
                await self._answer(scope, receive, send)
        except asyncio.CancelledError:
            if not self._closing:
                raise
            await reset_connection(receive, send)
        finally:
            self._in_progress.discard(task)

    async def close(self) -> None:
        """End all requests. Those that are not over soon, for example because of a fault, are reset."""
        self._closing = True
        self.control.history.events.close()
        if self._in_progress:
            await asyncio.wait(tuple(self._in_progress), timeout=_GRACE)
        if unfinished := tuple(self._in_progress):
            for task in unfinished:
                task.cancel()
            await asyncio.wait(unfinished)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return  # the client has disconnected, so no answer is possible
        path = segments(scope["raw_path"])
        if first_segment(scope["raw_path"]) == "__emulator__":
            response = await self._control(request, path[1:], body)
            await self._dated(request, response)(scope, receive, send)
        elif request.method in {"GET", "HEAD"} and (file := _CONSOLE.get(tuple(path))):
            await self._dated(request, Response(file.content, headers=file.headers))(scope, receive, send)
        else:
            await self._emulate(request, path, body, send)

    def _dated(self, request: Request, response: Response, fault: Fault | None = None) -> Response:
        """Return the response with the header ``Date``, as Plivo's answers have it, and log it."""
        response.headers["Date"] = format_datetime(self.control.clock.now(), usegmt=True)
        suffix = f" (fault {fault.do})" if fault else ""
        _logger.info(
            "%s %s %d%s", request.method, request.scope["raw_path"].decode("latin-1"), response.status_code, suffix
        )
        return response

    async def _emulate(self, request: Request, path: list[str], body: bytes, send: Send) -> None:
        """Answer a request to the API or for a file, unless a fault prevents this."""
        control, receive = self.control, request.receive
        route = route_of(control.world, request.method, path)
        fault = control.faults.take(route.operation, route.conference_name)
        if fault is not None and fault.do == "delay":
            await control.clock.sleep(fault.seconds or 0.0)
        incoming = Incoming(request=request, path=path, body=body, route=route, fault=fault)
        if route.operation == "media":
            answer = answer_media(control, incoming)
        else:
            answer = answer_api(control, incoming, auth_token=self.auth_token)
        response = self._dated(request, answer.response, fault)
        match fault.do if fault else None:
            case "reset_before_execution" | "reset_after_execution":
                await reset_connection(receive, send)
            case "stall":
                await until_disconnected(receive)
            case "cut":
                length = 0 if request.method == "HEAD" else int(response.headers.get("content-length", "0"))
                await response(request.scope, receive, CutSend(send, length))
                await until_disconnected(receive)
            case _ if answer.trailing:
                await response(request.scope, receive, TrailingSend(send, answer.trailing))
            case _:
                await response(request.scope, receive, send)

    async def _control(self, request: Request, resource: list[str], body: bytes) -> Response:
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
            reply = await handle(self.control, request.method, resource, query, body)
        except RefusedError as refusal:
            return JSONResponse({"error": refusal.error}, status_code=refusal.status, headers=refusal.headers)
        return JSONResponse(reply.body, status_code=reply.status)
