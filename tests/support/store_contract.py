"""The contract of stores, and what the error messages of the stores of this package say beyond it."""

from __future__ import annotations

import asyncio

import pytest

from plivo_record_async.errors import ClosedError, ConfigurationError
from plivo_record_async.stores.interface import Store
from plivo_record_async.stores.observable import ObservableStore
from plivo_record_async.testing.store_contract import StoreContract
from plivo_record_async.testing.store_contract.event_loop import run_in_event_loop
from plivo_record_async.testing.store_contract.samples import NOW, let_watchers_run, planned

__all__ = ["PackageStoreContract"]


@run_in_event_loop
class PackageStoreContract(StoreContract):
    """Everything that a store of this package must do."""

    async def test_error_of_a_closed_store_says_what_to_do(self, store: Store) -> None:
        await store.create(planned())
        watcher = asyncio.create_task(store.watch("start-1", version=0))
        await let_watchers_run(store)
        await store.aclose()
        with pytest.raises(ClosedError, match="was closed during a call of watch\\(\\)"):
            await asyncio.wait_for(watcher, 5)
        for call in (store.get("start-1"), store.create(planned()), store.watch("start-1", version=0)):
            with pytest.raises(ClosedError, match="is closed; enter it again"):
                await call

    async def test_error_in_a_second_event_loop_says_what_to_do(self, store: Store) -> None:
        await store.create(planned())
        with pytest.raises(ConfigurationError, match="make one in each event loop, or close it there"):
            await asyncio.to_thread(asyncio.run, _get(store))

    async def test_first_dedupe_key_with_a_prefix_is_found(self, store: Store) -> None:
        assert isinstance(store, ObservableStore)
        assert await store.first_dedupe_key("") is None
        for number, key in enumerate(['b "x" 2', 'b "x" 1', 'b "x y" 0', "c", "会"]):
            await store.create(planned(f"start-{number}", dedupe_key=key))
        await store.create(planned("start-9"))
        assert await store.first_dedupe_key('b "x" ') == 'b "x" 1'
        assert await store.first_dedupe_key('b "x y" ') == 'b "x y" 0'
        assert await store.first_dedupe_key('b "y" ') is None
        assert await store.forget("start-1", now=NOW)
        assert await store.first_dedupe_key('b "x" ') == 'b "x" 2'


async def _get(store: Store) -> None:
    await store.get("start-1")
