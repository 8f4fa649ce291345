"""``python -m bench.fleet`` measures a fleet, and writes the figures into the documentation.

First, workers start many recordings as quickly as they can, without a quota. Then workers with Plivo's quota start many
recordings while they are killed, and the log of the emulator is checked: no room was started twice, every room has an
outcome, and no window of five seconds contains more than 300 requests. ``--quick`` starts few and only prints.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from bench.followed.report import versions
from bench.report import table
from bench.scale import SETTINGS, Database
from bench.shared_quota import most_in_a_window
from plivo_record_async import RateLimit
from plivo_record_async.emulator import Emulator
from plivo_record_async.fleet import BatchProgress, FleetClient
from tests.support.programs.forked_fleet_worker import ForkedFleetWorker
from tests.support.servers.postgres_server import PostgresServer

PAGE = Path(__file__).parents[1] / "docs/explanation/scale.md"
MEASURED = re.compile(r"(?<=<!-- fleet -->\n).*(?=<!-- end of fleet -->)", re.DOTALL)
BATCH = "monday"
QUOTA = RateLimit(300, per=5.0)
CONCURRENCY = {None: 64, QUOTA: 16}
"""How many starts a worker has in progress at most, by its quota."""
WARM_UP = 0.1
"""The part of the starts that does not count for the throughput, because the workers are starting."""


class Plan(NamedTuple):
    """What is measured.

    Attributes:
        workers: How many workers there are.
        rooms: How many rooms are started.
        quota: The quota of all workers together. If None, there is none.
        kill_every: The seconds after which a worker is killed, and another one is started. If None, none is killed.
    """

    workers: int
    rooms: int
    quota: RateLimit | None = None
    kill_every: float | None = None


QUICK = [Plan(4, 500, QUOTA, 5.0)]
FULL = [Plan(4, 2_000, QUOTA, 1.0), Plan(4, 20_000, QUOTA, 10.0)]


class Result(NamedTuple):
    """What was found.

    Attributes:
        plan: What was measured.
        kills: How many workers were killed.
        progress: The numbers of outcomes.
        executed: How many starts the emulator executed.
        seconds: From the first request to the last.
        rate: Starts a second, without the first ones.
        most: The most requests in any five seconds.
        submit_seconds: How long it took to submit the rooms.
        progress_ms: How long it took to count the outcomes at the end.
        outcomes_seconds: How long it took to read the outcomes again at the end.
        connections: The connections to PostgreSQL for each worker.
        fleet_bytes: The size of the fleet's tables for each room, with indexes.
        log_bytes: The size of the write-ahead log for each room.
    """

    plan: Plan
    kills: int
    progress: BatchProgress
    executed: int
    seconds: float
    rate: float
    most: int
    submit_seconds: float
    progress_ms: float
    outcomes_seconds: float
    connections: float
    fleet_bytes: float
    log_bytes: float


@asynccontextmanager
async def workers(worker: ForkedFleetWorker, plan: Plan) -> AsyncIterator[list[str]]:
    """Run the workers inside this block, and kill them. The names of those that were killed are in the list."""
    names = map("worker-{}".format, count())
    processes = [worker.start(next(names)) for _ in range(plan.workers)]
    killed: list[str] = []
    chance = random.Random(0)

    async def kill(every: float) -> None:
        while True:
            await asyncio.sleep(every)
            process = processes.pop(chance.randrange(plan.workers))
            process.kill()
            killed.append(process.name)
            processes.append(worker.start(next(names)))

    killing = None if plan.kill_every is None else asyncio.create_task(kill(plan.kill_every))
    try:
        yield killed
    finally:
        if killing is not None:
            killing.cancel()
            await asyncio.wait([killing])
        for process in processes:
            process.kill()
            process.join()


async def measure(plan: Plan) -> Result:
    """Let workers start the rooms of a plan, and check the log of the emulator."""
    rooms = [f"room-{number}" for number in range(plan.rooms)]
    settings = SETTINGS | {"max_connections": "100"}
    with PostgresServer(**settings) as postgres, Database(postgres.url()) as database:
        async with Emulator(quota=plan.quota, keep=20 * plan.rooms) as plivo, FleetClient(postgres.url()) as client:
            names = {"PLIVO_AUTH_ID": plivo.auth_id, "PLIVO_AUTH_TOKEN": plivo.auth_token, "PLIVO_BASE_URL": plivo.url}
            worker = ForkedFleetWorker(
                database=postgres.url(),
                account=names,
                quota=plan.quota,
                concurrency=CONCURRENCY[plan.quota],
                lease=10.0,
            )
            log = database.wal
            began = time.perf_counter()
            assert await client.submit(BATCH, rooms) == plan.rooms
            submitted = time.perf_counter() - began
            idle = database.sessions
            async with workers(worker, plan) as killed:
                found, sessions = set[str](), 0
                async for outcome in client.outcomes(BATCH):
                    found.add(str(outcome.request))
                    if len(found) == plan.rooms // 2:
                        sessions = database.sessions
            log = database.wal - log
            began = time.perf_counter()
            progress = await client.progress(BATCH)
            counted = time.perf_counter() - began
            began = time.perf_counter()
            assert len([outcome async for outcome in client.outcomes(BATCH)]) == plan.rooms
            read = time.perf_counter() - began
        plivo.assert_no_duplicate_starts()
        assert found == set(rooms)
        assert not any(request.status == 429 for request in plivo.requests)
        times = sorted(request.time.timestamp() for request in plivo.requests)
        starts = sorted(request.time.timestamp() for request in plivo.requests if request.operation == "start")
        counts = starts[int(WARM_UP * len(starts)) :]
        return Result(
            plan=plan,
            kills=len(killed),
            progress=progress,
            executed=sum(plivo.executions(room) for room in rooms),
            seconds=starts[-1] - starts[0],
            rate=(len(counts) - 1) / (counts[-1] - counts[0]),
            most=most_in_a_window(times),
            submit_seconds=submitted,
            progress_ms=1e3 * counted,
            outcomes_seconds=read,
            connections=(sessions - idle) / plan.workers,
            fleet_bytes=database.size_of_schema("plivo_record_fleet") / plan.rooms,
            log_bytes=log / plan.rooms,
        )


def throughput(results: list[Result]) -> str:
    titles = ["workers", "rooms", "starts a second", "bytes of the fleet's tables for each", "bytes of log for each"]
    rows = (
        [
            str(found.plan.workers),
            f"{found.plan.rooms:,}",
            f"{found.rate:.0f}",
            f"{found.fleet_bytes:,.0f}",
            f"{found.log_bytes:,.0f}",
        ]
        for found in results
    )
    return table(titles, rows)


def with_kills(results: list[Result]) -> str:
    titles = ["kill every", "rooms", "kills", "started", "unknown", "failed", "executed", "minutes", "starts/s"]
    titles += ["most in 5 s"]
    rows = (
        [
            f"{found.plan.kill_every:g} s",
            f"{found.plan.rooms:,}",
            f"{found.kills:,}",
            f"{found.progress.started:,}",
            f"{found.progress.unknown:,}",
            f"{found.progress.failed:,}",
            f"{found.executed:,}",
            f"{found.seconds / 60:.1f}",
            f"{found.rate:.1f}",
            str(found.most),
        ]
        for found in results
    )
    return table(titles, rows)


def facts(found: Result) -> str:
    """Return sentences about the largest batch."""
    return (
        f"Submitting {found.plan.rooms:,} rooms took {found.submit_seconds:.1f} s, counting their outcomes "
        f"{found.progress_ms:.0f} ms, and reading them all {found.outcomes_seconds:.1f} s. "
        f"Each worker had {found.connections:.0f} connections to PostgreSQL: one for its store, one for "
        "its quota, and the others for the fleet."
    )


async def everything(rooms: int, kills: list[Plan]) -> str:
    free, disturbed = list[Result](), list[Result]()
    for number in (1, 2, 4):
        free.append(await measure(Plan(number, rooms)))
        print(throughput(free[-1:]), flush=True)
    for plan in kills:
        disturbed.append(await measure(plan))
        print(with_kills(disturbed[-1:]), flush=True)
    return "\n\n".join([f"Measured with {versions()}.", throughput(free), with_kills(disturbed), facts(disturbed[-1])])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little and only print")
    quick: bool = parser.parse_args().quick
    text = asyncio.run(everything(500, QUICK) if quick else everything(5_000, FULL))
    print(text)
    if not quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    main()
