"""How fast a tracker takes up what came due while it was down, and how fast it answers callbacks meanwhile.

``python -m bench.followed.due [RECORDS]`` fills an SQLite file with records that are due (100,000 if none is said),
measures callbacks alone, enters the tracker, and measures callbacks again until nothing is due. It prints JSON:
seconds, records left each ten seconds, and the callbacks' latencies in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import attrs

from bench.followed.callbacks import PUBLIC_URL, Callback, accepted, ended
from bench.peers import AUTH_ID, AUTH_TOKEN
from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore
from plivo_record_async.stores.interface import Store

RATE = 100
"""Callbacks a second."""

ALONE = 3
"""Seconds for which callbacks are measured before anything is taken up."""

LONGEST = 300
"""Seconds after which what is left is left."""


async def fill(store: Store, due: int, more: int) -> None:
    """Keep ``due`` accepted starts whose first callback is overdue, and ``more`` that wait for theirs."""
    overdue = datetime.now(UTC) - timedelta(hours=1)
    records = enumerate(accepted(due + more))
    while some := list(islice(records, 200)):
        kept = (attrs.evolve(record, due_at=overdue) if number < due else record for number, record in some)
        await asyncio.gather(*map(store.create, kept))


async def call_back(tracker: RecordingTracker, callback: Callback) -> None:
    """Call the tracker as a server does, without a network between."""
    url = urlsplit(callback.url)
    headers = [(name.lower().encode(), value.encode()) for name, value in callback.headers().items()]
    scope = {"type": "http", "method": "POST", "path": url.path, "query_string": url.query.encode(), "headers": headers}
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": callback.body}

    async def send(message: Any) -> None:
        answers.append(message)

    await tracker(scope, receive, send)
    if answers[0]["status"] != 200:
        raise RuntimeError(f"answered {answers}")


async def paced(tracker: RecordingTracker, numbers: Sequence[int], until: asyncio.Event) -> list[float]:
    """Seconds from when each callback was due to its answer."""
    latencies: list[float] = []

    async def one(number: int, due: float) -> None:
        await call_back(tracker, ended(number))
        latencies.append(time.perf_counter() - due)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as calls:
        for count, number in enumerate(numbers):
            if until.is_set():
                break
            due = began + count / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            calls.create_task(one(number, due))
    return latencies


def due_now(path: Path) -> int:
    """How many records are due, over a connection of its own."""
    now = datetime.now(UTC).timestamp() * 1e6
    with closing(sqlite3.connect(path)) as file:
        [(count,)] = file.execute("SELECT count(*) FROM recording WHERE due_at <= ?", (now,))
    return int(count)


async def drained(path: Path, done: asyncio.Event) -> list[int]:
    """How many records are due, each ten seconds, until none is."""
    left: list[int] = []
    began = time.perf_counter()
    while not done.is_set():
        count, seconds = await asyncio.to_thread(due_now, path), time.perf_counter() - began
        if seconds >= 10 * len(left):
            left.append(count)
        if count == 0 or seconds > LONGEST:
            done.set()
        await asyncio.sleep(0.5)
    return left


def milliseconds(latencies: Sequence[float]) -> dict[str, float]:
    percentiles = quantiles(latencies, n=100)
    return {f"p{percent}": round(1e3 * percentiles[percent - 1], 1) for percent in (50, 90, 99)}


async def measure(path: Path, due: int) -> dict[str, Any]:
    store = SQLiteStore(path)
    alone, most = ALONE * RATE, LONGEST * RATE
    await fill(store, due, alone + most)
    tracker = RecordingTracker(RecordClient(AUTH_ID, AUTH_TOKEN), public_url=PUBLIC_URL, store=store)
    before = await paced(tracker, range(due, due + alone), asyncio.Event())
    done, began = asyncio.Event(), time.perf_counter()
    async with tracker:
        left, during = await asyncio.gather(
            drained(path, done), paced(tracker, range(due + alone, due + alone + most), done)
        )
    seconds = round(time.perf_counter() - began, 1)
    return {"due": due, "seconds": seconds, "left": left, "alone": milliseconds(before), "during": milliseconds(during)}


def main(due: str = "100000") -> None:
    with TemporaryDirectory() as directory:
        print(json.dumps(asyncio.run(measure(Path(directory) / "recordings.db", int(due)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
