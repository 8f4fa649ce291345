"""Serve an ASGI application on a real socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from typing import Any

from plivo_record_async import serving as embedded
from plivo_record_async.serving import StartupFailedError, url_of

__all__ = ["StartupFailedError", "free_listener", "reserved_port", "serving", "url_of"]


@contextlib.asynccontextmanager
async def serving(application: Any, *, listener: socket.socket | None = None, **settings: Any) -> AsyncGenerator[str]:
    """Serve an application, with its lifespan if it has one, inside this block; yield its URL.

    Raises:
        StartupFailedError: Its lifespan failed to start.
    """
    with listener or free_listener() as listening:
        url = url_of(listening)
        defaults: dict[str, Any] = {"http": "h11", "lifespan": "auto", "timeout_graceful_shutdown": 1}
        async with embedded.serving(application, listening, **defaults | settings):
            yield url


def free_listener() -> socket.socket:
    """Return a socket that listens on a free port of this machine."""
    return embedded.open_listener("127.0.0.1", 0)


@contextlib.contextmanager
def reserved_port() -> Generator[int]:
    """Yield a free port of this machine, on which another process can listen, also again and again.

    No other socket gets the port inside this block: it is bound here, but nothing listens on it.
    """
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
