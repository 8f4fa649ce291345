"""Serve an ASGI application on a real socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator
from typing import Any

from plivo_record_async import serving as embedded
from plivo_record_async.serving import StartupFailedError, url_of

__all__ = ["StartupFailedError", "free_listener", "serving", "url_of"]


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
