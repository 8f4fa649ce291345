"""Evidence is stored in the record, also when others change it at the same time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import attrs
import pytest

from plivo_record_async import MemoryStore, StoreError, UnknownStartError
from plivo_record_async.protocol.clocks import Reading
from plivo_record_async.protocol.recording.evidence import (
    EventName,
    Evidence,
    SendingBegan,
    SendingContinued,
    StartAccepted,
    StartNotSent,
)
from plivo_record_async.protocol.recording.lifecycle import Reconcile, RunHandlers
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.tracking.ledger import ContradictionError, Ledger
from tests.support.samples.recordings import ACCEPTED, CONFIRMED, ENDED, NOW, SECOND, TRANSCRIBED, recording
from tests.support.tracker.flaky_store import FlakyStore

HANDLED: frozenset[EventName] = frozenset({"RecordingEnded"})
CANCELLED = StartNotSent(description="cancelled")


async def test_new_evidence_is_stored_and_its_effects_are_returned() -> None:
    ledger = Ledger(store=MemoryStore(), events_with_handlers=HANDLED)
    record = await ledger.store.create(recording("accepted"))
    changed, effects = await ledger.apply(record, ENDED)
    assert changed == await ledger.get(record.start_id)
    assert (changed.state, changed.version, changed.ended) == ("recorded", record.version + 1, ENDED)
    assert effects == (RunHandlers(ENDED),)


async def test_known_evidence_is_not_stored_again() -> None:
    store = FlakyStore()
    ledger = Ledger(store=store)
    record = await store.create(recording("recorded"))
    store.calls.clear()
    assert await ledger.apply(record, ENDED) == (record, ())
    assert store.calls == []


async def test_concurrent_change_is_not_overwritten() -> None:
    store = MemoryStore()
    first, second = Ledger(store=store, events_with_handlers=HANDLED), Ledger(store=store, events_with_handlers=HANDLED)
    record = await store.create(recording("sending"))
    await second.apply(record, ENDED)
    changed, effects = await first.apply(record, ACCEPTED)
    assert (changed.state, changed.ended, changed.version) == ("recorded", ENDED, record.version + 2)
    assert changed.start_response is not None
    assert effects == ()


async def test_effects_of_evidence_applied_twice_are_returned_once() -> None:
    store = MemoryStore()
    ledgers = [Ledger(store=store, events_with_handlers=HANDLED) for _ in range(8)]
    record = await store.create(recording("accepted"))
    outcomes = await asyncio.gather(*(ledger.apply(record, ENDED) for ledger in ledgers))
    assert [effects for _, effects in outcomes if effects] == [(RunHandlers(ENDED),)]
    assert {changed.version for changed, _ in outcomes} == {record.version + 1}


async def test_evidence_of_all_concurrent_writers_is_kept() -> None:
    store = MemoryStore()
    record = await store.create(recording("sending"))
    news: list[Evidence] = [ACCEPTED, CONFIRMED, ENDED, TRANSCRIBED]
    await asyncio.gather(*(Ledger(store=store).apply(record, piece) for piece in news))
    changed = await Ledger(store=store).get(record.start_id)
    assert (changed.state, changed.async_response, changed.ended, changed.transcription) == (
        "transcribed",
        CONFIRMED,
        ENDED,
        TRANSCRIBED,
    )


@pytest.mark.parametrize("late", [CANCELLED, StartAccepted(description="202"), SendingContinued()])
async def test_outcome_of_one_sending_does_not_apply_to_the_next(late: Evidence) -> None:
    ledger = Ledger(store=MemoryStore())
    first = await ledger.store.create(recording("sending"))
    not_sent, _ = await ledger.apply(first, CANCELLED)
    again, _ = await ledger.apply(not_sent, SendingBegan())
    assert await ledger.apply(first, late) == (again, ())
    assert await ledger.get(first.start_id) == again


async def test_outcome_may_be_applied_twice() -> None:
    ledger = Ledger(store=MemoryStore())
    sending = await ledger.store.create(recording("sending"))
    once, _ = await ledger.apply(sending, CANCELLED)
    assert await ledger.apply(sending, CANCELLED) == (once, ())


async def test_evidence_of_a_pruned_record_raises_unknown_start_error() -> None:
    store = MemoryStore()
    record = await store.create(recording("failed"))
    assert await store.prune(NOW + SECOND) == 1
    with pytest.raises(UnknownStartError, match="no start with the ID 'start-1'"):
        await Ledger(store=store).apply(record, TRANSCRIBED)
    with pytest.raises(UnknownStartError):
        await Ledger(store=store).get(record.start_id)


async def test_failure_of_the_store_is_raised_and_nothing_changes() -> None:
    store = FlakyStore()
    ledger = Ledger(store=store)
    record = await store.create(recording("accepted"))
    store.broken = {"replace"}
    with pytest.raises(StoreError):
        await ledger.apply(record, ENDED)
    assert await store.get(record.start_id) == record


async def test_evidence_is_checked_again_after_a_concurrent_change() -> None:
    ledger = Ledger(store=MemoryStore())
    record = await ledger.store.create(recording("accepted"))
    known, _ = await ledger.apply(record, CONFIRMED)
    doubted: list[FollowedRecording] = []

    def contradiction(current: FollowedRecording) -> str | None:
        doubted.append(current)
        return "it was confirmed" if current.async_response is not None else None

    with pytest.raises(ContradictionError, match="it was confirmed"):
        await ledger.apply(record, ENDED, contradiction=contradiction)
    assert doubted == [record, known]
    assert await ledger.get(record.start_id) == known
    changed, _ = await ledger.apply(record, ENDED, contradiction=lambda _: None)
    assert changed.ended == ENDED


async def test_due_record_is_claimed_by_one_of_several_processes() -> None:
    store = MemoryStore()
    ledgers = [Ledger(store=store) for _ in range(8)]
    record = await store.create(recording("unknown"))
    ends = await asyncio.gather(*(ledger.apply_due(record) for ledger in ledgers))
    [(taken, effects)] = filter(None, ends)
    assert await store.get(record.start_id) == taken
    assert (taken.version, effects) == (record.version + 1, (Reconcile(),))


async def test_due_record_is_claimed_although_the_clock_was_set_back() -> None:
    store = MemoryStore()
    record = await store.create(recording("unknown"))
    assert record.due_at is not None
    clocks = [Reading(wall=record.due_at, steady=0.0, run="run")]
    ledger = Ledger(store=store, read=lambda: clocks[-1])
    assert ledger.due_time() == record.due_at
    clocks.append(Reading(wall=record.due_at - timedelta(seconds=119), steady=1.0, run="run"))
    assert await store.due(clocks[-1].wall) == []
    assert list(await store.due(ledger.due_time())) == [record]
    assert await ledger.apply_due(record) is not None


async def test_due_record_without_work_raises_value_error() -> None:
    ledger = Ledger(store=MemoryStore())
    record = await ledger.store.create(attrs.evolve(recording("rejected"), due_at=NOW))
    with pytest.raises(ValueError, match=r"start start-1 is rejected and due at .*, but nothing has to be done"):
        await ledger.apply_due(record)
