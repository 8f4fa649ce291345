"""Copies of a store: complete, resumable, and never into a store that is in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.stores.copying import Copied, copy_store
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.testing.store_contract.samples import STATES, orphan, record_in
from tests.support.samples.recordings import NOW, SECOND, next_version, planned


@pytest.fixture
async def source() -> MemoryStore:
    """A store with 420 recordings in all states, and three orphans."""
    store = MemoryStore()
    for number in range(420):
        record = record_in(STATES[number % len(STATES)], f"start-{number:03}")
        await store.create(attrs.evolve(record, dedupe_key=f"key {number}" if number % 2 else None))
    for number in range(3):
        await store.keep_orphan(orphan(UnknownCallback(raw={"n": str(number)}), received_at=NOW + number * SECOND))
    return store


async def contents(store: MemoryStore) -> tuple[Sequence[Any], Sequence[Any]]:
    return await store.records(limit=1000), await store.orphans()


async def test_everything_is_copied(source: MemoryStore) -> None:
    target = MemoryStore()
    assert await copy_store(source, target) == Copied(records=420, orphans=3)
    assert await contents(target) == await contents(source)
    assert await target.create(planned("new")) == planned("new")


async def test_store_that_is_not_empty_is_not_changed(source: MemoryStore) -> None:
    target = MemoryStore()
    await target.create(planned("mine"))
    with pytest.raises(ConfigurationError, match="is not empty: it has 1 recordings"):
        await copy_store(source, target)
    assert await target.records() == [planned("mine")]


async def test_interrupted_copy_can_be_continued(source: MemoryStore) -> None:
    target = MemoryStore()
    for record in (await source.records(limit=300))[::2]:
        await target.create(record)
    await target.keep_orphan((await source.orphans())[-1])
    assert await copy_store(source, target, resume=True) == Copied(records=420, orphans=3)
    assert await contents(target) == await contents(source)


async def test_other_record_with_the_same_id_is_not_changed(source: MemoryStore) -> None:
    target = MemoryStore()
    other = await target.create(next_version(record_in("recorded", "start-000")))
    with pytest.raises(StoreError, match="has another recording for start start-000"):
        await copy_store(source, target, resume=True)
    assert await target.get("start-000") == other


class LossyStore(MemoryStore):
    """A store that does not list one record, as if it could not be read."""

    async def records(self, **filters: Any) -> Sequence[FollowedRecording]:
        return [record for record in await super().records(**filters) if record.start_id != "start-007"]


async def test_record_that_cannot_be_read_is_an_error() -> None:
    source = LossyStore()
    for number in range(10):
        await source.create(planned(f"start-{number:03}"))
    with pytest.raises(StoreError, match=r"has 10 recordings and .* has 9 now"):
        await copy_store(source, MemoryStore())
