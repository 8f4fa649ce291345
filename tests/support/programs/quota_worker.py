"""A program that sends as many starts as a shared quota permits: ``quota_worker.py DATABASE SCHEMA LIMIT PER``.

The account and the URL of the API come from the environment. It prints ``received`` when it has received its first
response. It ends in good order at SIGTERM, and may be killed.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from plivo_record_async import RecordClient
from plivo_record_async.stores import PostgresRateLimit

CONCURRENCY = 32


async def send_until_terminated(database: str, schema: str, limit: int, per: float) -> None:
    """Start recordings without end."""
    rate_limit = PostgresRateLimit(database, limit, per=per, schema=schema)
    async with RecordClient(rate_limit=rate_limit, timeout=120.0) as client:

        async def send() -> None:
            while True:
                await client.start_recording("standup")

        terminated = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
        await client.start_recording("standup")
        sys.stdout.write("received\n")
        sys.stdout.flush()
        tasks = [asyncio.create_task(send()) for _ in range(CONCURRENCY)]
        await terminated.wait()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


if __name__ == "__main__":
    asyncio.run(send_until_terminated(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
