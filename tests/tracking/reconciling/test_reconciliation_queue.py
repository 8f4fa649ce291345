"""The reconciliation queue: how many recordings are asked about at once, and how often each of them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta

import attrs
import pytest

from plivo_record_async import _clock
from plivo_record_async.protocol.recording.lifecycle import Reconcile, apply
from plivo_record_async.tracking.reconciling.reconciliation_queue import MAX_CONCURRENT, MIN_INTERVAL
from tests.support.samples.recordings import ENDED
from tests.support.tracker.flaky_store import EPOCH
from tests.support.tracker.parts import other_tasks, tracker_parts
from tests.support.tracker.records import ANSWERED, PATIENT, sending, unknown
from tests.support.tracker.scripted_plivo import ScriptedPlivo, gated_transport, listed
from tests.support.virtual_time import run


def test_plivo_is_asked_about_a_recording_at_most_once_a_minute() -> None:
    async def main() -> None:
        plivo = ScriptedPlivo()
        async with tracker_parts(plivo, tracking=PATIENT) as its:
            for start_id in ("start-1", "start-2"):
                await its.store.create(apply(sending(start_id), ANSWERED, _clock.now(), PATIENT)[0])
            for _ in range(100):
                its.follower.request_reconciliation("start-1")
                await asyncio.sleep(0.01)
            assert plivo.queries.count("Recording/") == 1
            its.follower.request_reconciliation("start-2")
            await asyncio.sleep(MIN_INTERVAL - 2)
            assert plivo.queries.count("Recording/") == 2
            await asyncio.sleep(MIN_INTERVAL)
            assert plivo.queries.count("Recording/") == 3  # what came within the minute is asked once it is over
            await asyncio.sleep(10 * MIN_INTERVAL)
            assert plivo.queries.count("Recording/") == 3

    run(main())


def test_plivo_is_not_asked_after_the_tracker_was_closed() -> None:
    async def main() -> None:
        plivo = ScriptedPlivo()
        async with tracker_parts(plivo, tracking=PATIENT) as its:
            await its.store.create(unknown(tracking=PATIENT))
            for _ in range(2):
                its.follower.request_reconciliation("start-1")
        asked = len(plivo.queries)
        await asyncio.sleep(2 * MIN_INTERVAL)
        assert len(plivo.queries) == asked

    run(main())


async def test_few_recordings_are_asked_about_at_once_and_each_waits_once() -> None:
    plivo, go = ScriptedPlivo(), asyncio.Event()
    waiting, transport = gated_transport(plivo, go)
    async with tracker_parts(plivo, tracking=PATIENT, transport=transport) as its:
        records = [await its.store.create(unknown(f"start-{number}", tracking=PATIENT)) for number in range(50)]
        for record in records * 3:
            its.follower.act(record, [Reconcile()])
        while waiting[0] < MAX_CONCURRENT:
            await asyncio.sleep(0)
        assert len(other_tasks()) == 2 * MAX_CONCURRENT  # each worker, and its request
        go.set()
        while other_tasks():
            await asyncio.wait(other_tasks())
        assert plivo.queries.count("Recording/") == len(records)


async def test_recording_that_ended_while_it_waited_is_not_asked_about() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        record = await its.store.create(unknown(tracking=PATIENT))
        its.follower.act(record, [Reconcile()])
        await its.follower.apply(record, ENDED)
        while other_tasks():
            await asyncio.wait(other_tasks())
    assert plivo.requests == []


async def test_start_that_was_forgotten_is_not_asked_about() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        its.follower.act(unknown(tracking=PATIENT), [Reconcile()])
        while other_tasks():
            await asyncio.wait(other_tasks())
    assert plivo.requests == []


async def test_failed_reconciliation_is_logged_and_the_others_are_done(caplog: pytest.LogCaptureFixture) -> None:
    plivo = ScriptedPlivo()
    plivo.broken = True
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        await its.store.create(unknown(tracking=PATIENT))
        queue = its.follower._session.queue  # pyright: ignore[reportPrivateUsage]
        await queue.reconcile_all(["start-1", "start-2"])
        assert queue.waiting_count == 0
    assert "start start-1: Plivo could not be asked about it; it will be asked again later" in caplog.text


async def test_evidence_of_plivo_is_applied() -> None:
    plivo = ScriptedPlivo()
    plivo.live, plivo.ahead = False, timedelta()
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        record = await its.store.create(unknown(tracking=PATIENT))
        its.follower.act(record, [Reconcile()])
        while other_tasks():
            await asyncio.wait(other_tasks())
        assert (await its.ledger.get("start-1")).gone_at is not None


async def test_recording_of_another_account_is_not_asked_about() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        foreign = attrs.evolve(unknown(tracking=PATIENT), auth_id="MAYYYYYYYYYYYYYYYYYY")
        its.follower.act(await its.store.create(foreign), [Reconcile()])
        while other_tasks():
            await asyncio.wait(other_tasks())
    assert plivo.requests == []


# Everything that is not resolved


async def test_everything_unresolved_is_asked_about_once() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        await its.store.create(attrs.evolve(unknown("given up", tracking=PATIENT), due_at=None))
        await its.store.create(apply(sending("accepted"), ANSWERED, _clock.now(), PATIENT)[0])
        await its.store.create(apply(sending("ended"), ENDED, _clock.now(), PATIENT)[0])
        await its.store.create(attrs.evolve(unknown("of another account"), auth_id="MAYYYYYYYYYYYYYYYYYY"))
        await its.store.create(attrs.evolve(sending("dead"), due_at=EPOCH))
        await its.store.create(sending("alive", tracking=PATIENT))
        plivo.rows = [listed("rec-9", at=_clock.now())]
        states = {record.start_id: record.state async for record in its.follower.reconcile_unresolved()}
        assert plivo.queries.count("Recording/") == 3
    assert states.keys() == {"given up", "accepted", "dead", "alive"}
    assert states["alive"] == "sending"
    assert sorted(states.values()).count("recorded") == 1


async def test_start_that_is_forgotten_meanwhile_is_left_out() -> None:
    plivo, go = ScriptedPlivo(), asyncio.Event()
    waiting, transport = gated_transport(plivo, go)
    async with tracker_parts(plivo, tracking=PATIENT, transport=transport) as its:
        await its.store.create(unknown(tracking=PATIENT))
        asking = asyncio.create_task(anext(its.follower.reconcile_unresolved(), None))
        while not waiting[0]:
            await asyncio.sleep(0)
        await its.store.forget("start-1", now=_clock.now())
        go.set()
        assert await asking is None


async def test_recording_about_which_plivo_cannot_be_asked_keeps_its_state() -> None:
    plivo = ScriptedPlivo()
    plivo.broken = True
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        await its.store.create(unknown(tracking=PATIENT))
        assert [record.state async for record in its.follower.reconcile_unresolved()] == ["unknown"]


async def test_leaving_the_loop_early_leaves_no_task() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        for number in range(250):
            await its.store.create(unknown(f"start-{number}", tracking=PATIENT))
        async with aclosing(its.follower.reconcile_unresolved()) as records:
            async for _ in records:
                break
        assert other_tasks() == set()
    assert len(plivo.queries) < 50


async def test_two_starts_of_one_conference_are_not_matched_with_one_row() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        for number in range(4):
            await its.store.create(unknown(f"start-{number}", tracking=PATIENT))
        plivo.rows = [listed("rec-1", at=_clock.now())]
        states = [record.state async for record in its.follower.reconcile_unresolved()]
    assert sorted(states) == ["recorded", "unknown", "unknown", "unknown"]
