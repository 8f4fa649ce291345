"""Tests of ``watch``: a change of a record ends the calls that wait for it, and no others."""

from __future__ import annotations

import asyncio

import pytest

from plivo_record_async.stores.interface import Store
from plivo_record_async.testing.store_contract.event_loop import StoreTests, run_in_event_loop
from plivo_record_async.testing.store_contract.samples import (
    NOW,
    SECOND,
    changed,
    let_watchers_run,
    next_version,
    planned,
    record_in,
)

__all__ = ["WatchingContract"]


@run_in_event_loop
class WatchingContract(StoreTests):
    """Tests of ``watch``."""

    async def test_replacement_wakes_a_watcher(self, store: Store) -> None:
        record = await store.create(planned())
        watcher = asyncio.create_task(store.watch("start-1", version=record.version))
        await let_watchers_run(store)
        assert not watcher.done()
        stored = await changed(store, record, gone_at=NOW)
        assert await asyncio.wait_for(watcher, 5) == stored

    async def test_watcher_returns_a_later_version_if_several_were_made(self, store: Store) -> None:
        record = await store.create(planned())
        watcher = asyncio.create_task(store.watch("start-1", version=record.version))
        await let_watchers_run(store)
        latest = await changed(store, await changed(store, record, gone_at=NOW), gone_at=NOW + SECOND)
        assert await asyncio.wait_for(watcher, 5) in (latest, next_version(record, gone_at=NOW))
        assert await asyncio.wait_for(store.watch("start-1", version=1), 5) == latest

    async def test_watching_an_outdated_version_returns_at_once(self, store: Store) -> None:
        record = await changed(store, await store.create(planned()))
        assert await asyncio.wait_for(store.watch("start-1", version=0), 5) == record

    async def test_watching_a_missing_record_returns_none(self, store: Store) -> None:
        assert await asyncio.wait_for(store.watch("nobody", version=0), 5) is None

    async def test_change_of_another_record_does_not_wake_a_watcher(self, store: Store) -> None:
        await store.create(planned("start-1"))
        other = await store.create(planned("start-2"))
        watcher = asyncio.create_task(store.watch("start-1", version=0))
        await let_watchers_run(store)
        await changed(store, other)
        await let_watchers_run(store)
        assert not watcher.done()
        watcher.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watcher

    async def test_failed_replacement_wakes_no_watcher(self, store: Store) -> None:
        record = await changed(store, await store.create(planned()))
        watcher = asyncio.create_task(store.watch("start-1", version=record.version))
        await let_watchers_run(store)
        assert not await store.replace(record)
        await let_watchers_run(store)
        assert not watcher.done()
        await changed(store, record)
        await asyncio.wait_for(watcher, 5)

    async def test_cancelled_watchers_do_not_affect_the_others(self, store: Store) -> None:
        record = await store.create(planned())
        watchers = [asyncio.create_task(store.watch("start-1", version=record.version)) for _ in range(20)]
        await let_watchers_run(store)
        for watcher in watchers[::2]:
            watcher.cancel()
        await asyncio.gather(*watchers[::2], return_exceptions=True)
        stored = await changed(store, record)
        assert await asyncio.wait_for(asyncio.gather(*watchers[1::2]), 5) == [stored] * 10

    async def test_pruning_a_record_wakes_its_watcher(self, store: Store) -> None:
        record = await store.create(record_in("rejected"))
        watcher = asyncio.create_task(store.watch("start-1", version=record.version))
        await let_watchers_run(store)
        await store.prune(NOW + SECOND)
        assert await asyncio.wait_for(watcher, 5) is None

    async def test_forgetting_a_record_wakes_its_watcher(self, store: Store) -> None:
        record = await store.create(planned())
        watcher = asyncio.create_task(store.watch("start-1", version=record.version))
        await let_watchers_run(store)
        await store.forget("start-1", now=NOW)
        assert await asyncio.wait_for(watcher, 5) is None
