"""Workers of a fleet are killed all the time, and nothing is started twice, forgotten, or sent beyond the quota.

Afterwards, the statement of docs/explanation/scale.md deletes the items from the database.

The environment variable ``FLEET_ROOMS`` is the number of rooms, and ``FLEET_SEED`` repeats the kills of an earlier run.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import secrets
from bisect import bisect_left
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest
from blockbuster import BlockBuster

from plivo_record_async import RateLimit
from plivo_record_async.emulator import Emulator
from plivo_record_async.fleet import FleetClient
from plivo_record_async.stores import PostgresStore
from tests.support.programs.forked_fleet_worker import ForkedFleetWorker
from tests.support.servers.postgres_server import PostgresServer

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "scale.md").read_text(encoding="utf-8")
ROOMS = int(os.environ.get("FLEET_ROOMS", "2000"))
WORKERS = 4
CONCURRENCY = 16
QUOTA = RateLimit(1000, per=5.0)
"""A worker that is killed keeps its share of the quota for 12 seconds. Plivo's quota would make this take minutes."""


@pytest.fixture
def database(postgres: PostgresServer, blockbuster: BlockBuster) -> str:
    blockbuster.deactivate()  # the test starts and kills processes
    name = f"fleet_{secrets.token_hex(8)}"
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    return postgres.url(name)


@asynccontextmanager
async def killed_workers(worker: ForkedFleetWorker, chance: random.Random) -> AsyncGenerator[list[str]]:
    """Run workers inside this block, and kill one of them every second. Another one with another name replaces it.

    The list contains the names of those that were killed.
    """
    names = map("worker-{}".format, count())
    processes = [worker.start(next(names)) for _ in range(WORKERS)]
    names_of_killed: list[str] = []

    async def kill() -> None:
        while True:
            await asyncio.sleep(1.0)
            process = processes.pop(chance.randrange(WORKERS))
            process.kill()
            names_of_killed.append(process.name)
            processes.append(worker.start(next(names)))

    killing = asyncio.create_task(kill())
    try:
        yield names_of_killed
    finally:
        killing.cancel()
        with suppress(asyncio.CancelledError):
            await killing
        for process in processes:
            process.kill()
            process.join()


def delete_items(database: str) -> None:
    """Run the statement of the page, which deletes old items, for all items."""
    [statement] = re.findall(r"^  ```sql\n(.*?)^  ```$", PAGE, re.MULTILINE | re.DOTALL)
    assert "interval '30 days'" in statement
    with psycopg.connect(database) as connection:
        connection.execute(statement.replace("30 days", "0 days").encode())
        for table in ("workflow_status", "workflow_input", "workflow_output"):
            assert connection.execute(f"SELECT * FROM plivo_record_fleet.{table}".encode()).fetchone() is None


def most_in_a_window(times: list[float], per: float) -> int:
    return max(bisect_left(times, first + per) - place for place, first in enumerate(times))


@pytest.mark.timeout(300)
async def test_killed_workers_start_nothing_twice_and_forget_nothing(database: str) -> None:
    seed = os.environ.get("FLEET_SEED", secrets.token_hex(4))
    print(f"FLEET_SEED={seed}")  # noqa: T201 - pytest shows it if the test fails
    rooms = [f"room-{number}" for number in range(ROOMS)]
    async with Emulator(quota=QUOTA, keep=10 * ROOMS) as plivo, FleetClient(database) as client:
        account = {"PLIVO_AUTH_ID": plivo.auth_id, "PLIVO_AUTH_TOKEN": plivo.auth_token, "PLIVO_BASE_URL": plivo.url}
        worker = ForkedFleetWorker(database=database, account=account, quota=QUOTA, concurrency=CONCURRENCY, lease=3.0)
        assert await client.submit("monday", rooms) == ROOMS
        async with killed_workers(worker, random.Random(seed)) as killed:
            outcomes = [outcome async for outcome in client.outcomes("monday")]
        progress = await client.progress("monday")
        delete_items(database)
        assert (await client.progress("monday")).total == 0
    executions = {room: plivo.executions(room) for room in rooms}

    plivo.assert_no_duplicate_starts()
    assert sorted(str(outcome.request) for outcome in outcomes) == sorted(rooms), "every room has one outcome"
    assert all(executions[str(outcome.request)] == 1 for outcome in outcomes if outcome.ok)
    assert (progress.total, progress.started) == (ROOMS, sum(outcome.ok for outcome in outcomes))
    assert (progress.waiting, progress.running, progress.failed) == (0, 0, 0)
    assert progress.unknown <= CONCURRENCY * len(killed), "only what a killed worker was sending is unknown"

    times = sorted(request.time.timestamp() for request in plivo.requests)
    assert most_in_a_window(times, QUOTA.per) <= QUOTA.limit
    assert not any(request.status == 429 for request in plivo.requests)
    async with PostgresStore(database) as store:
        assert sum((await store.counts()).values()) == ROOMS
    print(f"{len(killed)} kills, {times[-1] - times[0]:.0f} s, {progress}")  # noqa: T201 - the figures
