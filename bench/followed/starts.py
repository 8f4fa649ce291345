"""What a start costs on one core, with a tracker and without: ``python -m bench.followed.starts KIND URL SECONDS``."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.child import one_slice
from bench.followed.callbacks import PUBLIC_URL, issued
from bench.followed.cores import pin
from bench.peers import Start, Target
from bench.peers.ours import client
from plivo_record_async import CallbackPolicy, MemoryStore, RecordingTracker, SQLiteStore
from plivo_record_async.stores.interface import Store

CONCURRENCY = 50


@asynccontextmanager
async def plain(target: Target) -> AsyncIterator[Start]:
    url = CallbackPolicy().apply(issued(0))
    async with client(target) as plivo:
        yield partial(plivo.start_recording, file_format="wav", callback_url=url)


@asynccontextmanager
async def tracked(target: Target, store: Store) -> AsyncIterator[Start]:
    async with client(target) as plivo, RecordingTracker(plivo, public_url=PUBLIC_URL, store=store) as tracker:
        yield partial(tracker.start, file_format="wav")


async def measure(kind: str, url: str, seconds: float) -> None:
    """A slice for each line that comes in, so that they take turns."""
    target = Target(url, CONCURRENCY)
    with TemporaryDirectory() as directory:
        match kind:
            case "plain":
                starts = plain(target)
            case "memory":
                starts = tracked(target, MemoryStore())
            case "sqlite":
                starts = tracked(target, SQLiteStore(Path(directory) / "recordings.db"))
            case _:
                raise SystemExit(f"there is no way {kind!r} to start")
        async with starts as start:
            for _ in sys.stdin:
                print(json.dumps(await one_slice(start, CONCURRENCY, seconds)), flush=True)


if __name__ == "__main__":
    kind, url, seconds = sys.argv[1:]
    pin(0)
    asyncio.run(measure(kind, url, float(seconds)))
