"""What only a store in memory has; what all stores must do is in the contract."""

from __future__ import annotations

import asyncio

import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.stores import MemoryStore
from tests.protocol.lives import ENDED, next_version, planned


async def test_it_keeps_the_values_themselves() -> None:
    store = MemoryStore()
    record = planned()
    assert await store.create(record) is record
    assert await store.get("start-1") is record


async def test_two_stores_have_nothing_in_common() -> None:
    await MemoryStore().create(planned())
    assert await MemoryStore().get("start-1") is None


async def test_who_watches_leaves_no_trace() -> None:
    store = MemoryStore()
    record = await store.create(planned())
    watchers = [asyncio.create_task(store.watch("start-1", version=record.version)) for _ in range(3)]
    await asyncio.sleep(0)
    watchers[0].cancel()
    await asyncio.gather(watchers[0], return_exceptions=True)
    assert await store.replace(next_version(record))
    await asyncio.gather(*watchers[1:])
    assert store._watchers == {}  # pyright: ignore[reportPrivateUsage]


async def test_what_it_held_is_gone_with_it() -> None:
    store = MemoryStore()
    await store.create(planned())
    await store.aclose()
    with pytest.raises(StoreError, match="the store is closed; what it held is gone with it"):
        await store.get(str(ENDED.recording_id))
