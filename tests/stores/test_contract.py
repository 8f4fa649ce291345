"""The stores of this package pass the contract that every store must pass."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from plivo_record_async.errors import ClosedError, ConfigurationError
from plivo_record_async.stores import MemoryStore, SQLiteStore
from plivo_record_async.stores.interface import Store
from plivo_record_async.testing.store_contract import StoreContract
from plivo_record_async.testing.store_contract.event_loop import run_in_event_loop
from plivo_record_async.testing.store_contract.samples import let_watchers_run, planned


@run_in_event_loop
class StoreOfThisPackage(StoreContract):
    """Beside the contract: what the errors of the stores of this package say."""

    async def test_error_of_a_closed_store_says_what_to_do(self, store: Store) -> None:
        await store.create(planned())
        watcher = asyncio.create_task(store.watch("start-1", version=0))
        await let_watchers_run(store)
        await store.aclose()
        with pytest.raises(ClosedError, match="was closed while it was watched"):
            await asyncio.wait_for(watcher, 5)
        for call in (store.get("start-1"), store.create(planned()), store.watch("start-1", version=0)):
            with pytest.raises(ClosedError, match="is closed; enter it again"):
                await call

    async def test_error_in_a_second_event_loop_says_what_to_do(self, store: Store) -> None:
        await store.create(planned())
        with pytest.raises(ConfigurationError, match="make one in each event loop, or close it there"):
            await asyncio.to_thread(asyncio.run, _get(store))


async def _get(store: Store) -> None:
    await store.get("start-1")


class TestMemoryStore(StoreOfThisPackage):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestSQLiteStore(StoreOfThisPackage):
    @pytest.fixture
    def store(self, path: Path) -> Store:
        return SQLiteStore(path)
