"""A program that starts many recordings: ``starter_program.py FILE COUNT``.

It prints ``go`` when it begins, then the name of each room whose start succeeded. It may be killed and run again,
because each room has a dedupe key.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from plivo_record_async import CallbackPolicy, RecordClient, RecordingTracker, SQLiteStore, TrackingPolicy

SECOND = timedelta(seconds=1)
TRACKING = TrackingPolicy(
    lease=SECOND,
    confirm_within=2 * SECOND,
    initial_backoff=2 * SECOND,
    idle_backoff=2 * SECOND,
    max_backoff=4 * SECOND,
)
"""Intervals so short that a test need not wait minutes."""


def key(room: str) -> str:
    """Return the dedupe key of a room."""
    return f"monday {room}"


async def start(path: str, count: int) -> None:
    """Start all rooms; the callbacks go to a port where no server listens."""
    async with (
        RecordClient(rate_limit=None) as client,
        RecordingTracker(
            client,
            public_url="http://127.0.0.1:9",
            store=SQLiteStore(path),
            policy=CallbackPolicy(retries=0),
            tracking=TRACKING,
        ) as tracker,
    ):
        print("go", flush=True)  # noqa: T201
        rooms = (f"room-{number}" for number in range(count))
        async for outcome in tracker.start_many(rooms, dedupe_key=key, concurrency=32):
            if outcome.error is not None:
                raise outcome.error
            print(outcome.request, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(start(sys.argv[1], int(sys.argv[2])))
