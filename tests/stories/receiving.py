"""A program that receives callbacks: ``receiving.py FILE [PORT]``; it prints where, and ends when it is told to.

It knows the account from the environment, like any program that uses the package.
"""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn

from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore


async def receive(path: str, port: int) -> None:
    """Serve until SIGTERM."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        url = "http://{}:{}".format(*listener.getsockname())
        async with RecordClient() as client:
            tracker = RecordingTracker(client, public_url=url, store=SQLiteStore(path, busy_timeout=0.5))
            config = uvicorn.Config(tracker, log_level="warning", timeout_graceful_shutdown=1)
            print(url, flush=True)  # noqa: T201
            await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(receive(sys.argv[1], int((sys.argv[2:] or ["0"])[0])))
