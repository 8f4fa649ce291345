"""Serve an ASGI application inside a running event loop. This is the only module that imports uvicorn."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import uvicorn

from plivo_record_async.errors import ConfigurationError

__all__ = ["StartupFailedError", "is_loopback", "open_listener", "serving", "url_of"]

_SETTINGS: dict[str, Any] = {
    "ws": "none",
    "lifespan": "off",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "date_header": False,
    "timeout_graceful_shutdown": 5,
}


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
    # `Server.serve` would replace the signal handlers, and check ten times a second whether it has to end.
    try:
        await server.startup([listener])
    except SystemExit as error:
        raise StartupFailedError("the application's lifespan failed to start; the log says why") from error
    try:
        yield
    finally:
        await server.shutdown([listener])
