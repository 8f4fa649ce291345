"""The memory store; the contract tests what every store must do."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from plivo_record_async.stores import MemoryStore
from plivo_record_async.stores.interface import Store
from tests.support.samples.recordings import NOW, SECOND, next_version, planned
from tests.support.store_contract import PackageStoreContract


async def test_store_returns_the_values_themselves() -> None:
    store = MemoryStore()
    record = planned()
    assert await store.create(record) is record
    assert await store.get("start-1") is record


async def test_two_stores_share_nothing() -> None:
    await MemoryStore().create(planned())
    assert await MemoryStore().get("start-1") is None


async def test_finished_watchers_use_no_memory() -> None:
    store = MemoryStore()
    record = await store.create(planned())
    watchers = [asyncio.create_task(store.watch("start-1", version=record.version)) for _ in range(3)]
    await asyncio.sleep(0)
    watchers[0].cancel()
    await asyncio.gather(watchers[0], return_exceptions=True)
    assert await store.replace(next_version(record))
    await asyncio.gather(*watchers[1:])
    assert store._watchers == {}  # pyright: ignore[reportPrivateUsage]


async def test_postponed_records_are_due_at_their_new_times() -> None:
    store = MemoryStore()
    records = [await store.create(attrs.evolve(planned(f"start-{n}"), due_at=NOW + n * SECOND)) for n in range(100)]
    for number, record in enumerate(records):
        later = next_version(record, due_at=None if number % 3 else NOW + (200 - number) * SECOND)
        assert await store.replace(later)
    due = [record.start_id for record in await store.due(NOW + 200 * SECOND)]
    assert due == [f"start-{number}" for number in range(99, -1, -3)]
    assert len(await store.due(NOW + 140 * SECOND)) == 14
    assert await store.prune(NOW + SECOND) == 66
    assert len(await store.due(NOW + 200 * SECOND)) == 34


def test_store_shows_its_type() -> None:
    assert repr(MemoryStore()) == "MemoryStore()"


class TestContract(PackageStoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()
