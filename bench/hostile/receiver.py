"""The tracker under attack, on one core: ``python -m bench.hostile.receiver HTTP STARTS``; ``HTTP`` is uvicorn's.

It keeps the first so many starts of `bench.followed.callbacks` in an SQLite file, and prints where it listens.
``GET /state`` tells the resident memory and the CPU seconds of the process, and how many orphans it keeps.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from starlette.responses import PlainTextResponse

from bench.followed.callbacks import PUBLIC_URL, accepted
from bench.followed.cores import pin
from bench.peers import AUTH_ID, AUTH_TOKEN
from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore


def resident_bytes() -> int:
    """https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html"""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Observed:
    """A tracker, and what it takes."""

    def __init__(self, tracker: RecordingTracker) -> None:
        self._tracker = tracker

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/state":
            await self._tracker(scope, receive, send)
            return
        state = {
            "memory": resident_bytes(),
            "cpu": time.process_time(),
            "orphans": len(await self._tracker.orphans(limit=2000)),
        }
        await PlainTextResponse(json.dumps(state))(scope, receive, send)


async def serve(http: Any, starts: int) -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio forgets it on such a listener
    with TemporaryDirectory() as directory:
        store, records = SQLiteStore(Path(directory) / "recordings.db"), accepted(starts)
        while some := list(islice(records, 200)):
            await asyncio.gather(*map(store.create, some))
        async with RecordClient(AUTH_ID, AUTH_TOKEN, base_url="http://127.0.0.1:9") as client:
            tracker = RecordingTracker(client, public_url=PUBLIC_URL, store=store)
            server = uvicorn.Server(uvicorn.Config(Observed(tracker), http=http, access_log=False, log_level="error"))
            print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
            await server.serve([listening])


if __name__ == "__main__":
    pin(0)
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
