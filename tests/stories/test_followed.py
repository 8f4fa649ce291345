"""Recordings are followed from start to transcript over real HTTP, with every kind of failure."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from blockbuster import BlockBuster

from plivo_record_async import (
    CallbackPolicy,
    NotSentError,
    OutcomeUnknownError,
    RecordClient,
    RecordingEnded,
    RecordingFailedError,
    RecordingTracker,
    SQLiteStore,
    TranscriptionEnded,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.stores.interface import Store
from tests.support.servers.asgi_server import free_listener, serving, url_of
from tests.support.tracker.flaky_store import FlakyStore
from tests.support.tracker.parts import SHORT_INTERVALS, wait_for_state

RECEIVER = Path(__file__).parents[1] / "support" / "programs" / "receiver_program.py"
DEAD = "http://127.0.0.1:9/plivo"
"""Where nobody listens: no callback ever comes."""

ONE_ATTEMPT = CallbackPolicy(retries=0)


def account(plivo: Emulator) -> RecordClient:
    return RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url, max_retries=0)


@asynccontextmanager
async def following(
    plivo: Emulator, store: Store, *, public_url: str | None = None, **options: Any
) -> AsyncGenerator[RecordingTracker]:
    """A tracker that uvicorn serves, and whose callbacks come in, unless it is said to be elsewhere."""
    with free_listener() as listener:
        async with account(plivo) as client:
            given: dict[str, Any] = {
                "public_url": public_url or f"{url_of(listener)}/plivo",
                "tracking": SHORT_INTERVALS,
                **options,
            }
            tracker = RecordingTracker(client, store=store, **given)
            async with serving(tracker, listener=listener):
                yield tracker


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.db"


@pytest.fixture
def store(path: Path) -> SQLiteStore:
    return SQLiteStore(path)


async def ends(plivo: Emulator, room: str) -> None:
    await plivo.end_conference(room)
    await plivo.callbacks_settled()


# With callbacks


DIALECTS = {
    "as documented": Dialect(),
    "CamelCase, decimals": Dialect(ended_shape="camel_case", numbers="decimal", ended_message="record_done"),
    "JSON in a field": Dialect(ended_shape="response", ended_message="record done"),
    "no numbers": Dialect(numbers="empty"),
    "said when it starts": Dialect(started_callback=True),
    "everything three times": Dialect(copies=3, started_callback=True),
    "late": Dialect(delay_s=0.05),
    "tokens rotate": Dialect(signatures="V3 list"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_from_start_to_transcript_in_every_dialect(dialect: str, store: SQLiteStore) -> None:
    handled: list[str] = []
    async with Emulator(dialect=DIALECTS[dialect]) as plivo, following(plivo, store) as tracker:

        @tracker.on(RecordingEnded)
        async def note_end(_: RecordingEnded) -> None:
            handled.append("ended")

        @tracker.on(TranscriptionEnded)
        async def note_text(_: TranscriptionEnded) -> None:
            handled.append("transcribed")

        recording = await tracker.start("stand/up ü", file_format="wav", transcribe=True)
        await wait_for_state(store, recording.start_id, "started")
        await plivo.callbacks_settled()
        assert (await recording.status()).state == "started"
        await recording.stop()
        ended = await recording.recorded(timeout=10)
        text = await recording.transcribed(timeout=10)
        await plivo.callbacks_settled()
        [real] = plivo.state()["recordings"]
        assert ended.record_url == real["url"]
        assert ended.recording_id == text.recording_id == real["recording_id"]
        assert ended.duration_ms == (None if dialect == "no numbers" else real["duration_ms"])
        assert text.transcription == "This is what was said in stand/up ü."
        status = await recording.status()
        assert (status.state, status.api_id, status.error) == ("transcribed", real["api_id"], None)
        assert {delivery["status"] for delivery in plivo.state()["deliveries"]} == {200}
        assert await tracker.orphans() == []
    assert sorted(handled) == ["ended", "transcribed"]
    assert plivo.executions("stand/up ü") == 1


async def test_many_recordings_are_followed_at_once(plivo_emulator: Emulator, store: SQLiteStore) -> None:
    rooms = [f"room {number}" for number in range(40)]
    async with following(
        plivo_emulator, store, tracking=attrs.evolve(SHORT_INTERVALS, confirm_within=SHORT_INTERVALS.give_up_after)
    ) as tracker:
        outcomes = [outcome async for outcome in tracker.start_many(rooms, concurrency=16)]
        recordings = [outcome.result for outcome in outcomes if outcome.result]
        assert {recording.conference_name for recording in recordings} == set(rooms)
        for room in rooms:
            await plivo_emulator.end_conference(room)
        ended = await asyncio.gather(*(recording.recorded(timeout=20) for recording in recordings))
        assert [event.conference_name for event in ended] == [recording.conference_name for recording in recordings]


async def test_a_start_that_plivo_could_not_execute_says_why(store: SQLiteStore) -> None:
    async with Emulator(strict=True) as plivo, following(plivo, store) as tracker:
        recording = await tracker.start("nobody there")  # taken, but answered by callback: no such conference
        with pytest.raises(RecordingFailedError, match="not found") as failed:
            await recording.recorded(timeout=10)
        assert failed.value.recording.state == "failed"


async def test_callback_is_delivered_again_until_the_store_is_back(plivo_emulator: Emulator) -> None:
    """The policy asks for it: by itself Plivo would not."""
    store, hour = FlakyStore(), timedelta(hours=1)
    tracking = attrs.evolve(SHORT_INTERVALS, confirm_within=hour, idle_backoff=hour)  # only callbacks change a record
    async with following(plivo_emulator, store, tracking=tracking) as tracker:
        recording = await tracker.start("standup")
        await wait_for_state(store, recording.start_id, "started")
        store.calls.clear()
        store.broken = {"replace"}
        await plivo_emulator.end_conference("standup")
        await store.called("replace", times=2)
        store.broken = set()
        await recording.recorded(timeout=10)
        await plivo_emulator.callbacks_settled()
    [*failed, last] = [each["status"] for each in plivo_emulator.state()["deliveries"] if each["kind"] == "recording"]
    assert (set(failed), last) == ({503}, 200)


# In doubt


async def test_callback_proves_that_an_unknown_start_was_executed(plivo_emulator: Emulator, store: SQLiteStore) -> None:
    async with following(plivo_emulator, store) as tracker:
        plivo_emulator.fail_next(503, executed=True)
        with pytest.raises(OutcomeUnknownError) as unknown:
            await tracker.start("standup")
        assert unknown.value.start_id is not None
        recording = await tracker.get(unknown.value.start_id)
        assert (await recording.accepted(timeout=10)).state == "started"
        await ends(plivo_emulator, "standup")
        assert (await recording.recorded(timeout=10)).conference_name == "standup"
    assert plivo_emulator.executions("standup") == 1


@asynccontextmanager
async def in_doubt(
    plivo: Emulator, store: Store, *, executed: bool, room: str = "standup"
) -> AsyncGenerator[tuple[RecordingTracker, str]]:
    """A tracker that no callback reaches, and the id of a start whose outcome is unknown."""
    async with following(plivo, store, public_url=DEAD, policy=ONE_ATTEMPT) as tracker:
        plivo.fail_next(503, executed=executed)
        with pytest.raises(OutcomeUnknownError) as unknown:
            await tracker.start(room)
        assert unknown.value.start_id is not None
        yield tracker, unknown.value.start_id


async def test_list_proves_that_an_unknown_start_was_executed(plivo_emulator: Emulator, store: SQLiteStore) -> None:
    async with in_doubt(plivo_emulator, store, executed=True) as (tracker, start_id):
        await ends(plivo_emulator, "standup")
        recording = await tracker.get(start_id)
        ended = await recording.recorded(timeout=10)
        [real] = plivo_emulator.state()["recordings"]
        assert (ended.recording_id, ended.record_url) == (real["recording_id"], real["url"])
        assert (await recording.status()).state == "recorded"


async def test_both_candidates_of_an_unknown_start_are_reported(plivo_emulator: Emulator, store: SQLiteStore) -> None:
    async with in_doubt(plivo_emulator, store, executed=True) as (tracker, start_id):
        async with account(plivo_emulator) as somebody:
            await somebody.start_recording("standup")
        await ends(plivo_emulator, "standup")
        recording = await tracker.get(start_id)
        async with asyncio.timeout(10):
            record = await wait_for_state(store, start_id, "unknown")
            while len(record.candidates) < 2:
                record = await store.watch(start_id, version=record.version) or record
        status = await recording.status()
        assert status.state == "unknown"
        assert status.error is not None
        for real in plivo_emulator.state()["recordings"]:
            assert real["recording_id"] in status.error


async def test_end_of_the_conference_proves_that_an_unknown_start_was_not_executed(store: SQLiteStore) -> None:
    async with Emulator(strict=True) as plivo:
        await plivo.open_conference("standup")
        async with in_doubt(plivo, store, executed=False) as (tracker, start_id):
            record = await wait_for_state(store, start_id, "unknown")
            async with asyncio.timeout(10):
                for _ in range(3):  # each time that it comes due is a change
                    record = await store.watch(start_id, version=record.version) or record
            assert record.state == "unknown", "it may still be running"
            await plivo.end_conference("standup")
            with pytest.raises(RecordingFailedError, match="Plivo does not list the recording") as failed:
                await (await tracker.get(start_id)).recorded(timeout=10)
            assert failed.value.recording.state == "absent"


async def test_accepted_start_without_a_callback_is_found_in_the_list(
    plivo_emulator: Emulator, store: SQLiteStore
) -> None:
    async with following(plivo_emulator, store, public_url=DEAD, policy=ONE_ATTEMPT) as tracker:
        recording = await tracker.start("standup")
        await wait_for_state(store, recording.start_id, "unconfirmed")
        await ends(plivo_emulator, "standup")
        assert (await recording.recorded(timeout=10)).conference_name == "standup"


async def test_lost_callbacks_are_replaced_by_reconciliation(plivo_emulator: Emulator, path: Path) -> None:
    """It said that it had started, and then nothing any more."""
    store = SQLiteStore(path)
    async with following(plivo_emulator, store, policy=ONE_ATTEMPT) as tracker:
        start_id = (await tracker.start("standup")).start_id
        await wait_for_state(store, start_id, "started")
        await plivo_emulator.callbacks_settled()
    await ends(plivo_emulator, "standup")
    async with following(plivo_emulator, SQLiteStore(path), public_url=DEAD) as tracker:
        assert (await (await tracker.get(start_id)).recorded(timeout=10)).conference_name == "standup"


async def test_start_that_was_not_sent_may_be_started_again(plivo_emulator: Emulator, path: Path) -> None:
    store = SQLiteStore(path)
    nowhere = RecordClient(
        plivo_emulator.auth_id, plivo_emulator.auth_token, base_url="http://127.0.0.1:9", max_retries=0
    )
    async with nowhere as client, RecordingTracker(client, public_url=DEAD, store=store) as offline:
        with pytest.raises(NotSentError):
            await offline.start("standup", dedupe_key="monday")
    async with following(plivo_emulator, SQLiteStore(path), public_url=DEAD, policy=ONE_ATTEMPT) as tracker:
        first = await tracker.start("standup", dedupe_key="monday")
        assert await tracker.start("standup", dedupe_key="monday") == first
    assert plivo_emulator.executions("standup") == 1


# Elsewhere, and later


async def test_followed_recording_survives_a_restart(plivo_emulator: Emulator, path: Path) -> None:
    async with following(plivo_emulator, SQLiteStore(path)) as tracker:
        start_id = (await tracker.start("standup", dedupe_key="monday")).start_id
        await ends(plivo_emulator, "standup")
    async with following(plivo_emulator, SQLiteStore(path)) as tracker:
        recording = await tracker.get(start_id)
        assert (await recording.recorded(timeout=10)).conference_name == "standup"
        assert await tracker.start("standup", dedupe_key="monday") == recording
    assert plivo_emulator.executions("standup") == 1


@contextmanager
def receiver_process(plivo: Emulator, path: Path) -> Generator[str]:
    """Another process that receives what belongs to the same file."""
    arguments = [sys.executable, str(RECEIVER), str(path)]
    environment = {
        **os.environ,
        "PLIVO_AUTH_ID": plivo.auth_id,
        "PLIVO_AUTH_TOKEN": plivo.auth_token,
        "PLIVO_BASE_URL": plivo.url,
    }
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.communicate(timeout=20)


async def test_waiter_in_another_process_wakes_within_half_a_second(
    plivo_emulator: Emulator, path: Path, blockbuster: BlockBuster
) -> None:
    blockbuster.deactivate()  # it starts and ends a process
    woken: dict[str, datetime] = {}

    async def wake(kind: str, coming: Coroutine[Any, Any, object]) -> None:
        await coming
        woken[kind] = datetime.now(UTC)

    async with account(plivo_emulator) as client:
        with receiver_process(plivo_emulator, path) as url:
            store = SQLiteStore(path)
            async with RecordingTracker(client, public_url=url, store=store) as tracker:
                recording = await tracker.start("standup", transcribe=True)
                waits = asyncio.gather(
                    wake("recording", recording.recorded(timeout=10)),
                    wake("transcription", recording.transcribed(timeout=10)),
                )
                await wait_for_state(
                    store, recording.start_id, "started"
                )  # news from there, which they saw too: they do wait
                assert not woken
                await ends(plivo_emulator, "standup")
                await waits
    for delivery in plivo_emulator.state()["deliveries"]:
        if delivery["kind"] in woken:
            assert delivery["status"] == 200
            assert woken[delivery["kind"]] - datetime.fromisoformat(delivery["at"]) < timedelta(seconds=0.5)
