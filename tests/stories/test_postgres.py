"""Trackers that share a PostgreSQL database: a server that is killed, and workers that are killed."""

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

import pytest
from blockbuster import BlockBuster

from plivo_record_async import RecordClient, RecordingEnded, RecordingTracker, StoreError, TrackedRecording
from plivo_record_async.emulator import Emulator
from plivo_record_async.serving import url_of
from plivo_record_async.stores import PostgresStore
from tests.support.servers.asgi_server import free_listener, serving
from tests.support.servers.postgres_server import PostgresServer
from tests.support.tracker.parts import SHORT_INTERVALS

PROGRAM = Path(__file__).parents[1] / "support" / "programs" / "receiver_program.py"


@pytest.fixture(autouse=True)
def _servers(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # the tests start and kill servers


@pytest.fixture
def schema() -> str:
    return f"story_{secrets.token_hex(8)}"


@asynccontextmanager
async def following(plivo: Emulator, store: PostgresStore) -> AsyncGenerator[RecordingTracker, None]:
    with free_listener() as listener:
        async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
            tracker = RecordingTracker(client, public_url=url_of(listener), store=store, tracking=SHORT_INTERVALS)
            async with serving(tracker, listener=listener):
                yield tracker


async def test_killed_server_loses_no_callback_and_sends_no_start(postgres: PostgresServer, schema: str) -> None:
    async with (
        Emulator() as plivo,
        following(plivo, PostgresStore(postgres.url(), schema=schema)) as tracker,
    ):
        recording = await tracker.start("standup")
        await plivo.callbacks_settled()
        waiting = asyncio.create_task(recording.recorded(timeout=30))
        await recording.status()  # the wait has begun by then
        postgres.kill()
        try:
            with pytest.raises(StoreError, match="what was acknowledged before is not affected"):
                await tracker.start("retro")
            with pytest.raises(StoreError):
                await tracker.check()
            await plivo.end_conference("standup")
            while not any(delivery.status == 503 for delivery in plivo.deliveries):
                await asyncio.sleep(0.01)
        finally:
            postgres.start()
        assert (await waiting).recording_id == (await recording.status()).recording_id
        await tracker.check()
        assert plivo.executions("retro") == 0
        await tracker.start("retro")
        assert plivo.executions("retro") == 1
        plivo.assert_no_duplicate_starts()


async def test_replicas_share_recordings_and_run_each_handler_once(postgres: PostgresServer, schema: str) -> None:
    handled: list[str] = []
    async with (
        Emulator() as plivo,
        following(plivo, PostgresStore(postgres.url(), schema=schema)) as one,
        following(plivo, PostgresStore(postgres.url(), schema=schema)) as two,
    ):
        for tracker in (one, two):

            @tracker.on(RecordingEnded)
            async def handle(_: RecordingEnded, recording: TrackedRecording) -> None:
                handled.append(recording.conference_name)

        rooms = [f"room {number}" for number in range(20)]
        recordings = [await (one, two)[number % 2].start(room) for number, room in enumerate(rooms)]
        elsewhere = [
            await (two, one)[number % 2].get(recording.start_id) for number, recording in enumerate(recordings)
        ]
        waiting = asyncio.gather(*(recording.recorded(timeout=30) for recording in elsewhere))
        for room in rooms:
            await plivo.end_conference(room)
        await waiting
        again = await two.start("room 0", dedupe_key="monday")
        assert (await one.start("room 0", dedupe_key="monday")).start_id == again.start_id
        await plivo.callbacks_settled()
        assert sorted(handled) == sorted(rooms)
        assert plivo.executions("room 0") == 2


@contextmanager
def worker(plivo: Emulator, store: str, public_url: str, notes: Path) -> Generator[tuple[subprocess.Popen[str], str]]:
    account = {"PLIVO_AUTH_ID": plivo.auth_id, "PLIVO_AUTH_TOKEN": plivo.auth_token, "PLIVO_BASE_URL": plivo.url}
    command: list[str | Path] = [sys.executable, PROGRAM, store, public_url, notes]
    with subprocess.Popen(command, env={**os.environ, **account}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


async def test_killed_worker_is_replaced_by_the_others(postgres: PostgresServer, tmp_path: Path) -> None:
    """A worker is killed while its handlers run. Another worker runs them again."""
    database = f"story_{secrets.token_hex(8)}"
    await asyncio.to_thread(_create, postgres, database)
    address = postgres.url(database)
    notes = tmp_path / "notes"
    async with Emulator() as plivo, PostgresStore(address) as store:
        with worker(plivo, address, "", notes) as (_, url):
            client = RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url)
            async with client, RecordingTracker(client, public_url=url, store=PostgresStore(address)) as tracker:
                with worker(plivo, address, url, notes) as (second, _):
                    recordings = [await tracker.start(f"room {number}") for number in range(10)]
                    for number in range(10):
                        await plivo.end_conference(f"room {number}")
                        if number == 4:
                            second.send_signal(signal.SIGKILL)
                    for recording in recordings:
                        await recording.recorded(timeout=30)
        assert await store.counts() == {"recorded": 10}
        assert [plivo.executions(f"room {number}") for number in range(10)] == [1] * 10


def _create(postgres: PostgresServer, database: str) -> None:
    import psycopg  # noqa: PLC0415

    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {database}".encode())
