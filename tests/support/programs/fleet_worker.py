"""A worker of a fleet: ``fleet_worker.py DATABASE NAME STORE SCHEMA``.

The account and the URL of the API come from the environment. It leaves the fleet at SIGTERM, and may be killed.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from plivo_record_async import RecordClient, RecordingTracker
from plivo_record_async.fleet import Fleet
from plivo_record_async.stores import PostgresStore
from tests.support.tracker.parts import SHORT_INTERVALS


async def work_until_terminated(database: str, name: str, store: str, schema: str, concurrency: int = 8) -> None:
    """Take items until SIGTERM."""
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    async with RecordClient() as client:
        tracker = RecordingTracker(client, store=PostgresStore(store, schema=schema), tracking=SHORT_INTERVALS)
        async with tracker, Fleet(tracker, database, name=name, concurrency=concurrency):
            await terminated.wait()


if __name__ == "__main__":
    DATABASE, NAME, STORE, SCHEMA = sys.argv[1:]
    asyncio.run(work_until_terminated(DATABASE, NAME, STORE, SCHEMA))
