"""The demo's callback listener: a web server of its own that believes nothing unverified."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from plivo_record_async.errors import CallbackRejectedError, ConfigurationError
from plivo_record_async.protocol.callbacks import parse_callback
from plivo_record_async.protocol.models import CallbackEvent

__all__ = ["Listener"]

_HOST = "127.0.0.1"
_LONGEST_BODY = 64 * 1024


class _Server(uvicorn.Server):
    """Leaves the process's signals alone: Ctrl-C ends the demo, which then ends this server."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


class Listener:
    """Takes Plivo's callbacks on a loopback port and verifies each against the URL that was issued for it.

    The URL that a request seems to have is never looked at: a proxy in front may have changed its scheme and host.

    Args:
        auth_token: The account's token, which callbacks are signed with.
        public_url: Where Plivo reaches this listener; its own address if absent.
        port: The port to listen on; any free one if 0.

    Raises:
        ConfigurationError: The port is taken.
    """

    def __init__(self, auth_token: str, *, public_url: str | None = None, port: int = 0) -> None:
        self._auth_token = auth_token
        try:
            self._socket = socket.create_server((_HOST, port))
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {_HOST}:{port}: {error.strerror}") from error
        self.url = f"http://{_HOST}:{self._socket.getsockname()[1]}"
        self._public_url = (public_url or self.url).rstrip("/")
        self._issued: dict[str, str] = {}

    def close(self) -> None:
        """Give the port up; needed only where it never came to listening."""
        self._socket.close()

    def issue(self, room: str) -> str:
        """The callback URL of a room."""
        self._issued[room] = f"{self._public_url}/?{urlencode({'room': room})}"
        return self._issued[room]

    @asynccontextmanager
    async def listening(
        self, heard: Callable[[str, CallbackEvent], None], refuse: Callable[[CallbackRejectedError], None]
    ) -> AsyncGenerator[None]:
        """Listen inside this block; each callback goes to one of the two functions before it is answered."""

        async def callback(request: Request) -> Response:
            room = request.query_params.get("room", "")
            body = await _body(request)
            if room not in self._issued or body is None:
                return Response(status_code=404 if body is not None else 413)
            try:
                event = parse_callback(
                    request.method, self._issued[room], request.headers, body, auth_tokens=[self._auth_token]
                )
            except CallbackRejectedError as error:
                refuse(error)
                return Response(status_code=error.status)
            heard(room, event)
            return Response()

        app = Starlette(routes=[Route("/{path:path}", callback, methods=["POST"])])
        server = _Server(
            uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        )
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving


async def _body(request: Request) -> bytes | None:
    """The whole body, or ``None`` if it is longer than any callback of Plivo's."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_BODY:
            return None
    return body
