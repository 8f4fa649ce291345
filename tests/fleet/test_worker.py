"""A worker of a fleet: outcomes of each kind, what is tried again, and workers that end."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

from plivo_record_async import (
    BadRequestError,
    ConfigurationError,
    MemoryStore,
    Outcome,
    OutcomeUnknownError,
    RateLimit,
    RecordClient,
    RecordingTracker,
    SQLiteStore,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.fleet import BatchProgress, Fleet, FleetClient
from plivo_record_async.stores import FollowedRecording
from tests.support.servers.postgres_server import PostgresServer
from tests.support.tracker.parts import SHORT_INTERVALS

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "support" / "programs" / "fleet_worker.py"


@pytest.fixture(autouse=True)
def _threads_of_dbos(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # DBOS has an event loop in a thread of its own


COUNTS = {"waiting": 0, "running": 0, "started": 0, "failed": 0, "unknown": 0}


def progress_of(**counts: int) -> BatchProgress:
    return BatchProgress(total=sum(counts.values()), **COUNTS | counts)


def fleet_in(directory: Path) -> str:
    return f"sqlite:///{directory / 'fleet.db'}"


@asynccontextmanager
async def tracking(plivo: Emulator, store: Any, **options: Any) -> AsyncGenerator[RecordingTracker]:
    client = RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url, **options)
    async with client, RecordingTracker(client, store=store, tracking=SHORT_INTERVALS) as tracker:
        yield tracker


@contextmanager
def worker(plivo: Emulator, *arguments: str) -> Generator[subprocess.Popen[str]]:
    account = {"PLIVO_AUTH_ID": plivo.auth_id, "PLIVO_AUTH_TOKEN": plivo.auth_token, "PLIVO_BASE_URL": plivo.url}
    environment = {**os.environ, **account, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(PROGRAM), *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_batch_is_started_once_and_its_outcomes_are_yielded(plivo_emulator: Emulator, tmp_path: Path) -> None:
    rooms = [f"room-{number}" for number in range(30)]
    async with tracking(plivo_emulator, SQLiteStore(tmp_path / "recordings.db")) as tracker:
        async with Fleet(tracker, fleet_in(tmp_path)) as fleet:
            assert await fleet.submit("monday", rooms) == 30
            outcomes = [outcome async for outcome in fleet.outcomes("monday")]
            assert sorted(str(outcome.request) for outcome in outcomes) == sorted(rooms)
            for outcome in outcomes:
                assert (await tracker.get(outcome.unwrap())).conference_name == outcome.request
            assert await fleet.progress("monday") == progress_of(started=30)
            assert await fleet.submit("monday", rooms) == 0
        for room in rooms:
            plivo_emulator.assert_executed_once(room)


async def test_each_kind_of_outcome(plivo_emulator: Emulator, tmp_path: Path) -> None:
    plivo_emulator.faults.on("start", conference="rejected", times=1).status(400)
    plivo_emulator.faults.on("start", conference="unknown", times=1).reset_after_execution()
    async with (
        tracking(plivo_emulator, SQLiteStore(tmp_path / "recordings.db")) as tracker,
        Fleet(tracker, fleet_in(tmp_path)) as fleet,
    ):
        await fleet.submit("monday", ["rejected", "unknown", "started"])
        outcomes = {str(outcome.request): outcome async for outcome in fleet.outcomes("monday")}
        assert outcomes["started"].ok
        rejection, unknown = outcomes["rejected"].error, outcomes["unknown"].error
        assert isinstance(rejection, BadRequestError)
        assert (rejection.status, rejection.operation) == (400, "start of 'rejected'")
        assert isinstance(unknown, OutcomeUnknownError)
        assert (await tracker.get(unknown.start_id)).conference_name == "unknown"
        assert await fleet.progress("monday") == progress_of(started=1, failed=1, unknown=1)


async def test_killed_and_terminated_workers_are_replaced_and_nothing_is_sent_twice(postgres: PostgresServer) -> None:
    name = f"fleet_{secrets.token_hex(8)}"
    rooms = [f"{name}-{number}" for number in range(100)]
    arguments = (postgres.url(), name, postgres.url(), name)

    async def until_executed(count: int) -> None:
        while sum(plivo.executions(room) for room in rooms) < count:
            await asyncio.sleep(0.01)

    async with Emulator() as plivo, FleetClient(postgres.url(), name=name) as client:
        await client.submit("monday", rooms)
        plivo.faults.on("start", times=100).delay(0.1)
        with worker(plivo, *arguments) as killed, worker(plivo, *arguments) as terminated:
            await until_executed(10)
            killed.kill()
            await until_executed(30)
            terminated.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(terminated.wait) == 0
        progress = await client.progress("monday")
        assert progress.failed == 0
        assert progress.running + progress.unknown <= 8  # those of the killed worker
        assert progress.started <= sum(plivo.executions(room) for room in rooms) < 100
        with worker(plivo, *arguments):
            outcomes = [outcome async for outcome in client.outcomes("monday")]
        plivo.assert_no_duplicate_starts()
        assert len(outcomes) == len(rooms)
        assert len([outcome for outcome in outcomes if not outcome.ok]) <= 8
        for outcome in outcomes:
            assert outcome.ok or isinstance(outcome.error, OutcomeUnknownError)


async def test_start_that_was_not_sent_is_tried_again(
    plivo_emulator: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slow = RateLimit(1, per=0.5)
    async with (
        tracking(plivo_emulator, SQLiteStore(tmp_path / "recordings.db"), rate_limit=slow, timeout=0.2) as tracker,
        Fleet(tracker, fleet_in(tmp_path)) as fleet,
    ):
        await fleet.submit("monday", ["a", "b"])
        assert [outcome.ok async for outcome in fleet.outcomes("monday")] == [True, True]
    assert "Nothing was sent" in caplog.text
    assert "The fleet tries again in 1 s." in caplog.text
    plivo_emulator.assert_no_duplicate_starts()


async def test_start_that_is_in_the_store_is_not_sent_again(plivo_emulator: Emulator, tmp_path: Path) -> None:
    plivo_emulator.faults.on("start", conference="rejected").status(400)
    plivo_emulator.faults.on("start", conference="unknown").reset_after_execution()
    names = ["rejected", "unknown", "started"]
    seen: list[dict[str, Outcome[Any, str]]] = []
    async with tracking(plivo_emulator, SQLiteStore(tmp_path / "recordings.db")) as tracker:
        for database in ("one", "two"):  # the second one does not know what the first one did, but the store does
            async with Fleet(tracker, f"sqlite:///{tmp_path / database}.db") as fleet:
                await fleet.submit("monday", names)
                seen.append({str(outcome.request): outcome async for outcome in fleet.outcomes("monday")})
    first, second = seen
    assert isinstance(first["rejected"].error, BadRequestError)
    assert "is rejected" in str(second["rejected"].error)
    unknown = second["unknown"].error
    assert isinstance(unknown, OutcomeUnknownError)
    assert unknown.start_id == getattr(first["unknown"].error, "start_id", None)
    assert "a worker that has ended made it, and it is unknown" in str(unknown)
    assert second["started"] == first["started"]
    sent = [request.path for request in plivo_emulator.requests if request.method == "POST"]
    assert sorted(path.split("/")[-3] for path in sent) == sorted(names)


async def test_start_that_was_forgotten_has_failed(plivo_emulator: Emulator, tmp_path: Path) -> None:
    class ForgettingStore(SQLiteStore):
        async def get(self, start_id: str) -> FollowedRecording | None:
            return None

    async with (
        tracking(plivo_emulator, ForgettingStore(tmp_path / "recordings.db")) as tracker,
        Fleet(tracker, fleet_in(tmp_path)) as fleet,
    ):
        await fleet.submit("monday", ["a"])
        [outcome] = [outcome async for outcome in fleet.outcomes("monday")]
        assert "UnknownStartError: The store has no start with the ID" in str(outcome.error)


async def test_item_has_no_outcome_if_the_tracker_is_closed_first(plivo_emulator: Emulator, tmp_path: Path) -> None:
    async with tracking(plivo_emulator, SQLiteStore(tmp_path / "recordings.db")) as tracker:
        async with Fleet(tracker, fleet_in(tmp_path)) as fleet:
            await tracker.aclose()
            await fleet.submit("monday", ["a"])
            while (await fleet.progress("monday")).waiting:
                await asyncio.sleep(0.01)
        async with FleetClient(fleet_in(tmp_path)) as client:
            assert await client.progress("monday") == progress_of(waiting=1)


async def test_failed_entry_leaves_nothing_open(plivo_emulator: Emulator, tmp_path: Path) -> None:
    async with tracking(plivo_emulator, SQLiteStore(tmp_path / "recordings.db")) as tracker:
        async with Fleet(tracker, fleet_in(tmp_path)) as fleet:
            with pytest.raises(ConfigurationError, match="already a worker of a fleet"):
                await Fleet(tracker, f"sqlite:///{tmp_path / 'other.db'}").__aenter__()
            assert await fleet.submit("monday", ["a"]) == 1
            assert [outcome.ok async for outcome in fleet.outcomes("monday")] == [True]
        async with fleet:
            assert await fleet.submit("monday", ["a"]) == 0


def test_store_that_does_not_survive_is_refused(tmp_path: Path) -> None:
    client = RecordClient("MAXXXXXXXXXXXXXXXXXX", "token")
    with pytest.raises(ConfigurationError, match="needs a store that survives its process"):
        Fleet(RecordingTracker(client, store=MemoryStore()), fleet_in(tmp_path))
    with pytest.raises(ConfigurationError, match="use a PostgresStore"):
        Fleet(RecordingTracker(client, store=SQLiteStore(tmp_path / "r.db")), "postgresql://me@db.example/plivo")


async def test_worker_with_wrong_credentials_starts_nothing_more(
    plivo_emulator: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plivo_emulator.faults.on("start", times=1).status(401)
    async with (
        tracking(plivo_emulator, SQLiteStore(tmp_path / "recordings.db")) as tracker,
        Fleet(tracker, fleet_in(tmp_path), concurrency=1) as fleet,
    ):
        await fleet.submit("monday", ["a", "b", "c"])
        while (progress := await fleet.progress("monday")).running + progress.failed < 2:
            await asyncio.sleep(0.01)
        assert progress == progress_of(waiting=1, running=1, failed=1)
    assert "This worker of the fleet starts nothing more" in caplog.text
    assert (plivo_emulator.executions("a"), plivo_emulator.executions("b")) == (0, 0)
    async with FleetClient(fleet_in(tmp_path)) as client:
        assert await client.progress("monday") == progress_of(waiting=2, failed=1)
