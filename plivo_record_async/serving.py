"""A web server inside a command: an ASGI application on a socket, for as long as a block lasts. Needs uvicorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from typing import Any

import uvicorn

from plivo_record_async.errors import ConfigurationError

__all__ = ["is_loopback", "listener", "serving", "url_of"]


class _Server(uvicorn.Server):
    """Leaves the process's signals alone, and waits to be told to leave instead of looking ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.leave = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield

    async def main_loop(self) -> None:
        """Wait."""
        await self.leave.wait()


def listener(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on; they are answered once it is served.

    Args:
        host: The address to listen on.
        port: The port; 0 takes any free one.

    Raises:
        ConfigurationError: The port is taken, or the address is not this machine's.
    """
    try:
        socket.getaddrinfo(host, port)  # create_server leaves a socket open if the name cannot be encoded
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {reason}. Choose another host or port; port 0 takes any free one"
        ) from error
    # Accepted sockets inherit it. asyncio does not set it on those of a listener that was made like this, and every
    # answer on a kept connection would wait for an acknowledgement, 40 ms on Linux.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url_of(listening: socket.socket) -> str:
    """The address of a listener."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    return ip_address(listening.getsockname()[0]).is_loopback


@asynccontextmanager
async def serving(app: Any, listening: socket.socket) -> AsyncGenerator[None]:
    """Serve an ASGI application inside this block; answers under way at its end have five seconds to finish."""
    server = _Server(
        uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=5,
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.leave.set()
        await running
