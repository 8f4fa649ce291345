"""The receivers, each in a process of its own: ``python -m bench.followed.receiver KIND STARTS CORES``.

- ``body``: a Starlette route that reads the body and answers 200;
- ``memory``, ``sqlite``, ``postgres``: a tracker with that store, which knows the first so many starts of `callbacks`.

It keeps to one core if ``CORES`` is ``one``, and goes where the system puts it if it is ``any``. A PostgreSQL server
always goes where the system puts it. Each of its commits is written to the disk, as those of SQLite are.

``GET /state`` tells the CPU seconds that the process has spent, and how many callbacks found no recording. What it
costs to look for that path is paid by all of them.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bench.followed.callbacks import PUBLIC_URL, accepted
from bench.followed.cores import pin
from bench.peers import AUTH_ID, AUTH_TOKEN
from plivo_record_async import MemoryStore, RecordClient, RecordingTracker, SQLiteStore
from plivo_record_async.stores import PostgresStore
from plivo_record_async.stores.interface import Store
from tests.support.servers.postgres_server import PostgresServer


async def read_body(request: Request) -> PlainTextResponse:
    await request.body()
    return PlainTextResponse("OK\n")


def only_the_body() -> Starlette:
    return Starlette(routes=[Route("/plivo/recording", read_body, methods=["POST"])])


async def tracker(store: Store, starts: int) -> RecordingTracker:
    records = accepted(starts)
    while some := list(islice(records, 200)):
        await asyncio.gather(*map(store.create, some))
    client = RecordClient(AUTH_ID, AUTH_TOKEN)
    return RecordingTracker(client, public_url=PUBLIC_URL, store=store)


class Observed:
    """An application, and what it takes."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/state":
            await self._app(scope, receive, send)
            return
        orphans = await self._app.orphans() if isinstance(self._app, RecordingTracker) else ()
        state = json.dumps({"cpu": time.process_time(), "orphans": len(orphans)})
        await PlainTextResponse(state)(scope, receive, send)


@asynccontextmanager
async def application(kind: str, starts: int, database: str) -> AsyncIterator[Any]:
    match kind:
        case "body":
            yield only_the_body()
        case "memory":
            yield await tracker(MemoryStore(), starts)
        case "sqlite":
            with TemporaryDirectory() as directory:
                yield await tracker(SQLiteStore(Path(directory) / "recordings.db"), starts)
        case "postgres":
            yield await tracker(PostgresStore(database), starts)
        case _:
            raise SystemExit(f"there is no receiver {kind!r}")


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The address of the database that a receiver needs."""
    if kind != "postgres":
        yield ""
        return
    with PostgresServer(fsync="on", full_page_writes="on", shared_buffers="128MB", max_wal_size="1GB") as server:
        yield server.url()


async def serve(kind: str, starts: int, database: str) -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio forgets it on such a listener
    async with application(kind, starts, database) as app:
        server = uvicorn.Server(uvicorn.Config(Observed(app), http="httptools", access_log=False, log_level="warning"))
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        await server.serve([listening])


if __name__ == "__main__":
    kind, starts, cores = sys.argv[1:]
    with database(kind) as address:
        if cores == "one":
            pin(0)
        uvloop.run(serve(kind, int(starts), address))
