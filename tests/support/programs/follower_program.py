"""A program that starts recordings and follows them: ``follower_program.py FILE COUNT LIMIT PORT``.

It prints ``go``, then the name of each room whose start has an outcome, and then ``started``. It follows the recordings
until it is killed. It may be run again, because each room has a dedupe key. If PORT is 0, it polls. Otherwise, it
receives callbacks at this port of 127.0.0.1. LIMIT is the number of requests that it may send in 5 seconds.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import timedelta

from plivo_record_async import RateLimit, RecordClient, RecordingTracker, SQLiteStore, TrackingPolicy
from plivo_record_async.serving import open_listener, serving

TRACKING = TrackingPolicy(
    poll_interval=timedelta(milliseconds=100),
    lease=timedelta(seconds=1),
    confirm_within=timedelta(seconds=2),
    initial_backoff=timedelta(seconds=1),
    idle_backoff=timedelta(seconds=1),
    list_interval=timedelta(seconds=1),
    max_backoff=timedelta(minutes=1),
    absence_grace=timedelta(seconds=1),
    handler_lease=timedelta(seconds=1),
)
"""Intervals so short that a test need not wait minutes."""


def rooms_of(count: int) -> tuple[list[str], list[str]]:
    """Return the names of the rooms: those without a transcript, and every tenth, with one."""
    rooms = [f"room-{number}" for number in range(count)]
    return [room for room in rooms if not room.endswith("7")], [room for room in rooms if room.endswith("7")]


async def follow(path: str, count: int, limit: int, port: int) -> None:
    """Start all rooms, and follow them until the process is killed."""
    public_url = f"http://127.0.0.1:{port}" if port else None
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(RecordClient(rate_limit=RateLimit(limit, per=5.0), timeout=3.0))
        tracker = RecordingTracker(client, public_url, store=SQLiteStore(path), tracking=TRACKING)
        await opened.enter_async_context(tracker)
        if port:
            listener = opened.enter_context(open_listener("127.0.0.1", port))
            await opened.enter_async_context(serving(tracker, listener))
        print("go", flush=True)  # noqa: T201
        for rooms, transcribe in zip(rooms_of(count), (False, True), strict=True):
            outcomes = tracker.start_many(rooms, transcribe=transcribe, dedupe_key=lambda room: f"monday {room}")
            async for outcome in outcomes:
                print(outcome.request, flush=True)  # noqa: T201
        print("started", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1], *map(int, sys.argv[2:])))
