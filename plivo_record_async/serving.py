"""Serve an ASGI application inside a running event loop. This is the only module that imports uvicorn."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from typing import Any

import uvicorn

from plivo_record_async.errors import ConfigurationError

__all__ = ["StartupFailedError", "is_loopback", "open_listener", "serving", "url_of"]

log: logging.Logger = logging.getLogger("plivo_record_async")

_SETTINGS: dict[str, Any] = {
    "ws": "none",
    "lifespan": "off",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "date_header": False,
    "timeout_graceful_shutdown": 5,
}


_ROUNDS_UNTIL_CONNECTED = 4
"""asyncio needs three rounds of the event loop from accepting a connection until uvicorn knows it."""


class StartupFailedError(Exception):
    """The application's lifespan failed to start."""


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that accepts connections. They wait until an application is served on it.

    Args:
        host: The address to listen on.
        port: The port to listen on. If 0, any free port is used.

    Raises:
        ConfigurationError: The port is taken, or the address does not belong to this machine.
    """
    try:
        socket.getaddrinfo(host, port)  # create_server leaves a socket open if the name cannot be encoded
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {reason}. Choose another host or port; port 0 takes any free one"
        ) from error
    # Accepted sockets inherit this option. asyncio does not set it for a listener that it has not made itself, and then
    # each response on a kept connection would wait for an acknowledgement, which takes 40 ms on Linux.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listener, without a slash at its end.

    Args:
        listener: The listening socket.
    """
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listener: socket.socket) -> bool:
    """Return whether only this machine can reach a listener.

    Args:
        listener: The listening socket.
    """
    return ip_address(listener.getsockname()[0]).is_loopback


@asynccontextmanager
async def serving(app: Any, listener: socket.socket, **settings: Any) -> AsyncGenerator[None]:
    """Serve an ASGI application inside this block.

    The signal handlers of the process are not changed. At the end of the block, requests in progress have five seconds
    to finish.

    Args:
        app: The application. Its lifespan is not run, unless ``settings`` has ``lifespan="on"``.
        listener: The socket that accepts the connections. It is closed at the end of the block.
        **settings: Arguments of `uvicorn.Config` that override the defaults of this module.

    Raises:
        StartupFailedError: The application's lifespan failed to start; the log says why.
    """
    config = uvicorn.Config(app, **_SETTINGS | settings)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    connections = server.server_state.connections = _OpenConnections()
    # `Server.serve` would replace the signal handlers, and check ten times a second whether it has to end.
    with suppress(SystemExit):  # of newer versions, if the lifespan failed to start
        await server.startup([listener])
    if not server.started:
        raise StartupFailedError("the application's lifespan failed to start; the log says why")
    try:
        yield
    finally:
        await _shut_down(server, listener, connections)


class _OpenConnections(set[Any]):
    """The open connections of a server, which adds and discards them."""

    def __init__(self) -> None:
        super().__init__()
        self._discarded = asyncio.Event()

    def discard(self, connection: Any) -> None:
        """Remove a connection that has been closed."""
        super().discard(connection)
        self._discarded.set()

    async def all_closed(self) -> None:
        """Wait until no connection is open."""
        while self:
            self._discarded.clear()
            await self._discarded.wait()


async def _shut_down(server: uvicorn.Server, listener: socket.socket, connections: _OpenConnections) -> None:
    """Stop a server after its requests in progress, and close every connection.

    `uvicorn.Server.shutdown` takes 100 ms at least, and it leaves a connection open that was accepted just before.
    """
    # asyncio loses a connection that it has accepted but not set up when its server is closed.
    with suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().remove_reader(listener)
    for _ in range(_ROUNDS_UNTIL_CONNECTED):
        await asyncio.sleep(0)
    for accepting in server.servers:
        accepting.close()
    listener.close()
    for connection in list(connections):
        connection.shutdown()
    tasks = server.server_state.tasks
    try:
        async with asyncio.timeout(server.config.timeout_graceful_shutdown):
            await connections.all_closed()
            await asyncio.gather(*tasks, return_exceptions=True)
    except TimeoutError:
        log.warning("%d requests did not finish in time, so the server cancels them", len(tasks))
        for task in list(tasks):
            task.cancel()
    finally:
        for connection in list(connections):
            connection.transport.abort()
        await server.lifespan.shutdown()
