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
    RecordingFailedError,
    RecordingTracker,
    SQLiteStore,
    TrackedRecording,
    TrackingPolicy,
    TranscriptionEnded,
    WaitTimeoutError,
)
from plivo_record_async.emulator import Dialect, Emulator
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.evidence import TranscriptRequestBegan
from plivo_record_async.protocol.recording.lifecycle import apply

SLOW = TrackingPolicy(poll_interval=timedelta(seconds=30))
"""A virtual clock stops at each poll interval, so a longer one makes the tests faster."""

UNTRANSCRIBED = Dialect(transcribe_without_url=False)
"""A Plivo that makes a transcript only on a separate request, unless the start had a URL for it."""


@asynccontextmanager
async def polling(plivo: Emulator, **options: Any) -> AsyncGenerator[RecordingTracker]:
    """A tracker without a public URL, with the clock of the emulator. The quota is one of real time, so it has none."""
    async with (
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url, rate_limit=None) as client,
        RecordingTracker(client, clock=plivo.clock, tracking=SLOW, **options) as tracker,
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


def collected(events: list[Any]) -> Any:
    async def collect(event: Any) -> None:
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


# Transcripts


def executed_transcriptions(plivo: Emulator) -> list[int]:
    return [recording["executed_transcriptions"] for recording in plivo.state()["recordings"]]


async def recorded(plivo: Emulator, tracker: RecordingTracker) -> TrackedRecording:
    recording = await tracker.start("standup", transcribe=True)
    await plivo.advance(600)
    await plivo.end_conference("standup")
    await reached(recording, plivo, "recorded")
    return recording


async def test_transcript_is_read_without_a_callback() -> None:
    transcripts: list[TranscriptionEnded] = []
    async with Emulator(clock="virtual", dialect=Dialect(transcription_s=400)) as plivo, polling(plivo) as tracker:
        tracker.on(TranscriptionEnded)(collected(transcripts))
        recording = await recorded(plivo, tracker)
        await reached(recording, plivo, "transcribed")
        transcript = await recording.transcribed(timeout=0)
        assert (transcript.transcription, transcript.duration_s) == ("This is what was said in standup.", 600)
        assert (transcript.charge, transcript.rate) == (0.5, 0.05)
        assert transcript.call_uuid
        assert transcripts == [transcript]
        assert executed_transcriptions(plivo) == [0]


async def test_transcript_that_the_start_did_not_cause_is_requested_once() -> None:
    async with (
        Emulator(clock="virtual", dialect=Dialect(transcribe_without_url=False, transcription_s=400)) as plivo,
        polling(plivo) as tracker,
    ):
        recording = await recorded(plivo, tracker)
        passed = await reached(recording, plivo, "transcribed")
        assert passed > timedelta(minutes=30)
        assert executed_transcriptions(plivo) == [1]


@pytest.mark.parametrize("executed", [True, False])
async def test_transcript_whose_request_has_an_unknown_outcome_is_not_requested_again(executed: bool) -> None:
    async with Emulator(clock="virtual", dialect=UNTRANSCRIBED) as plivo, polling(plivo) as tracker:
        fault = plivo.faults.on("transcribe")
        fault.reset_after_execution() if executed else fault.reset_before_execution()
        recording = await recorded(plivo, tracker)
        if executed:
            await reached(recording, plivo, "transcribed")
        else:
            with pytest.raises(RecordingFailedError, match="no transcript was received"):
                await given_up(recording, plivo)
        assert executed_transcriptions(plivo) == [int(executed)]
        assert sent(plivo, "transcribe") == 1


async def given_up(recording: TrackedRecording, plivo: Emulator) -> None:
    waiting = asyncio.create_task(recording.transcribed())
    async with asyncio.timeout(30):
        while not waiting.done():
            await plivo.advance(3600)
            await asyncio.sleep(0.005)
    await waiting


async def test_transcript_whose_request_was_rejected_by_the_quota_is_requested_again() -> None:
    async with Emulator(clock="virtual", dialect=UNTRANSCRIBED) as plivo, polling(plivo) as tracker:
        plivo.faults.on("transcribe", times=1).status(429, retry_after="0")
        await reached(await recorded(plivo, tracker), plivo, "transcribed")
        assert executed_transcriptions(plivo) == [1]


async def test_recording_that_was_deleted_at_plivo_has_no_transcript() -> None:
    async with Emulator(clock="virtual") as plivo, polling(plivo) as tracker:
        recording = await recorded(plivo, tracker)
        async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
            await client.delete_recording((await recording.recorded()).recording_id or "")
        with pytest.raises(RecordingFailedError, match="not found"):
            await given_up(recording, plivo)
        assert (await recording.status()).state == "recorded"


async def test_request_for_a_transcript_is_not_repeated_after_the_process_has_died(tmp_path: Path) -> None:
    """The request is stored before it is sent, so a process that finds it does not send it again."""
    store = SQLiteStore(tmp_path / "recordings.db")
    async with Emulator(clock="virtual", dialect=UNTRANSCRIBED) as plivo:
        async with polling(plivo, store=store) as tracker:
            recording = await recorded(plivo, tracker)
            record = await store.get(recording.start_id)
            assert record is not None
            begun, _ = apply(record, TranscriptRequestBegan(), plivo.clock.now())
            assert await store.replace(begun)
            with pytest.raises(RecordingFailedError, match="no transcript was received"):
                await given_up(recording, plivo)
        assert sent(plivo, "transcribe") == 0


async def test_recording_without_a_transcript_is_not_asked_for_one() -> None:
    async with Emulator(clock="virtual") as plivo, polling(plivo) as tracker:
        recording = await tracker.start("standup")
        await plivo.end_conference("standup")
        await reached(recording, plivo, "recorded")
        with pytest.raises(RecordingFailedError, match="without transcribe=True"):
            await recording.transcribed()
        before = len(plivo.requests)
        await plivo.advance(100_000)
        assert len(plivo.requests) == before
