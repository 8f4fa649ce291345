"""The scheduler: leases are renewed, due records are processed, and recordings are asked about in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

import attrs
import pytest

from plivo_record_async import StoreError, _clock
from plivo_record_async.protocol.recording.lifecycle import apply
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.tracking.handling.handlers import HandleableEvent
from plivo_record_async.tracking.reconciling.reconciliation_queue import MAX_CONCURRENT
from plivo_record_async.tracking.scheduler import BATCH_SIZE, SendLeases
from tests.support.samples.recordings import ENDED, recording
from tests.support.tracker.flaky_store import EPOCH, FlakyStore
from tests.support.tracker.handlers import RecordingHandler, next_event, wait_until_handled
from tests.support.tracker.parts import SHORT_INTERVALS, TrackerParts, tracker_parts, wait_for_state
from tests.support.tracker.records import ANSWERED, PATIENT, sending, unhandled, unknown
from tests.support.tracker.scripted_plivo import ScriptedPlivo, gated_transport


async def test_start_whose_lease_expires_is_unknown() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        await its.store.create(sending(tracking=PATIENT))
        await its.follower.enter()
        record = await wait_for_state(its.store, "start-1", "unknown")
        assert record.since - record.created_at >= SHORT_INTERVALS.lease


async def test_lease_is_held_until_the_start_has_been_sent() -> None:
    leases = SendLeases()
    with leases.hold(sending("start-1")):
        with leases.hold(sending("start-2")):
            released = asyncio.create_task(leases.wait_until_none_is_held())
        await asyncio.sleep(0)
        assert leases
        assert not released.done()
    await released
    assert not leases


async def test_lease_is_renewed_while_a_start_is_being_sent() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        record = await its.store.create(sending(tracking=PATIENT))
        await its.follower.enter()
        with its.follower.sending(record):
            while _clock.now() < record.created_at + 2.5 * SHORT_INTERVALS.lease:
                kept = await its.ledger.get("start-1")
                assert kept.state == "sending"
                async with asyncio.timeout(1):
                    await its.store.watch("start-1", version=kept.version)
        await wait_for_state(its.store, "start-1", "unknown")


async def test_start_may_end_while_its_lease_is_renewed() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        record = await its.store.create(sending(tracking=PATIENT))
        await its.follower.enter()
        hold = its.store.hold("replaced")
        with its.follower.sending(record):
            await its.store.called("replaced")
        hold.set()
        await wait_for_state(its.store, "start-1", "unknown")


async def test_lease_is_not_renewed_after_a_callback() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        record = await its.store.create(sending(tracking=PATIENT))
        await its.follower.enter()
        with its.follower.sending(record):
            recorded = await its.follower.apply(record, ENDED)
            while _clock.now() < record.created_at + SHORT_INTERVALS.lease:
                await asyncio.sleep(SHORT_INTERVALS.poll_interval.total_seconds())
        assert await its.ledger.get("start-1") == recorded


async def test_accepted_start_without_a_callback_is_unconfirmed() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        await its.follower.apply(await its.store.create(sending(tracking=PATIENT)), ANSWERED)
        await its.follower.enter()
        await wait_for_state(its.store, "start-1", "unconfirmed")


async def test_polling_goes_on_after_the_store_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        await its.store.create(sending(tracking=PATIENT))
        await its.follower.enter()
        its.store.broken = {"due"}
        await its.store.called("due", times=4)
        its.store.broken = set()
        await wait_for_state(its.store, "start-1", "unknown")
    assert "it will be polled again" in caplog.text


async def test_record_that_is_pruned_while_it_is_processed_delays_no_other() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        for start_id in ("start-1", "start-2"):
            accepted, _ = apply(sending(start_id, tracking=PATIENT), ANSWERED, _clock.now(), PATIENT)
            await its.store.create(attrs.evolve(accepted, due_at=EPOCH))
        hold = its.store.hold("replace")
        await its.follower.enter()
        await its.store.called("replace", times=2)
        await its.store.prune_one("start-1")
        hold.set()
        await wait_for_state(its.store, "start-2", "unconfirmed")


async def test_start_that_is_forgotten_while_it_is_sent_delays_no_other(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        one, other = [
            await its.store.create(sending(start_id, tracking=PATIENT)) for start_id in ("start-1", "start-2")
        ]
        with its.follower.sending(one), its.follower.sending(other):
            await its.store.forget("start-1", now=_clock.now())
            its.follower.request_reconciliation("start-1")
            await its.follower.enter()
            renewed = await its.store.watch("start-2", version=other.version)
            assert renewed is not None
    assert caplog.text == ""


async def wait_until_all_are(its: TrackerParts, state: str, start_ids: Sequence[str]) -> None:
    async with asyncio.timeout(20):
        for start_id in start_ids:
            record = await its.ledger.get(start_id)
            while record.state != state:
                changed = await its.store.watch(start_id, version=record.version)
                assert changed is not None
                record = changed


async def test_all_due_records_are_processed_in_one_poll() -> None:
    tracking = attrs.evolve(PATIENT, poll_interval=timedelta(hours=1))
    async with tracker_parts(ScriptedPlivo(), tracking=tracking) as its:
        start_ids = [f"start-{number:04}" for number in range(10 * BATCH_SIZE + 1)]
        for start_id in start_ids:
            await its.store.create(attrs.evolve(sending(start_id, tracking=tracking), due_at=_clock.now()))
        await its.follower.enter()
        await wait_until_all_are(its, "unknown", start_ids)


async def test_record_that_cannot_be_processed_delays_no_other(caplog: pytest.LogCaptureFixture) -> None:
    tracking = attrs.evolve(PATIENT, poll_interval=timedelta(hours=1))
    async with tracker_parts(ScriptedPlivo(), tracking=tracking) as its:
        start_ids = [f"start-{number:04}" for number in range(3 * BATCH_SIZE)]
        for number in range(BATCH_SIZE + 1):
            await its.store.create(attrs.evolve(recording("rejected", f"odd-{number}"), due_at=EPOCH))
        for start_id in start_ids:
            await its.store.create(attrs.evolve(sending(start_id, tracking=tracking), due_at=_clock.now()))
        await its.follower.enter()
        await wait_until_all_are(its, "unknown", start_ids)
        while not caplog.records:
            await asyncio.sleep(0)
    assert f"({BATCH_SIZE + 1} sub-exceptions)" in caplog.text
    assert "start odd-0 is rejected and due at" in caplog.text


async def test_recordings_to_ask_about_wait_in_the_store_and_delay_no_others() -> None:
    plivo, go = ScriptedPlivo(), asyncio.Event()
    waiting, transport = gated_transport(plivo, go)
    async with tracker_parts(plivo, tracking=PATIENT, transport=transport) as its:
        for number in range(50):
            await its.store.create(attrs.evolve(unknown(f"silent-{number}", tracking=PATIENT), due_at=EPOCH))
        start_ids = [f"start-{number}" for number in range(50)]
        for start_id in start_ids:
            await its.store.create(attrs.evolve(sending(start_id, tracking=PATIENT), due_at=_clock.now()))
        await its.follower.enter()
        await wait_until_all_are(its, "unknown", start_ids)
        while waiting[0] < MAX_CONCURRENT:
            await asyncio.sleep(0)
        left = await its.store.due(_clock.now(), limit=1000, silent=True)
        assert len(left) == 50 - MAX_CONCURRENT
        assert its.follower._session.queue.waiting_count == 0  # pyright: ignore[reportPrivateUsage]
        go.set()
        while await its.store.due(_clock.now(), silent=True):
            await asyncio.sleep(0)
        assert {f"silent-{number}" for number in range(50)} <= set(its.store.start_ids)


async def test_each_due_record_is_processed_by_one_of_two_processes() -> None:
    store, tracking = FlakyStore(), attrs.evolve(SHORT_INTERVALS, handler_lease=timedelta(hours=1))
    handled = list[str]()

    async def handle(record: FollowedRecording, _: HandleableEvent) -> None:
        handled.append(record.start_id)

    for number in range(4 * BATCH_SIZE):
        record = unhandled(f"start-{number}", tracking=tracking)
        await store.create(attrs.evolve(record, due_at=_clock.now()))
    async with (
        tracker_parts(ScriptedPlivo(), tracking=tracking, store=store) as one,
        tracker_parts(ScriptedPlivo(), tracking=tracking, store=store) as other,
    ):
        for its in (one, other):
            its.follower.add_handler("RecordingEnded", handle)
            await its.follower.enter()
        for number in range(4 * BATCH_SIZE):
            await wait_until_handled(one, f"start-{number}")
        assert sorted(handled) == sorted(f"start-{number}" for number in range(4 * BATCH_SIZE))


async def test_plivo_is_asked_again_until_there_is_evidence() -> None:
    plivo = ScriptedPlivo()
    plivo.broken = True
    async with tracker_parts(plivo) as its:
        await its.store.create(unknown())
        await its.follower.enter()
        while len(plivo.queries) < 2:
            await asyncio.sleep(SHORT_INTERVALS.poll_interval.total_seconds())
        plivo.broken, plivo.live = False, False
        record = await wait_for_state(its.store, "start-1", "absent")
        assert record.gone_at is not None
        assert record.since - record.gone_at >= SHORT_INTERVALS.absence_grace


async def test_recording_that_plivo_lists_is_recorded() -> None:
    plivo = ScriptedPlivo()
    now = _clock.now().timestamp() * 1000
    plivo.rows = [
        {
            "recording_id": "rec-1",
            "conference_name": "standup",
            "recording_url": "https://f/rec-1.mp3",
            "recording_duration_ms": "61000.00000",
            "recording_start_ms": f"{now:.5f}",
            "recording_end_ms": f"{now + 61000:.5f}",
        }
    ]
    async with tracker_parts(plivo) as its:
        handler = RecordingHandler()
        its.follower.add_handler("RecordingEnded", handler)
        await its.store.create(unknown())
        await its.follower.enter()
        assert (await wait_for_state(its.store, "start-1", "recorded")).recording_id == "rec-1"
        assert (await next_event(handler)).raw["recording_id"] == "rec-1"


async def test_each_error_of_a_poll_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=SHORT_INTERVALS) as its:
        for number in range(3):
            await its.store.create(attrs.evolve(sending(f"start-{number}"), due_at=_clock.now()))
        its.store.broken = {"replace"}
        await its.follower.enter()
        await its.store.called("replace", times=12)
        [line] = [record for record in caplog.records if "it will be polled again" in record.message]
        assert line.exc_info is not None
        failed = cast("ExceptionGroup[Exception]", line.exc_info[1])
        assert [type(error) for error in failed.exceptions] == [StoreError] * 3
        its.store.broken = set()
        await wait_for_state(its.store, "start-2", "unknown")
        its.store.broken = {"due"}
        while "due: the disk is full" not in caplog.text:
            await asyncio.sleep(0)
        its.store.broken = set()
