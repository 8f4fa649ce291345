"""Who is under attack, on one core: ``python -m bench.hostile.receiver HTTP STARTS``; ``HTTP`` is uvicorn's.

A tracker keeps the first so many starts of `bench.followed.callbacks` in an SQLite file; with 0 it is an application
that only refuses, which shows what the server needs. It prints where it listens.
``GET /state`` tells the resident memory and the CPU seconds of the process, and how many orphans it keeps.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from starlette.responses import PlainTextResponse

from bench.followed.callbacks import PUBLIC_URL, accepted
from bench.followed.cores import pin
from bench.hostile.requests import SLOW_LENGTH
from bench.peers import AUTH_ID, AUTH_TOKEN
from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore


def resident_bytes() -> int:
    """https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html"""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Observed:
    """An application, and what it takes."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/state":
            await self._app(scope, receive, send)
            return
        orphans = await self._app.orphans(limit=2000) if isinstance(self._app, RecordingTracker) else ()
        state = {"memory": resident_bytes(), "cpu": time.process_time(), "orphans": len(orphans)}
        await PlainTextResponse(json.dumps(state))(scope, receive, send)


async def refuse(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - it reads nothing
    """Refuse everything, and end the connections of those whose bodies are slow."""
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"10")]
        if (b"content-length", b"%d" % SLOW_LENGTH) in scope["headers"]:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": b"Forbidden\n"})


@asynccontextmanager
async def application(starts: int) -> AsyncIterator[Any]:
    if not starts:
        yield refuse
        return
    with TemporaryDirectory() as directory:
        store, records = SQLiteStore(Path(directory) / "recordings.db"), accepted(starts)
        while some := list(islice(records, 200)):
            await asyncio.gather(*map(store.create, some))
        async with RecordClient(AUTH_ID, AUTH_TOKEN, base_url="http://127.0.0.1:9") as client:
            yield RecordingTracker(client, public_url=PUBLIC_URL, store=store)


async def serve(http: Any, starts: int) -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio forgets it on such a listener
    async with application(starts) as app:
        config = uvicorn.Config(Observed(app), http=http, access_log=False, log_level="error")
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        await uvicorn.Server(config).serve([listening])


if __name__ == "__main__":
    pin(0)
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
