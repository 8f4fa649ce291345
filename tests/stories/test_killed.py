"""Programs are killed at random times: no acknowledged callback is lost, and no start is sent twice."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from uuid import uuid4

import attrs
import httpx
import pytest
from blockbuster import BlockBuster

from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore, _clock
from plivo_record_async.emulator.account.callbacks import Callback, HttpCallback
from plivo_record_async.protocol.callbacks.url_tokens import issue_url
from plivo_record_async.protocol.models import RecordingState, StartRequest
from plivo_record_async.protocol.recording.evidence import SendingBegan, StartAccepted
from plivo_record_async.protocol.recording.lifecycle import apply, plan
from plivo_record_async.stores.interface import FollowedRecording
from tests.support.servers.raw_http_client import RawHttpClient
from tests.support.tracker.parts import PUBLIC_URL, SHORT_INTERVALS, wait_for_state
from tests.support.tracker.scripted_plivo import AUTH_ID, TOKEN

PROGRAMS = Path(__file__).parents[1] / "support" / "programs"
ACCOUNT = {**os.environ, "PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": TOKEN}


@pytest.fixture(autouse=True)
def _processes(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # they start, kill and end processes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.db"


@contextmanager
def running(*arguments: object, **environment: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A program, and the first line it prints; it is killed at the end if it still runs."""
    command = [sys.executable, *map(str, arguments)]
    with subprocess.Popen(command, env={**ACCOUNT, **environment}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


# Whoever receives is killed


Kind = Literal["response", "ended", "transcription"]


@attrs.frozen
class Sent:
    """One callback that is sent until it is acknowledged."""

    start_id: str
    kind: Kind
    callback: HttpCallback

    def is_kept(self, record: FollowedRecording) -> bool:
        kept = {"response": record.async_response, "ended": record.ended, "transcription": record.transcription}
        return kept[self.kind] is not None


def accepted(start_id: str) -> FollowedRecording:
    request = StartRequest(
        f"room {start_id}",
        callback_url=issue_url(PUBLIC_URL, "recording", start_id, TOKEN),
        transcription_url=issue_url(PUBLIC_URL, "transcription", start_id, TOKEN),
    )
    record = plan(start_id, request, _clock.now())
    for evidence in (SendingBegan(), StartAccepted(description="202", api_id=f"api-{start_id}")):
        record, _ = apply(record, evidence, _clock.now())
    return record


def callbacks_of(record: FollowedRecording) -> list[Sent]:
    """All that Plivo has to say of a recording."""
    start_id = record.start_id
    ends = {"api_id": f"api-{start_id}", "recording_id": f"rec-{start_id}", "record_url": f"https://f/{start_id}.mp3"}
    said: list[tuple[Kind, str | None, dict[str, str]]] = [
        ("response", record.request.callback_url, {"api_id": f"api-{start_id}", "message": "started"}),
        ("ended", record.request.callback_url, {**ends, "recording_duration_ms": "61000"}),
        ("transcription", record.request.transcription_url, {"recording_id": f"rec-{start_id}", "transcription": "hi"}),
    ]
    return [
        Sent(
            start_id,
            kind,
            Callback(kind="recording", url=url or "", method="POST", fields=fields, api_id="").signed(
                nonce=str(uuid4().int), auth_token=TOKEN
            ),
        )
        for kind, url, fields in said
    ]


async def send_at_full_speed(
    url: str, queue: list[Sent], acknowledged: list[Sent], then: Callable[[], object] = lambda: None
) -> None:
    """Over one connection, until it breaks or nothing is left; what gets no 200 goes back into the queue.

    ``then`` is called after each answer.
    """
    with suppress(OSError, asyncio.IncompleteReadError):
        async with RawHttpClient.connect(url) as client:
            while queue:
                sent = queue.pop()
                try:
                    parts = urlsplit(sent.callback.url)
                    reply = await client.request(
                        "POST", f"{parts.path}?{parts.query}", dict(sent.callback.headers), sent.callback.content or b""
                    )
                except BaseException:
                    queue.append(sent)
                    raise
                (acknowledged if reply.status == 200 else queue).append(sent)
                then()


async def receive_for_a_life(path: Path, queue: list[Sent], acknowledged: list[Sent], killed_at: int | None) -> None:
    """One life of a receiver: it is killed once so many are acknowledged, or ends when everything has come."""
    with running(PROGRAMS / "receiver_program.py", path, PUBLIC_URL) as (process, url):

        def then() -> None:
            if len(acknowledged) == killed_at:
                process.send_signal(signal.SIGKILL)

        await asyncio.gather(*(send_at_full_speed(url, queue, acknowledged, then) for _ in range(6)))


def state_by(record: FollowedRecording) -> RecordingState:
    """Where a recording stands by what is kept of it."""
    if record.transcription is not None:
        return "transcribed"
    if record.ended is not None:
        return "recorded"
    return "started" if record.async_response is not None else "accepted"


async def checked(path: Path, acknowledged: Iterable[Sent], start_ids: Sequence[str]) -> None:
    store = SQLiteStore(path)
    try:
        records = dict(zip(start_ids, await asyncio.gather(*map(store.get, start_ids)), strict=True))
        for sent in acknowledged:
            record = records[sent.start_id]
            assert record is not None
            assert sent.is_kept(record), f"{sent.kind} of {sent.start_id} was acknowledged, and is lost"
        for record in records.values():
            assert record is not None
            assert record.state == state_by(record)
    finally:
        await store.aclose()


async def test_acknowledged_callbacks_survive_kill_9(path: Path) -> None:
    chance = random.Random()
    records = [accepted(f"start-{number}") for number in range(2000)]
    store = SQLiteStore(path)
    await asyncio.gather(*map(store.create, records))
    await store.aclose()
    start_ids = [record.start_id for record in records]
    queue = [sent for record in records for sent in callbacks_of(record)]
    chance.shuffle(queue)
    count, acknowledged = len(queue), list[Sent]()
    for _ in range(8):
        killed_at = len(acknowledged) + chance.randint(1, 600)
        await receive_for_a_life(path, queue, acknowledged, killed_at)
        await checked(path, acknowledged, start_ids)
        assert killed_at <= len(acknowledged) < count
    await receive_for_a_life(path, queue, acknowledged, None)
    assert len(acknowledged) == count
    await checked(path, acknowledged, start_ids)
    store = SQLiteStore(path)
    async with (
        RecordClient(AUTH_ID, TOKEN) as client,
        RecordingTracker(client, public_url=PUBLIC_URL, store=store) as tracker,
    ):
        for start_id in start_ids[:50]:
            assert (await (await tracker.get(start_id)).transcribed(timeout=0)).transcription == "hi"


async def noted(notes: Path, *wanted: str) -> list[str]:
    """What the handler has noted, once all of that is among it."""
    async with asyncio.timeout(20):
        while not notes.exists() or not set(wanted) <= set(lines := notes.read_text().splitlines()):
            await asyncio.sleep(0.02)
    return lines


async def all_handled(path: Path, records: Iterable[FollowedRecording]) -> None:
    """Wait until it is stored that the handlers have run."""
    store = SQLiteStore(path)
    async with asyncio.timeout(20):
        for record in records:
            kept = await store.get(record.start_id)
            while kept is None or kept.ended is None or kept.unhandled:
                kept = await store.watch(record.start_id, version=kept.version if kept else 0)
    await store.aclose()


async def test_handler_runs_again_after_its_process_was_killed(path: Path) -> None:
    notes = path.with_name("notes")
    store = SQLiteStore(path)
    records = [await store.create(accepted(f"start-{number}")) for number in range(4)]
    await store.aclose()
    *ends, last = [sent for record in records for sent in callbacks_of(record) if sent.kind == "ended"]
    acknowledged: list[Sent] = []
    with running(PROGRAMS / "receiver_program.py", path, PUBLIC_URL, notes, "stuck") as (process, url):
        await send_at_full_speed(url, ends, acknowledged)
        await noted(notes, "start-0 began", "start-1 began", "start-2 began")
        process.send_signal(signal.SIGKILL)
    assert len(acknowledged) == 3
    with running(PROGRAMS / "receiver_program.py", path, PUBLIC_URL, notes):
        lines = await noted(notes, "start-0 ended", "start-1 ended", "start-2 ended")
        await all_handled(path, records[:3])
    assert lines.count("start-0 began") == 2
    with running(PROGRAMS / "receiver_program.py", path, PUBLIC_URL, notes) as (_, url):
        again = [last, *(sent for record in records[:3] for sent in callbacks_of(record) if sent.kind == "ended")]
        await send_at_full_speed(url, again, acknowledged)  # the last of the list first
        await noted(notes, "start-3 ended")
        await all_handled(path, records)
        new = notes.read_text().splitlines()[len(lines) :]
    assert new == ["start-3 began", "start-3 ended"], "what was handled is not handled again"


# Whoever starts is killed


@asynccontextmanager
async def emulator_process() -> AsyncGenerator[httpx.AsyncClient]:
    """Plivo in another process; only rooms that were opened are live."""
    arguments = ["-m", "plivo_record_async", "emulate", "--port", "0", "--strict"]
    with running(*arguments, "--auth-id", AUTH_ID, "--auth-token", TOKEN) as (_, line):
        word, url = line.split()
        assert word == "ready"
        async with httpx.AsyncClient(base_url=url, headers={"X-Plivo-Emulator": "1"}, timeout=20) as door:
            yield door


async def executions(door: httpx.AsyncClient) -> dict[str, int]:
    state = (await door.get("/__emulator__/state")).json()
    return {name: conference["executed_starts"] for name, conference in state["conferences"].items()}


async def test_no_start_is_sent_twice_although_its_process_is_killed(path: Path) -> None:
    chance, count = random.Random(), 600
    rooms = [f"room-{number}" for number in range(count)]
    async with emulator_process() as door:
        for room in rooms:
            await door.post(f"/__emulator__/conferences/{room}")
        program = (PROGRAMS / "starter_program.py", path, count)
        executed: Mapping[str, int] = {}
        for _ in range(8):
            killed_at = sum(executed.values()) + chance.randint(1, 40)
            with running(*program, PLIVO_BASE_URL=str(door.base_url)) as (process, line):
                assert line == "go"
                assert process.stdout is not None
                for _ in range(killed_at):
                    assert await asyncio.to_thread(process.stdout.readline)
                process.send_signal(signal.SIGKILL)
            executed = await executions(door)
            assert max(executed.values()) <= 1
            assert 0 < sum(executed.values()) < count
        with running(*program, PLIVO_BASE_URL=str(door.base_url)) as (process, line):
            assert await asyncio.to_thread(process.wait, 60) == 0
        executed = await executions(door)
        assert max(executed.values()) <= 1
        for room in rooms:
            await door.post(f"/__emulator__/conferences/{room}/end")
        states = await reconciled(path, str(door.base_url), rooms)
    assert states == {room: "recorded" if executed[room] else "absent" for room in rooms}
    assert "recorded" in states.values()


async def reconciled(path: Path, base_url: str, rooms: Sequence[str]) -> dict[str, RecordingState]:
    """The state of each room's start once Plivo was asked about all of them, however long they have waited for that."""
    store, patient = SQLiteStore(path), attrs.evolve(SHORT_INTERVALS, give_up_after=timedelta(hours=1))
    async with (
        RecordClient(AUTH_ID, TOKEN, base_url=base_url, rate_limit=None) as client,
        RecordingTracker(client, public_url=PUBLIC_URL, store=store, tracking=patient) as tracker,
    ):
        handles = [await tracker.start(room, dedupe_key=f"monday {room}") for room in rooms]
        assert len({handle.start_id for handle in handles}) == len(rooms)
        records = [await wait_for_state(store, handle.start_id, "recorded", "absent") for handle in handles]
    return {record.conference_name: record.state for record in records}


# Whoever stores has no room


@asynccontextmanager
async def receiver_with_a_past(
    path: Path,
) -> AsyncGenerator[tuple[subprocess.Popen[str], Callable[..., Awaitable[list[int]]]]]:
    """A receiver, and a way to send it callbacks and see their statuses; some were acknowledged before."""
    records = [accepted(f"start-{number}") for number in range(200)]
    store = SQLiteStore(path)
    await asyncio.gather(*map(store.create, records))
    await store.aclose()
    queue = [sent for record in records for sent in callbacks_of(record)]
    acknowledged: list[Sent] = []
    with running(PROGRAMS / "receiver_program.py", path, PUBLIC_URL) as (process, url):

        async def send(count: int) -> list[int]:
            statuses: list[int] = []
            async with RawHttpClient.connect(url) as client:
                for sent in queue[:count]:
                    parts = urlsplit(sent.callback.url)
                    reply = await client.request(
                        "POST", f"{parts.path}?{parts.query}", dict(sent.callback.headers), sent.callback.content or b""
                    )
                    statuses.append(reply.status)
                    if reply.status == 200:
                        acknowledged.append(sent)
                        queue.remove(sent)
            return statuses

        assert set(await send(100)) == {200}
        yield process, send
        assert set(await send(50)) == {200}
    await checked(path, acknowledged, [record.start_id for record in records])


async def test_a_locked_file_is_answered_503_and_loses_nothing(path: Path) -> None:
    async with receiver_with_a_past(path) as (_, send):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert await send(3) == [503] * 3
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux lets another process run out of room")
async def test_a_full_disk_is_answered_503_and_loses_nothing(path: Path) -> None:
    async with receiver_with_a_past(path) as (process, send):
        _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        log = path.with_name(f"{path.name}-wal")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, most))
        statuses = await send(50)
        assert statuses[-1] == 503
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
