"""The follower: opening, closing, applying evidence, and what it does in the background."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from plivo_record_async import ClosedError, StoreError, _clock
from plivo_record_async.protocol.recording.handler_runs import HandlerRun
from plivo_record_async.protocol.recording.lifecycle import GiveUpHandler, Reconcile
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.tracking import follower
from plivo_record_async.tracking.handling.handlers import HandleableEvent
from plivo_record_async.tracking.reconciling.reconciliation_queue import MIN_INTERVAL
from tests.support.samples.recordings import ENDED
from tests.support.tracker.handlers import RecordingHandler, next_event, wait_until_handled
from tests.support.tracker.parts import SHORT_INTERVALS, other_tasks, tracker_parts, wait_for_state
from tests.support.tracker.records import ANSWERED, PATIENT, sending, unhandled, unknown
from tests.support.tracker.scripted_plivo import ScriptedPlivo, gated_transport
from tests.support.virtual_time import run


async def test_effects_that_can_be_deferred_wait_while_many_are_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "MAX_PENDING", 5)
    plivo, go = ScriptedPlivo(), asyncio.Event()
    _, transport = gated_transport(plivo, go)
    async with tracker_parts(plivo, transport=transport) as its:
        handler = RecordingHandler()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        ended = [unhandled(f"start-{number}") for number in range(20)]
        for record in ended:
            await its.store.create(attrs.evolve(record, due_at=_clock.now()))
        await its.follower.enter()
        for _ in range(3):
            await its.store.called("due", times=its.store.calls.count("due") + 2)
        assert handler.times == 5
        for record in ended:
            its.follower.act(record, [Reconcile()], can_be_deferred=True)
        assert its.follower._session.queue.waiting_count <= 5  # pyright: ignore[reportPrivateUsage]
        handler.go.set()
        for record in ended:
            await wait_until_handled(its, record.start_id)
        assert handler.times == 20


async def test_handler_may_close_the_tracker() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        kept: list[FollowedRecording | None] = []

        async def close(record: FollowedRecording, _: HandleableEvent) -> None:
            await its.follower.aclose(grace=5)
            kept.append(record)

        its.follower.add_handler("RecordingEnded", close)
        record = await its.store.create(sending(tracking=PATIENT))
        changed = await its.follower.apply(record, ENDED)
        while other_tasks():
            await asyncio.wait(other_tasks())
        assert kept == [changed]
        assert changed.unhandled == ("RecordingEnded",)


async def test_entering_raises_if_the_store_cannot_be_read() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        its.store.broken = {"due"}
        with pytest.raises(StoreError):
            await its.follower.enter()
        assert other_tasks() == set()


async def test_closed_follower_can_be_entered_again() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        await its.store.create(sending(tracking=PATIENT))
        for _ in range(2):
            await its.follower.aclose(grace=0)
            with pytest.raises(ClosedError):
                its.follower.ensure_open()
        await its.follower.enter()
        its.follower.ensure_open()
        await wait_for_state(its.store, "start-1", "unknown")


async def test_concurrent_entries_start_the_scheduler_once() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        hold = its.store.hold("due")
        opening = [asyncio.create_task(its.follower.enter()) for _ in range(3)]
        await its.store.called("due")
        hold.set()
        await asyncio.gather(*opening)
        assert len(other_tasks()) == 4


async def test_follower_stays_closed_if_the_store_cannot_be_read() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        await its.follower.aclose(grace=0)
        its.store.broken = {"due"}
        with pytest.raises(StoreError):
            await its.follower.enter()
        with pytest.raises(ClosedError):
            its.follower.ensure_open()


async def test_closing_waits_for_handlers_and_for_storing_their_success() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = RecordingHandler()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        await its.follower.enter()
        await its.follower.apply(await its.store.create(sending()), ENDED)
        await next_event(handler)
        closing = asyncio.create_task(its.follower.aclose(grace=10))
        await asyncio.sleep(0.05)
        assert not closing.done()
        its.store.calls.clear()
        handler.go.set()
        await closing
        assert "replaced" in its.store.calls
        assert other_tasks() == set()


async def test_closing_waits_for_starts() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        record = await its.store.create(sending())
        answered = asyncio.Event()

        async def sent() -> None:
            with its.follower.sending(record):
                await answered.wait()
                await its.follower.apply(record, ANSWERED)

        task = asyncio.create_task(sent())
        await asyncio.sleep(0)
        closing = asyncio.create_task(its.follower.aclose(grace=10))
        done, _ = await asyncio.wait({closing}, timeout=0.05)
        assert not done
        answered.set()
        await closing
        assert task.done()
        await task


async def test_closing_waits_no_longer_than_the_grace() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = RecordingHandler()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        record = await its.store.create(sending())
        await its.follower.apply(record, ENDED)
        await next_event(handler)
        with its.follower.sending(record):
            await its.follower.aclose(grace=0.05)
        assert other_tasks() == set()


async def test_closing_cancels_reconciliations() -> None:
    plivo, go = ScriptedPlivo(), asyncio.Event()
    waiting, transport = gated_transport(plivo, go)
    async with tracker_parts(plivo, transport=transport) as its:
        await its.store.create(unknown())
        await its.follower.enter()
        while not waiting[0]:
            await asyncio.sleep(SHORT_INTERVALS.poll_interval.total_seconds())
        async with asyncio.timeout(1):
            await its.follower.aclose(grace=10)
        go.set()


async def test_outcome_that_arrives_after_closing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        record = await its.store.create(sending())
        await its.follower.aclose(grace=0)
        await its.follower.apply_with_retry(record, ANSWERED)
    assert "start start-1: a change could not be stored, because the store is closed" in caplog.text


async def test_evidence_of_a_start_that_was_never_stored_is_dropped() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        await its.follower.apply_with_retry(sending(), ANSWERED)
        assert its.store.calls == ["replace", "replaced", "get"]


async def test_follower_closes_when_it_was_left_as_often_as_it_was_entered() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        await its.follower.enter()
        await its.follower.enter()
        await its.follower.leave(grace=0)
        its.follower.ensure_open()
        for _ in range(2):
            await its.follower.leave(grace=0)
            with pytest.raises(ClosedError):
                its.follower.ensure_open()


async def test_evidence_is_applied_when_the_store_works_again(caplog: pytest.LogCaptureFixture) -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        record = await its.store.create(sending(tracking=PATIENT))
        its.store.broken = {"replace"}
        its.follower.spawn(its.follower.apply_with_retry(record, ANSWERED))
        await its.store.called("replace", times=2)
        its.store.broken = set()
        await wait_for_state(its.store, "start-1", "accepted")
    assert "start start-1: a change could not be stored; the tracker retries after the poll interval" in caplog.text


async def test_handler_that_runs_for_too_long_is_given_up() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        handler = RecordingHandler()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler, "endless")
        record = await its.follower.apply(await its.store.create(sending(tracking=PATIENT)), ENDED)
        await next_event(handler)
        run = HandlerRun(event="RecordingEnded", handler="endless", since=_clock.now(), error="it did not end")
        its.follower.act(record, [GiveUpHandler(run)])
        while other_tasks():
            await asyncio.wait(other_tasks())


def test_request_within_a_minute_is_repeated_only_while_the_follower_is_open() -> None:
    async def main() -> None:
        plivo = ScriptedPlivo()
        async with tracker_parts(plivo, tracking=PATIENT) as its:
            await its.store.create(unknown(tracking=PATIENT))
            for _ in range(2):
                its.follower.request_reconciliation("start-1")
            await asyncio.sleep(1.5 * MIN_INTERVAL)
            assert plivo.queries.count("Recording/") == 2
            its.follower.request_reconciliation("start-1")
            await its.follower.aclose(grace=0)
            await asyncio.sleep(2 * MIN_INTERVAL)
        assert plivo.queries.count("Recording/") == 2

    run(main())
