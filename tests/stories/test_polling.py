"""A tracker without a public URL follows recordings by asking Plivo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from plivo_record_async import (
    OutcomeUnknownError,
    RecordClient,
    RecordingEnded,
    RecordingTracker,
    SQLiteStore,
    TrackedRecording,
    WaitTimeoutError,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.protocol.models import RecordingState


@asynccontextmanager
async def polling(plivo: Emulator, **options: Any) -> AsyncGenerator[RecordingTracker]:
    """A tracker without a public URL, with the clock of the emulator."""
    async with (
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
        RecordingTracker(client, clock=plivo.clock, **options) as tracker,
    ):
        yield tracker


async def reached(recording: TrackedRecording, plivo: Emulator, state: RecordingState) -> timedelta:
    """How much virtual time passes until the recording has this state."""
    began = plivo.clock.now()
    async with asyncio.timeout(30):
        while (await recording.status()).state != state:
            await plivo.advance(30)
            await asyncio.sleep(0.002)
    return plivo.clock.now() - began


def sent(plivo: Emulator, operation: str) -> int:
    return sum(request.operation == operation for request in plivo.requests)


async def test_the_end_is_found_without_a_callback() -> None:
    ended: list[RecordingEnded] = []
    async with Emulator(clock="virtual") as plivo, polling(plivo) as tracker:
        tracker.on(RecordingEnded)(collected(ended))
        recording = await tracker.start("standup", file_format="wav")
        status = await recording.status()
        assert (status.state, bool(status.recording_id), bool(status.record_url)) == ("started", True, True)
        await plivo.advance(3600)
        assert (await recording.status()).state == "started"
        with pytest.raises(WaitTimeoutError):
            await recording.recorded(timeout=0)
        await plivo.end_conference("standup")
        await reached(recording, plivo, "recorded")
        end = await recording.recorded(timeout=0)
        assert (end.duration_ms, end.conference_name, end.api_id) == (3_600_000, "standup", status.api_id)
        assert (end.record_url, end.recording_id) == (status.record_url, status.recording_id)
        assert end.started_at is not None
        assert end.ended_at == end.started_at + timedelta(hours=1)
        assert [event.recording_id for event in ended] == [status.recording_id]
        plivo.assert_executed_once("standup")
    assert plivo.deliveries == []


def collected(events: list[RecordingEnded]) -> Any:
    async def collect(event: RecordingEnded) -> None:
        events.append(event)

    return collect


async def test_stop_ends_the_recording_of_a_live_conference() -> None:
    async with Emulator(clock="virtual") as plivo, polling(plivo) as tracker:
        recording = await tracker.start("standup")
        await plivo.advance(600)
        await recording.stop()
        await reached(recording, plivo, "recorded")
        assert (await recording.recorded()).duration_ms == 600_000


async def test_lost_answer_of_a_start_is_resolved_by_conference_and_time() -> None:
    async with Emulator(clock="virtual") as plivo, polling(plivo) as tracker:
        plivo.faults.on("start", conference="standup").reset_after_execution()
        with pytest.raises(OutcomeUnknownError) as unknown:
            await tracker.start("standup")
        recording = await tracker.get(unknown.value.start_id)
        await plivo.advance(600)
        await plivo.end_conference("standup")
        await reached(recording, plivo, "recorded")
        plivo.assert_executed_once("standup")


async def test_start_that_was_not_executed_is_absent() -> None:
    async with Emulator(clock="virtual") as plivo, polling(plivo) as tracker:
        plivo.faults.on("start", conference="standup").reset_before_execution()
        with pytest.raises(OutcomeUnknownError) as unknown:
            await tracker.start("standup")
        await plivo.open_conference("standup")
        await plivo.end_conference("standup")
        await reached(await tracker.get(unknown.value.start_id), plivo, "absent")
        assert plivo.executions("standup") == 0


async def test_recording_is_followed_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "recordings.db"
    async with Emulator(clock="virtual") as plivo:
        async with polling(plivo, store=SQLiteStore(path)) as tracker:
            start_id = (await tracker.start("standup", dedupe_key="monday")).start_id
        await plivo.advance(600)
        await plivo.end_conference("standup")
        await plivo.advance(6000)
        async with polling(plivo, store=SQLiteStore(path)) as tracker:
            recording = await tracker.start("standup", dedupe_key="monday")
            assert recording.start_id == start_id
            await reached(recording, plivo, "recorded")
        plivo.assert_executed_once("standup")
