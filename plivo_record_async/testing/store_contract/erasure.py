"""Tests of erasure: the methods ``forget`` and ``prune``."""

from __future__ import annotations

import attrs

from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.stores.interface import FollowedRecording, Store
from plivo_record_async.testing.store_contract.event_loop import StoreTests, run_in_event_loop
from plivo_record_async.testing.store_contract.samples import (
    ENDED,
    NOW,
    SECOND,
    TRANSCRIBED,
    next_version,
    orphan,
    planned,
    record_after,
    record_in,
)

__all__ = ["ErasureContract"]


@run_in_event_loop
class ErasureContract(StoreTests):
    """Tests of ``forget`` and ``prune``."""

    async def test_start_is_forgotten_with_its_record_and_its_orphans(self, store: Store) -> None:
        record = await store.create(attrs.evolve(record_after(record_in("accepted"), ENDED), dedupe_key="monday"))
        other = await store.create(planned("start-2"))
        for kept in (
            orphan(UnknownCallback(raw={"a": "b"}), start_id="start-1"),
            orphan(UnknownCallback(raw={"api_id": record.api_id})),
            orphan(UnknownCallback(raw={"RecordingID": record.recording_id}), start_id="start-2"),
            orphan(UnknownCallback(raw={"response": f'{{"recording_id":"{record.recording_id}"}}'})),
            other_orphan := orphan(UnknownCallback(raw={"a": "b"}), start_id="start-2", digest="other"),
        ):
            assert await store.keep_orphan(kept)
        assert await store.forget("start-1", now=NOW)
        assert await store.get("start-1") is None
        assert await store.find("api_id", str(record.api_id)) is None
        assert await store.orphans() == [other_orphan]
        assert await store.get("start-2") == other
        assert not await store.replace(next_version(record))
        assert await store.create(planned("start-3", dedupe_key="monday")) == planned("start-3", dedupe_key="monday")

    async def test_orphans_of_a_forgotten_start_are_not_kept(self, store: Store) -> None:
        record = await store.create(record_after(record_in("accepted"), ENDED))
        await store.forget("start-1", now=NOW)
        for late in (
            orphan(ENDED, start_id="start-1"),
            orphan(UnknownCallback(raw={"api_id": record.api_id})),
            orphan(UnknownCallback(raw={"recording_id": record.recording_id}), start_id="start-2"),
        ):
            assert not await store.keep_orphan(late)
        assert await store.orphans() == []
        assert await store.keep_orphan(orphan(UnknownCallback(raw={"api_id": "another"})))

    async def test_forget_returns_whether_the_start_is_or_was_known(self, store: Store) -> None:
        await store.create(planned())
        assert not await store.forget("start-2", now=NOW)
        assert await store.forget("start-1", now=NOW)
        assert await store.forget("start-1", now=NOW + SECOND)
        assert await store.keep_orphan(orphan(ENDED, start_id="start-2"))
        assert await store.forget("start-2", now=NOW)
        assert await store.orphans() == []

    async def test_forgotten_start_is_remembered_until_it_is_pruned(self, store: Store) -> None:
        await store.create(planned())
        await store.forget("start-1", now=NOW)
        await store.prune(NOW)
        assert not await store.keep_orphan(orphan(ENDED, start_id="start-1"))
        await store.prune(NOW + SECOND)
        assert not await store.forget("start-1", now=NOW)
        assert await store.keep_orphan(orphan(ENDED, start_id="start-1"))

    async def test_old_inactive_records_are_pruned(self, store: Store) -> None:
        await store.create(attrs.evolve(record_in("rejected", "old"), dedupe_key="monday"))
        await store.create(_updated_later(record_in("recorded", "young")))
        await store.create(record_in("started", "running"))
        assert await store.prune(NOW) == 0
        assert await store.prune(NOW + SECOND) == 1
        assert [await store.get(start_id) is None for start_id in ("old", "young", "running")] == [True, False, False]
        assert await store.find("api_id", "api-0") is None
        assert await store.create(planned("new", dedupe_key="monday")) == planned("new", dedupe_key="monday")

    async def test_old_orphans_are_pruned(self, store: Store) -> None:
        await store.keep_orphan(orphan(ENDED))
        await store.keep_orphan(orphan(TRANSCRIBED, received_at=NOW + SECOND))
        assert await store.prune(NOW + SECOND) == 0
        assert [orphan.event for orphan in await store.orphans()] == [TRANSCRIBED]


def _updated_later(record: FollowedRecording) -> FollowedRecording:
    return attrs.evolve(record, history=(*record.history[:-1], attrs.evolve(record.history[-1], at=NOW + SECOND)))
