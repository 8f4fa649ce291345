"""A program that receives callbacks: ``receiving.py FILE [PUBLIC_URL]``; it prints where it does, once it does.

It knows the account from the environment, like any program that uses the package.
"""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn

from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore


class Server(uvicorn.Server):
    """Says where it serves."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        for listener in sockets or []:
            print(url_of(listener), flush=True)  # noqa: T201


def url_of(listener: socket.socket) -> str:
    """Where a socket can be called."""
    return "http://{}:{}".format(*listener.getsockname())


async def receive(path: str, public_url: str | None = None) -> None:
    """Serve until SIGTERM."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio forgets it on such a listener
        async with RecordClient() as client:
            store = SQLiteStore(path, busy_timeout=0.5)
            tracker = RecordingTracker(client, public_url=public_url or url_of(listener), store=store)
            config = uvicorn.Config(tracker, log_level="critical", timeout_graceful_shutdown=1)
            await Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(receive(*sys.argv[1:]))
