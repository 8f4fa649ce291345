"""Reading all records of a store, page by page."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from plivo_record_async.errors import ClosedError
from plivo_record_async.stores import MemoryStore, list_records
from tests.support.samples.recordings import NOW, SECOND, next_version, planned, recording, with_last_step_at


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 101])
async def test_all_records_are_yielded_the_newest_first(count: int) -> None:
    store = MemoryStore()
    for number in range(count):
        await store.create(with_last_step_at(planned(f"start-{number}"), NOW + number * SECOND))
    start_ids = [record.start_id async for record in list_records(store)]
    assert start_ids == [f"start-{number}" for number in reversed(range(count))]


async def test_filters_apply_to_every_page() -> None:
    store = MemoryStore()
    for number in range(120):
        record = recording("recorded" if number % 2 else "unknown", f"start-{number}")
        await store.create(with_last_step_at(record, NOW + number * SECOND))
    after = NOW + 4 * SECOND
    found = [record async for record in list_records(store, states=["unknown"], updated_after=after)]
    assert [record.start_id for record in found] == [f"start-{number}" for number in range(118, 3, -2)]
    assert [record async for record in list_records(store, states=["absent"])] == []
    assert [record async for record in list_records(store, conference_name="another")] == []


async def test_each_record_that_does_not_change_is_yielded_once_while_others_change() -> None:
    store = MemoryStore()
    for number in range(300):
        await store.create(with_last_step_at(planned(f"start-{number}"), NOW + number // 7 * SECOND))
    seen: list[str] = []
    async with aclosing(list_records(store)) as records:
        async for record in records:
            seen.append(record.start_id)
            number = len(seen) % 300
            if number % 3 == 0:
                current = await store.get(f"start-{number}")
                assert current is not None
                assert await store.replace(with_last_step_at(next_version(current), NOW + 99 * SECOND))
    unchanged = {f"start-{number}" for number in range(300) if number % 3}
    assert sorted(start_id for start_id in seen if start_id in unchanged) == sorted(unchanged)


async def test_records_of_a_store_that_is_closed_meanwhile_raise_closed_error() -> None:
    store = MemoryStore()
    await asyncio.gather(*(store.create(planned(f"start-{number}")) for number in range(60)))
    async with aclosing(list_records(store)) as records:
        await anext(records)
        await store.aclose()
        with pytest.raises(ClosedError):
            async for _ in records:
                pass
