"""Hours and days of following take milliseconds with the clock of a virtual emulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from plivo_record_async import RecordClient, RecordingFailedError, RecordingTracker, TrackedRecording, TrackingPolicy
from plivo_record_async.emulator import Dialect, Emulator
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.serving import open_listener, serving, url_of


@asynccontextmanager
async def following(
    tracking: TrackingPolicy | None = None, dialect: Dialect | None = None
) -> AsyncGenerator[tuple[Emulator, RecordingTracker]]:
    async with Emulator(clock="virtual", dialect=dialect) as plivo:
        client = RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url, rate_limit=None)
        with open_listener("127.0.0.1", 0) as listener:
            tracker = RecordingTracker(
                client, public_url=url_of(listener), clock=plivo.clock, tracking=tracking or TrackingPolicy()
            )
            async with client, tracker, serving(tracker, listener):
                yield plivo, tracker


async def reached(recording: TrackedRecording, plivo: Emulator, state: RecordingState) -> timedelta:
    """How much virtual time passes until the recording has this state. A minute takes a few milliseconds."""
    began = plivo.clock.now()
    async with asyncio.timeout(30):
        while (await recording.status()).state != state:
            await plivo.advance(60)
            await asyncio.sleep(0.001)
    return plivo.clock.now() - began


def executed_transcriptions(plivo: Emulator) -> list[int]:
    return [recording["executed_transcriptions"] for recording in plivo.state()["recordings"]]


async def test_recording_of_an_hour_takes_no_time() -> None:
    async with following() as (plivo, tracker):
        recording = await tracker.start("standup", transcribe=True)
        await plivo.advance(3600)
        await plivo.end_conference("standup")
        ended = await recording.recorded(timeout=10)
        assert ended.duration_ms == 3_600_000
        assert (await recording.transcribed(timeout=10)).transcription


async def test_lost_callbacks_are_made_up_for_by_asking() -> None:
    async with following() as (plivo, tracker):
        plivo.faults.on("callback").drop()
        recording = await tracker.start("standup")
        await plivo.advance(3600)
        await plivo.end_conference("standup")
        passed = await reached(recording, plivo, "recorded")
        assert passed < timedelta(hours=30)


async def test_lost_transcript_is_asked_for() -> None:
    async with following() as (plivo, tracker):
        recording = await tracker.start("standup", transcribe=True)
        await plivo.callbacks_settled()
        plivo.faults.on("callback", times=2).drop()
        await plivo.end_conference("standup")
        passed = await reached(recording, plivo, "transcribed")
        assert passed < timedelta(minutes=20)
        assert (await recording.transcribed(timeout=0)).transcription == "This is what was said in standup."
        assert executed_transcriptions(plivo) == [0]


async def test_lost_transcript_is_given_up_after_two_days_if_plivo_has_none() -> None:
    patient, slow = TrackingPolicy(poll_interval=timedelta(minutes=1)), Dialect(transcription_s=1e9)
    async with following(patient, slow) as (plivo, tracker):
        recording = await tracker.start("standup", transcribe=True)
        await plivo.callbacks_settled()
        plivo.faults.on("callback", times=2).drop()
        await plivo.end_conference("standup")
        ended_at = plivo.clock.now()
        waiting = asyncio.create_task(recording.transcribed(timeout=30))
        await plivo.advance(47 * 3600)
        assert not waiting.done()
        while not waiting.done():
            await plivo.advance(600)
            await asyncio.sleep(0.005)
        with pytest.raises(RecordingFailedError, match="no transcript was received within 2 days"):
            await waiting
        assert timedelta(hours=48) <= plivo.clock.now() - ended_at < timedelta(hours=50)
        assert executed_transcriptions(plivo) == [0]


async def test_start_without_a_callback_is_unconfirmed_after_two_minutes() -> None:
    async with following() as (plivo, tracker):
        plivo.faults.on("callback").drop()
        recording = await tracker.start("standup")
        assert (await recording.status()).state == "accepted"
        await plivo.advance(100)
        await asyncio.sleep(0.05)
        assert (await recording.status()).state == "accepted"
        assert await reached(recording, plivo, "unconfirmed") <= timedelta(minutes=3)
