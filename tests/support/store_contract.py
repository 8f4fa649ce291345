"""The contract of stores, and what the error messages of the stores of this package say beyond it."""

from __future__ import annotations

import asyncio

import pytest

from plivo_record_async.errors import ClosedError, ConfigurationError
from plivo_record_async.stores.interface import Store
from plivo_record_async.testing.store_contract import StoreContract
from plivo_record_async.testing.store_contract.event_loop import run_in_event_loop
from plivo_record_async.testing.store_contract.samples import let_watchers_run, planned

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


async def _get(store: Store) -> None:
    await store.get("start-1")
