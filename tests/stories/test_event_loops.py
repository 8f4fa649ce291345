"""A tracker that a module defines, used in one event loop after another, in two at once, and in a forked process."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from plivo_record_async import (
    ConfigurationError,
    MemoryStore,
    OutcomeUnknownError,
    RecordingTracker,
    SQLiteStore,
    StoreError,
)
from plivo_record_async.stores.interface import Store
from tests.support.tracker.callbacks import deliver_callback, ended_fields
from tests.support.tracker.parts import PUBLIC_URL, SHORT_INTERVALS, wait_for_state
from tests.support.tracker.scripted_plivo import ScriptedPlivo

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "recordings.db")


def left_open() -> tuple[list[str], int]:
    """The threads and the number of descriptors of this process."""
    return [thread.name for thread in threading.enumerate()], len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_recording_is_followed_through_many_event_loops(store: Store, run: Run) -> None:
    """Entered and left, entered and never left, and never entered at all."""
    plivo = ScriptedPlivo(httpx.ReadTimeout("no answer"))
    client = plivo.client()
    tracker = RecordingTracker(client, public_url=PUBLIC_URL, store=store, tracking=SHORT_INTERVALS)
    url: list[str] = []

    async def start_without_entering() -> str:
        with pytest.raises(OutcomeUnknownError) as unknown:
            await tracker.start("standup", transcribe=True)
        url.extend(plivo.starts[0][name] for name in ("callback_url", "transcription_url"))
        assert unknown.value.start_id is not None
        return unknown.value.start_id

    async def enter_and_leave(start_id: str) -> None:
        async with client, tracker:
            waiting = asyncio.create_task((await tracker.get(start_id)).recorded(timeout=10))
            await asyncio.sleep(0)
            assert (await deliver_callback(tracker, url[0], ended_fields())).status_code == 200
            assert (await waiting).recording_id == "rec-1"

    async def enter_and_never_leave(start_id: str) -> None:
        await client.__aenter__()
        await tracker.__aenter__()
        waiting.append(asyncio.create_task((await tracker.get(start_id)).transcribed()))
        await tracker.start("other")
        await asyncio.sleep(0)

    async def hear_the_end(start_id: str) -> None:
        async with client, tracker:
            text = {"recording_id": "rec-1", "transcription": "good morning"}
            assert (await deliver_callback(tracker, url[1], text)).status_code == 200
            await wait_for_state(store, start_id, "transcribed")

    waiting: list[asyncio.Task[Any]] = []
    run(asyncio.sleep(0))  # uvloop keeps two descriptors of its first event loop
    before = left_open()
    start_id: str = run(start_without_entering())
    run(enter_and_leave(start_id))
    for _ in range(3):
        run(enter_and_never_leave(start_id))
    run(hear_the_end(start_id))
    assert all(task.cancelled() for task in waiting)
    assert left_open() == before


def test_event_loops_that_end_without_closing_leave_no_task_and_no_descriptor(tmp_path: Path) -> None:
    plivo = ScriptedPlivo()

    async def forget_to_close(number: int) -> None:
        tracker = RecordingTracker(
            plivo.client(),
            public_url=PUBLIC_URL,
            store=SQLiteStore(tmp_path / f"{number % 3}.db"),
            tracking=SHORT_INTERVALS,
        )
        if number % 2:
            await tracker.__aenter__()
        await tracker.start("standup")

    before = left_open()
    for number in range(50):
        asyncio.run(forget_to_close(number))
        assert left_open() == before


async def test_a_tracker_in_use_in_one_event_loop_is_refused_in_another(store: Store) -> None:
    plivo = ScriptedPlivo()
    async with plivo.client() as client, RecordingTracker(client, public_url=PUBLIC_URL, store=store) as tracker:
        recording = await tracker.start("standup")
        url: str = plivo.starts[0]["callback_url"]

        async def enter() -> None:
            async with tracker:
                pytest.fail("it was entered")

        for call in (enter, lambda: tracker.start("standup"), lambda: tracker.get(recording.start_id), tracker.aclose):
            with pytest.raises(ConfigurationError, match="in use in another event loop that is still running; make"):
                await asyncio.to_thread(asyncio.run, call())
        reply = await asyncio.to_thread(asyncio.run, deliver_callback(tracker, url, ended_fields()))
        assert reply.status_code == 503, "Plivo tries again, perhaps where it is in use"
        assert (await recording.status()).state == "accepted"
        assert len(plivo.starts) == 1


def test_forked_process_gets_an_error_that_asks_for_its_own_tracker(tmp_path: Path) -> None:
    tracker = RecordingTracker(
        ScriptedPlivo().client(), public_url=PUBLIC_URL, store=SQLiteStore(tmp_path / "recordings.db")
    )

    async def fork() -> int:
        await tracker.start("standup")
        child = os.fork()
        if child == 0:
            try:
                asyncio.set_event_loop(None)
                asyncio.run(refused())
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        await tracker.check()
        return os.waitstatus_to_exitcode(status)

    async def refused() -> None:
        for call in (tracker.__aenter__, tracker.check):
            with pytest.raises(ConfigurationError, match="was in use before this process was forked; make one in each"):
                await call()
        await tracker.aclose()

    assert asyncio.run(fork()) == 0


@pytest.mark.parametrize("action", ["delete", "replace"])
async def test_callback_is_not_acknowledged_after_the_file_is_replaced(tmp_path: Path, action: str) -> None:
    path = tmp_path / "recordings.db"
    plivo, store = ScriptedPlivo(), SQLiteStore(path)
    async with plivo.client() as client, RecordingTracker(client, public_url=PUBLIC_URL, store=store) as tracker:
        recording = await tracker.start("standup")
        if action == "replace":
            await asyncio.to_thread(shutil.copy, path, tmp_path / "copy.db")
            await asyncio.to_thread((tmp_path / "copy.db").rename, path)
        else:
            await asyncio.to_thread(path.unlink)
        assert (await deliver_callback(tracker, plivo.starts[0]["callback_url"], ended_fields())).status_code == 503
        for call in (recording.status, tracker.check, lambda: tracker.start("other")):
            with pytest.raises(StoreError, match="while it was in use"):
                await call()
        assert len(plivo.starts) == 1
