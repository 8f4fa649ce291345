"""The handle of a recording: waiting for stages, the status, and stopping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from plivo_record_async import (
    ClosedError,
    MemoryStore,
    RecordClient,
    RecordingFailedError,
    RecordingStatus,
    RecordingStopped,
    RecordingTracker,
    TrackedRecording,
    UnknownStartError,
    WaitTimeoutError,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.protocol.models import RecordingState, StartRequest
from plivo_record_async.protocol.recording.evidence import Evidence
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.tracking.ledger import Ledger
from tests.support.samples.recordings import (
    ACCEPTED,
    CONFIRMED,
    ENDED,
    EVIDENCE,
    FAILED,
    NOW,
    SECOND,
    TRANSCRIBED,
    UNTRANSCRIBED,
    planned,
    recording,
)
from tests.support.tracker.scripted_plivo import ScriptedPlivo


@attrs.frozen
class Followed:
    """A handle, and a function that applies evidence to its record."""

    handle: TrackedRecording
    ledger: Ledger
    record: FollowedRecording

    async def learns(self, *evidence: Evidence) -> None:
        for piece in evidence:
            await self.ledger.apply(self.record, piece)


@pytest.fixture
def plivo() -> ScriptedPlivo:
    return ScriptedPlivo()


@pytest.fixture
async def client(plivo: ScriptedPlivo) -> AsyncGenerator[RecordClient]:
    async with plivo.client() as client:
        yield client


async def followed(client: RecordClient, record: FollowedRecording) -> Followed:
    ledger = Ledger(store=MemoryStore())
    handle = TrackedRecording(
        start_id=record.start_id, conference_name=record.conference_name, ledger=ledger, client=client
    )
    return Followed(handle, ledger, await ledger.store.create(record))


async def test_wait_for_a_reached_stage_returns_at_once(client: RecordClient) -> None:
    its = await followed(client, recording("transcribed"))
    assert await its.handle.accepted(timeout=0) == await its.handle.status()
    assert await its.handle.recorded(timeout=0) == ENDED
    assert await its.handle.transcribed(timeout=0) == TRANSCRIBED


async def test_wait_for_a_pending_stage_returns_when_it_is_reached(client: RecordClient) -> None:
    its = await followed(client, recording("sending"))
    waits = asyncio.gather(its.handle.accepted(), its.handle.recorded(), its.handle.transcribed(timeout=10))
    for piece in (ACCEPTED, CONFIRMED, ENDED, TRANSCRIBED):
        await asyncio.sleep(0)
        await its.learns(piece)
    status, ended, transcribed = await waits
    assert (status.state, ended, transcribed) == ("accepted", ENDED, TRANSCRIBED)


async def test_recorded_waits_although_the_transcript_came_first(client: RecordClient) -> None:
    its = await followed(client, recording("accepted"))
    wait = asyncio.create_task(its.handle.recorded())
    await its.learns(TRANSCRIBED)
    await asyncio.sleep(0.01)
    assert not wait.done()
    await its.learns(ENDED)
    assert await wait == ENDED


@pytest.mark.parametrize("state", ["accepted", "unconfirmed", "started", "recorded", "transcribed"])
async def test_any_later_stage_implies_the_acceptance(client: RecordClient, state: RecordingState) -> None:
    its = await followed(client, recording(state))
    assert (await its.handle.accepted(timeout=0)).state == state


@pytest.mark.parametrize("state", ["not_sent", "rejected", "failed", "absent"])
async def test_wait_for_an_impossible_stage_raises_recording_failed_error(
    client: RecordClient, state: RecordingState
) -> None:
    its = await followed(client, recording(state))
    for stage in (its.handle.accepted, its.handle.recorded, its.handle.transcribed):
        with pytest.raises(RecordingFailedError, match=f"of 'standup' is {state} and cannot be ") as failed:
            await stage(timeout=10)
        assert failed.value.recording == await its.handle.status()
        assert failed.value.recording.error is not None
        assert failed.value.recording.error in str(failed.value)
        assert str(failed.value).endswith(". To record the conference, start it again.")


async def test_failure_wakes_waiters(client: RecordClient) -> None:
    its = await followed(client, recording("accepted"))
    wait = asyncio.create_task(its.handle.recorded())
    await asyncio.sleep(0)
    await its.learns(FAILED)
    with pytest.raises(RecordingFailedError, match="not found"):
        await wait


async def test_failed_transcript_raises_recording_failed_error(client: RecordClient) -> None:
    its = await followed(client, recording("recorded"))
    wait = asyncio.create_task(its.handle.transcribed())
    await asyncio.sleep(0)
    await its.learns(UNTRANSCRIBED)
    with pytest.raises(
        RecordingFailedError, match=r"cannot be transcribed: too long\. The recording itself is not"
    ) as failed:
        await wait
    assert failed.value.recording.state == "recorded"
    assert await its.handle.recorded() == ENDED


async def test_wait_for_a_transcript_that_was_not_requested_raises_recording_failed_error(client: RecordClient) -> None:
    its = await followed(client, planned(request=StartRequest("standup", callback_url="https://me.example")))
    with pytest.raises(RecordingFailedError, match=r"started without transcribe=True\. The recording itself is not"):
        await its.handle.transcribed(timeout=10)


@pytest.mark.parametrize("state", ["planned", "sending", "unknown", "unconfirmed", "accepted", "started"])
async def test_timeout_of_a_wait_changes_nothing(client: RecordClient, state: RecordingState) -> None:
    its = await followed(client, recording(state))
    with pytest.raises(
        WaitTimeoutError, match=rf"is {state} and was not recorded within 0.01 s.*Wait again, or"
    ) as late:
        await its.handle.recorded(timeout=0.01)
    assert isinstance(late.value, TimeoutError)
    assert late.value.recording == await its.handle.status()
    await its.learns(ENDED)
    assert await its.handle.recorded(timeout=0) == ENDED


async def test_status_is_the_current_state(client: RecordClient) -> None:
    its = await followed(client, recording("sending"))
    assert (await its.handle.status()).state == "sending"
    await its.learns(EVIDENCE["accepted"], ENDED)
    record = await its.ledger.get("start-1")
    assert await its.handle.status() == RecordingStatus(
        start_id="start-1",
        conference_name="standup",
        state="recorded",
        api_id="api-1",
        recording_id="rec-1",
        record_url="https://f/1.mp3",
        error=None,
        updated_at=record.updated_at,
        duration_ms=ENDED.duration_ms,
        history=record.history,
    )


async def test_pruned_record_raises_unknown_start_error(client: RecordClient) -> None:
    its = await followed(client, recording("not_sent"))
    await its.ledger.store.prune(NOW + SECOND)
    for call in (its.handle.status, its.handle.recorded):
        with pytest.raises(UnknownStartError, match="'start-1'"):
            await call()


async def test_wait_raises_unknown_start_error_when_its_record_is_pruned(client: RecordClient) -> None:
    its = await followed(client, attrs.evolve(recording("unknown"), due_at=None))
    wait = asyncio.create_task(its.handle.recorded())
    await asyncio.sleep(0)
    await its.ledger.store.prune(NOW + SECOND)
    with pytest.raises(UnknownStartError, match="'start-1'"):
        await wait


async def test_wait_ends_when_the_store_is_closed(client: RecordClient) -> None:
    its = await followed(client, recording("accepted"))
    wait = asyncio.create_task(its.handle.recorded())
    await asyncio.sleep(0)
    await its.ledger.store.aclose()
    with pytest.raises(ClosedError):
        await wait


@pytest.mark.parametrize("timeout", ["1", True, timedelta(seconds=1)])
async def test_invalid_timeout_is_named(client: RecordClient, timeout: Any) -> None:
    its = await followed(client, recording("accepted"))
    for wait in (its.handle.accepted, its.handle.recorded, its.handle.transcribed):
        with pytest.raises(TypeError, match=r"timeout must be a number, not (str|bool|timedelta)"):
            await wait(timeout=timeout)


async def test_a_wait_may_be_cancelled(client: RecordClient) -> None:
    its = await followed(client, recording("accepted"))
    wait = asyncio.create_task(its.handle.recorded(timeout=10))
    await asyncio.sleep(0)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait


async def test_stop_stops_the_recording_of_the_conference(client: RecordClient, plivo: ScriptedPlivo) -> None:
    its = await followed(client, recording("started"))
    assert await its.handle.stop(timeout=5) == RecordingStopped()
    [request] = plivo.requests
    assert (request.method, request.url.path.split("/", 4)[4]) == ("DELETE", "Conference/standup/Record/")


async def test_download_waits_for_the_end_of_the_recording(
    plivo_emulator: Emulator, plivo_tracker: RecordingTracker, tmp_path: Path
) -> None:
    handle = await plivo_tracker.start("standup", file_format="wav")
    download = asyncio.create_task(handle.download(tmp_path, timeout=30))
    await asyncio.sleep(0)
    await plivo_emulator.end_conference("standup")
    path = await download
    assert (await anyio.Path(path).read_bytes()).startswith(b"RIFF")


async def test_download_of_an_ended_recording_begins_at_once(
    plivo_emulator: Emulator, plivo_tracker: RecordingTracker, tmp_path: Path
) -> None:
    handle = await plivo_tracker.start("standup", transcribe=True)
    await plivo_emulator.end_conference("standup")
    await handle.recorded(timeout=30)
    recorded = await handle.download(tmp_path / "recorded.mp3", timeout=30)
    await handle.transcribed(timeout=30)
    transcribed = await handle.download(tmp_path / "transcribed.mp3", timeout=30)
    assert await anyio.Path(recorded).read_bytes() == await anyio.Path(transcribed).read_bytes()


@pytest.mark.parametrize("state", ["not_sent", "rejected", "absent", "failed"])
async def test_download_of_what_was_not_recorded_fails_at_once(
    client: RecordClient, state: RecordingState, tmp_path: Path
) -> None:
    its = await followed(client, recording(state))
    with pytest.raises(RecordingFailedError):
        await its.handle.download(tmp_path)


async def test_invalid_arguments_of_a_download_are_rejected_before_the_wait(
    client: RecordClient, tmp_path: Path
) -> None:
    its = await followed(client, recording("started"))
    wrong: Any = "60"
    with pytest.raises(TypeError, match="wait must be a number"):
        await its.handle.download(tmp_path, wait=wrong)
    with pytest.raises(TypeError, match="timeout must be a number"):
        await its.handle.download(tmp_path, timeout=wrong)


@pytest.mark.parametrize("state", ["planned", "sending", "accepted", "started", "unknown", "unconfirmed"])
async def test_download_of_a_recording_that_does_not_end_times_out(
    client: RecordClient, state: RecordingState, tmp_path: Path
) -> None:
    its = await followed(client, recording(state))
    with pytest.raises(WaitTimeoutError):
        await its.handle.download(tmp_path, timeout=0.01)


async def test_handles_of_one_start_are_equal_and_show_no_secrets(client: RecordClient) -> None:
    first, second = await followed(client, recording("started")), await followed(client, recording("started"))
    assert first.handle == second.handle
    assert len({first.handle, second.handle}) == 1
    assert repr(first.handle) == "TrackedRecording(start_id='start-1', conference_name='standup')"
