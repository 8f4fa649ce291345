"""What the stores in SQLite and PostgreSQL do alike, tested with a file; the contract is tested with each store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from plivo_record_async.stores.batching import store as batched
from plivo_record_async.stores.interface import RecordReplaced, StoreChange
from plivo_record_async.stores.sqlite.store import SQLiteStore
from plivo_record_async.testing.store_contract.samples import orphan
from tests.support.samples.recordings import ENDED, NOW, SECOND, next_version, planned, recording


async def test_watcher_that_is_cancelled_while_the_store_closes_raises_cancelled_error(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    watcher = asyncio.create_task(store.watch("start-1", version=0))
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.aclose())
    await asyncio.sleep(0)
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher
    await closing


async def test_prune_deletes_in_several_transactions_between_which_others_can_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batched, "_PRUNED_AT_ONCE", 10)
    store = SQLiteStore(path)
    old = [recording("rejected", f"start-{number}") for number in range(25)]
    await asyncio.gather(*map(store.create, old))
    await asyncio.gather(*(store.keep_orphan(orphan(ENDED, digest=str(number))) for number in range(25)))
    pruning = asyncio.create_task(store.prune(NOW + SECOND))
    await asyncio.sleep(0)
    await store.create(planned("young"))
    assert not pruning.done()
    assert await pruning == 25
    assert (await store.get("start-24"), await store.orphans()) == (None, [])
    assert await store.get("young") == planned("young")
    await store.aclose()


async def test_change_is_reported_although_its_caller_is_cancelled(path: Path) -> None:
    changes: list[StoreChange] = []
    async with SQLiteStore(path, observer=changes.append) as store:
        record = await store.create(planned())
        replacing = asyncio.create_task(store.replace(next_version(record)))
        await asyncio.sleep(0)  # the task submits its job
        replacing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await replacing
        await store.check()  # the jobs that were submitted before it have ended
        assert changes[1:] == [RecordReplaced(before=record, after=next_version(record))]


async def test_replacing_another_version_changes_and_reports_nothing(path: Path) -> None:
    changes: list[StoreChange] = []
    async with SQLiteStore(path, observer=changes.append) as observed, SQLiteStore(path) as silent:
        record = await observed.create(planned())
        assert await silent.replace(next_version(record))
        assert not await silent.replace(next_version(record))
        assert not await observed.replace(next_version(record))
        assert len(changes) == 1
