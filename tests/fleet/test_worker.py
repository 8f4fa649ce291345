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
    OutcomeUnknownError,
    RecordClient,
    RecordingTracker,
    SQLiteStore,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.fleet import BatchProgress, Fleet, FleetClient
from tests.support.servers.postgres_server import PostgresServer
from tests.support.tracker.parts import SHORT_INTERVALS

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "support" / "programs" / "fleet_worker.py"


@pytest.fixture(autouse=True)
def _threads_of_dbos(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # DBOS has an event loop in a thread of its own


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
            assert await fleet.progress("monday") == BatchProgress(
                total=30, waiting=0, running=0, started=30, failed=0, unknown=0
            )
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
        assert await fleet.progress("monday") == BatchProgress(
            total=3, waiting=0, running=0, started=1, failed=1, unknown=1
        )


async def test_items_of_killed_worker_are_taken_over_and_sent_once(postgres: PostgresServer) -> None:
    schema = name = f"fleet_{secrets.token_hex(8)}"
    rooms = [f"{name}-{number}" for number in range(200)]
    async with Emulator() as plivo, FleetClient(postgres.url(), name=name) as client:
        arguments = (postgres.url(), name, postgres.url(), schema)
        await client.submit("monday", rooms)
        plivo.faults.on("start", times=200).delay(0.05)
        with worker(plivo, *arguments) as one:
            while plivo.executions(rooms[0]) + sum(plivo.executions(room) for room in rooms) < 20:
                await asyncio.sleep(0.01)
            one.send_signal(signal.SIGKILL)
            await asyncio.to_thread(one.wait)
        assert (await client.progress("monday")).running > 0
        with worker(plivo, *arguments):
            outcomes = [outcome async for outcome in client.outcomes("monday")]
        assert len(outcomes) == len(rooms)
        plivo.assert_no_duplicate_starts()
        progress = await client.progress("monday")
        assert progress.started + progress.unknown == len(rooms)
        assert progress.unknown <= 8
        for outcome in outcomes:
            assert outcome.ok or isinstance(outcome.error, OutcomeUnknownError)


async def test_terminated_worker_finishes_its_starts(postgres: PostgresServer) -> None:
    schema = name = f"fleet_{secrets.token_hex(8)}"
    rooms = [f"{name}-{number}" for number in range(100)]
    async with Emulator() as plivo, FleetClient(postgres.url(), name=name) as client:
        await client.submit("monday", rooms)
        plivo.faults.on("start", times=100).delay(0.2)
        with worker(plivo, postgres.url(), name, postgres.url(), schema) as one:
            while sum(plivo.executions(room) for room in rooms) < 8:
                await asyncio.sleep(0.01)
            one.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(one.wait) == 0
        progress = await client.progress("monday")
        assert progress.running == progress.unknown == progress.failed == 0
        assert 0 < progress.started == sum(plivo.executions(room) for room in rooms) < 100


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
        assert progress == BatchProgress(total=3, waiting=1, running=1, started=0, failed=1, unknown=0)
    assert "This worker of the fleet starts nothing more" in caplog.text
    assert (plivo_emulator.executions("a"), plivo_emulator.executions("b")) == (0, 0)
    async with FleetClient(fleet_in(tmp_path)) as client:
        assert await client.progress("monday") == BatchProgress(
            total=3, waiting=2, running=0, started=0, failed=1, unknown=0
        )
