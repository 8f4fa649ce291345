"""Tests of orphans: which ones are kept, and in which order they are returned."""

from __future__ import annotations

import asyncio

import pytest

from plivo_record_async.protocol.models import CallbackEvent, UnknownCallback
from plivo_record_async.stores.interface import MAX_ORPHANS_PER_START, MAX_ORPHANS_WITHOUT_START, Store
from plivo_record_async.testing.store_contract.event_loop import StoreTests, run_in_event_loop
from plivo_record_async.testing.store_contract.samples import (
    CONFIRMED,
    ENDED,
    NOW,
    SECOND,
    TRANSCRIBED,
    UNTRANSCRIBED,
    orphan,
)

__all__ = ["OrphanContract"]


@run_in_event_loop
class OrphanContract(StoreTests):
    """Tests of ``keep_orphan`` and ``orphans``."""

    @pytest.mark.parametrize("event", [CONFIRMED, ENDED, TRANSCRIBED, UNTRANSCRIBED, UnknownCallback(raw={"a": "b"})])
    async def test_orphan_of_any_event_is_returned_complete(self, store: Store, event: CallbackEvent) -> None:
        odd = orphan(event, start_id="start-1")
        assert await store.keep_orphan(odd)
        [kept] = await store.orphans()
        assert kept == odd
        assert type(kept.event) is type(event)
        assert kept.event.raw == event.raw

    async def test_latest_orphans_are_returned_first(self, store: Store) -> None:
        for number in range(5):
            await store.keep_orphan(orphan(UnknownCallback(raw={"n": str(number)})))
        assert [orphan.event.raw["n"] for orphan in await store.orphans(limit=2)] == ["4", "3"]
        assert len(await store.orphans()) == 5

    async def test_first_of_several_orphans_with_one_digest_is_kept(self, store: Store) -> None:
        first = orphan(ENDED, digest="one", start_id="start-1")
        assert await store.keep_orphan(first)
        for again in (first, orphan(TRANSCRIBED, digest="one", received_at=NOW + SECOND, start_id="start-2")):
            assert not await store.keep_orphan(again)
        assert await store.orphans() == [first]
        kept = await asyncio.gather(*(store.keep_orphan(orphan(ENDED, digest="two")) for _ in range(50)))
        assert sum(kept) == 1

    async def test_latest_orphans_of_each_start_are_kept(self, store: Store) -> None:
        for number in range(MAX_ORPHANS_PER_START + 5):
            for start_id in ("start-1", "start-2"):
                assert await store.keep_orphan(orphan(ENDED, digest=f"{start_id} {number}", start_id=start_id))
        await store.keep_orphan(orphan(ENDED))
        of_1 = [kept.digest for kept in await store.orphans() if kept.start_id == "start-1"]
        assert of_1 == [f"start-1 {number}" for number in range(MAX_ORPHANS_PER_START + 4, 4, -1)]
        assert len(await store.orphans()) == 2 * MAX_ORPHANS_PER_START + 1

    async def test_latest_orphans_without_a_start_are_kept(self, store: Store) -> None:
        digests = [str(number) for number in range(MAX_ORPHANS_WITHOUT_START + 5)]
        await store.keep_orphan(orphan(ENDED, digest="of a start", start_id="start-1"))
        await asyncio.gather(*(store.keep_orphan(orphan(ENDED, digest=digest)) for digest in digests))
        kept = await store.orphans(limit=2 * MAX_ORPHANS_WITHOUT_START)
        assert [each.digest for each in kept] == [*digests[:4:-1], "of a start"]
