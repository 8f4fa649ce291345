"""The observer of a store: the changes that it is called with, and that it cannot harm the store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from plivo_record_async.errors import ClosedError, StoreError
from plivo_record_async.stores import MemoryStore, SQLiteStore
from plivo_record_async.stores.batching import store as batched
from plivo_record_async.stores.interface import (
    OrphanKept,
    Pruned,
    RecordCreated,
    RecordForgotten,
    RecordReplaced,
    StoreChange,
    StoreObserver,
)
from plivo_record_async.stores.observable import ObservableStore
from plivo_record_async.testing.store_contract.samples import orphan
from tests.support.samples.recordings import ENDED, NOW, SECOND, next_version, planned, recording
from tests.support.sqlite_files import execute_sql, other_connection

Store = MemoryStore | SQLiteStore
MakeStore = Callable[[Path, StoreObserver], Store]
MAKERS: dict[str, MakeStore] = {
    "memory": lambda _, observer: MemoryStore(observer=observer),
    "sqlite": lambda path, observer: SQLiteStore(path, observer=observer),
}


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> MakeStore:
    return MAKERS[request.param]


@pytest.fixture
def changes() -> list[StoreChange]:
    """Return the list of changes that the observer of ``store`` receives."""
    return []


@pytest.fixture
async def store(make: MakeStore, path: Path, changes: list[StoreChange]) -> AsyncIterator[Store]:
    async with make(path, changes.append) as store:
        yield store


async def test_created_record_is_reported_once(store: Store, changes: list[StoreChange]) -> None:
    record = await store.create(planned(dedupe_key="monday"))
    await store.create(planned(dedupe_key="monday"))
    await store.create(planned("start-2", dedupe_key="monday"))
    assert changes == [RecordCreated(record=record)]


async def test_replaced_record_is_reported_with_its_previous_version(store: Store, changes: list[StoreChange]) -> None:
    first = await store.create(planned())
    second, third = next_version(first), next_version(next_version(first), gone_at=NOW)
    assert await store.replace(second)
    assert await store.replace(third)
    assert changes[1:] == [RecordReplaced(before=first, after=second), RecordReplaced(before=second, after=third)]


async def test_replacement_that_is_not_made_is_not_reported(store: Store, changes: list[StoreChange]) -> None:
    first = await store.create(planned())
    assert not await store.replace(first)
    assert not await store.replace(next_version(planned("start-2")))
    assert changes == [RecordCreated(record=first)]


async def test_orphan_is_reported_once(store: Store, changes: list[StoreChange]) -> None:
    kept = orphan(ENDED, start_id="start-1")
    assert await store.keep_orphan(kept)
    assert not await store.keep_orphan(kept)
    assert changes == [OrphanKept(orphan=kept)]


async def test_forgotten_start_is_reported_once(store: Store, changes: list[StoreChange]) -> None:
    await store.create(planned())
    await store.keep_orphan(orphan(ENDED, start_id="start-2"))
    changes.clear()
    assert not await store.forget("unknown", now=NOW)
    for start_id in ("start-1", "start-2", "start-1"):
        assert await store.forget(start_id, now=NOW)
    assert changes == [RecordForgotten(start_id="start-1"), RecordForgotten(start_id="start-2")]


async def test_deleted_records_and_orphans_are_counted(
    store: Store, changes: list[StoreChange], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batched, "_PRUNED_AT_ONCE", 2)
    for number in range(3):
        await store.create(recording("rejected", f"start-{number}"))
        await store.keep_orphan(orphan(ENDED, digest=str(number)))
    changes.clear()
    await store.prune(NOW)
    assert changes == []
    await store.prune(NOW + SECOND)
    pruned = [change for change in changes if isinstance(change, Pruned)]
    assert len(pruned) == len(changes)
    assert (sum(each.records for each in pruned), sum(each.orphans for each in pruned)) == (3, 3)
    assert all(each.records or each.orphans for each in pruned)


async def test_reading_reports_nothing(store: Store, changes: list[StoreChange]) -> None:
    await store.get("start-1")
    await store.find("api_id", "api-1")
    await store.due(NOW)
    await store.orphans()
    await store.check()
    assert changes == []


async def test_change_is_reported_before_its_call_returns(make: MakeStore, path: Path) -> None:
    order: list[str] = []
    async with make(path, lambda change: order.append(type(change).__name__)) as store:
        await store.create(planned())
        order.append("returned")
    assert order == ["RecordCreated", "returned"]


async def test_change_is_reported_although_its_caller_is_cancelled(store: Store, changes: list[StoreChange]) -> None:
    creating = asyncio.create_task(store.create(planned()))
    await asyncio.sleep(0)
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    await store.check()  # writes after it
    assert await store.get("start-1") == planned()
    assert changes == [RecordCreated(record=planned())]


async def test_observer_that_raises_changes_nothing_and_is_logged(
    make: MakeStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(change: StoreChange) -> None:
        raise ZeroDivisionError

    async with make(path, fail) as store:
        record = await store.create(planned())
        assert await store.replace(next_version(record))
        assert await store.get("start-1") == next_version(record)
    assert [(line.levelname, line.message) for line in caplog.records] == [
        ("ERROR", f"{store!r}: the observer failed on {name}; the change is stored all the same")
        for name in ("RecordCreated", "RecordReplaced")
    ]
    assert all(line.exc_info and line.exc_info[0] is ZeroDivisionError for line in caplog.records)


async def test_change_is_committed_when_the_observer_is_called(path: Path, blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # this observer reads the file in the event loop
    found: list[object] = []

    def read(_: StoreChange) -> None:
        with other_connection(path) as other:
            found.extend(other.execute("SELECT version FROM recording").fetchall())

    async with SQLiteStore(path, observer=read) as store:
        record = await store.create(planned())
        assert await store.replace(next_version(record))
    assert found == [(0,), (1,)]


async def test_previous_version_that_cannot_be_read_is_not_replaced(path: Path) -> None:
    changes: list[StoreChange] = []
    async with SQLiteStore(path, observer=changes.append) as store:
        record = await store.create(planned())
        await execute_sql(store, "UPDATE recording SET value = ''", writes=True)
        with pytest.raises(StoreError, match="a stored FollowedRecording cannot be read"):
            await store.replace(next_version(record))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version FROM recording").fetchall() == [(0,)]
    assert changes == [RecordCreated(record=record)]


async def test_change_of_another_instance_is_not_reported(path: Path) -> None:
    changes: list[StoreChange] = []
    async with SQLiteStore(path, observer=changes.append) as store, SQLiteStore(path) as other:
        record = await other.create(planned())
        assert await store.get("start-1") == record
    assert changes == []


async def test_failed_write_is_not_reported(path: Path) -> None:
    changes: list[StoreChange] = []
    async with SQLiteStore(path, observer=changes.append) as store:
        await store.create(planned())
        await execute_sql(store, "PRAGMA query_only = ON")
        with pytest.raises(StoreError):
            await store.create(planned("start-2"))
    assert len(changes) == 1


async def test_store_is_opened_on_entry_and_closed_on_exit(make: MakeStore, path: Path) -> None:
    store: ObservableStore = make(path, lambda _: None)
    for _ in range(2):
        async with store as entered:
            assert entered is store
            assert isinstance(store, MemoryStore | SQLiteStore)
            await store.check()
        with pytest.raises(ClosedError):
            await store.check()


async def test_store_without_an_observer_reports_nothing() -> None:
    await MemoryStore().create(planned())
