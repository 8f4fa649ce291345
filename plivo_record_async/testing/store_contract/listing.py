"""Tests of ``records`` and ``counts``: the filters, the order, and pages of records that change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta, timezone
from itertools import product
from typing import Any

import attrs
import pytest

from plivo_record_async.protocol.models import RecordingState, StartRequest
from plivo_record_async.protocol.recording.lifecycle import plan
from plivo_record_async.stores.interface import FollowedRecording, Store
from plivo_record_async.testing.store_contract.event_loop import StoreTests, run_in_event_loop
from plivo_record_async.testing.store_contract.samples import (
    ENDED,
    NOW,
    SECOND,
    STATES,
    next_version,
    planned,
    record_after,
    record_in,
)

__all__ = ["ListingContract"]

_NAMES = [
    "standup",
    "Standup",
    "standup ",
    "stand",
    "🎙 会议",
    "a\0b",
    "a",
    "'; DROP TABLE recording; --",
    "%",
    "\u00e9",
    "e\u0301",
]
"""Names of conferences that a store must not confuse. The last two are the same text in two Unicode forms."""

_MICROSECOND = timedelta(microseconds=1)


@run_in_event_loop
class ListingContract(StoreTests):
    """Tests of ``records`` and ``counts``."""

    async def test_empty_store_has_no_records_to_list(self, store: Store) -> None:
        assert list(await store.records()) == []
        assert not any((await store.counts()).values())

    async def test_records_are_listed_by_the_time_of_their_last_update(self, store: Store) -> None:
        await _create_all(store, [_updated(planned(f"start-{seconds}"), seconds) for seconds in (2, 3, 1)])
        assert _start_ids(await store.records()) == ["start-3", "start-2", "start-1"]
        record = await store.get("start-1")
        assert record is not None
        record = _updated(next_version(record), 4)
        assert await store.replace(record)
        listed = await store.records()
        assert _start_ids(listed) == ["start-1", "start-3", "start-2"]
        assert listed[0] == record
        assert await store.replace(_updated(next_version(record), 0))
        assert _start_ids(await store.records()) == ["start-3", "start-2", "start-1"]

    @pytest.mark.parametrize("limit", [1, 2, 3, 1000])
    async def test_filters_select_the_same_records_as_a_comparison_of_their_attributes(
        self, store: Store, limit: int
    ) -> None:
        records = [
            _updated(_record(state, name, f"{name} {state}"), number % 5)
            for number, (state, name) in enumerate(product(STATES, ("standup", "retro")))
        ]
        await _create_all(store, records)
        some: tuple[RecordingState, ...] = ("unknown", "unconfirmed", "started", "unknown")
        for states, name, seconds in product(
            (None, (), ("recorded",), some, STATES), (None, "retro", "?"), (None, 0, 3, 9)
        ):
            after = None if seconds is None else NOW + seconds * SECOND
            expected = [
                record
                for record in records
                if (states is None or record.state in states)
                and (name is None or record.conference_name == name)
                and (after is None or record.updated_at >= after)
            ]
            found = await _all_pages(store, limit, states=states, conference_name=name, updated_after=after)
            assert sorted(_start_ids(found)) == sorted(_start_ids(expected)), (states, name, seconds)
            times = [record.updated_at for record in found]
            assert times == sorted(times, reverse=True)

    async def test_names_of_conferences_are_compared_exactly(self, store: Store) -> None:
        await _create_all(
            store, [plan(f"start-{number}", StartRequest(name), NOW) for number, name in enumerate(_NAMES)]
        )
        for number, name in enumerate(_NAMES):
            assert _start_ids(await store.records(conference_name=name)) == [f"start-{number}"], name
            assert _start_ids(await store.records(conference_name=name, states=["planned"])) == [f"start-{number}"]

    async def test_times_are_compared_to_the_microsecond_and_in_any_time_zone(self, store: Store) -> None:
        exact = NOW + 123_457 * _MICROSECOND
        await store.create(plan("start-1", StartRequest("standup"), exact))
        kolkata = timezone(timedelta(hours=5, minutes=30))
        assert len(await store.records(updated_after=exact.astimezone(kolkata))) == 1
        assert list(await store.records(updated_after=exact + _MICROSECOND)) == []
        assert len(await store.records(updated_after=exact - _MICROSECOND)) == 1

    @pytest.mark.parametrize("limit", [1, 3, 7])
    async def test_pages_of_records_with_one_time_contain_each_record_once(self, store: Store, limit: int) -> None:
        states: tuple[RecordingState, ...] = ("started", "recorded", "absent")
        await _create_all(
            store, [record_in(state, f"start-{state} {number} 🎙") for state, number in product(states, range(7))]
        )
        for some in (None, states[::2], states[:1]):
            pages = _start_ids(await _all_pages(store, limit, states=some))
            assert len(pages) == len(set(pages)) == 7 * len(some or states)
            assert pages == _start_ids(await store.records(states=some)), "the order is always the same"

    @pytest.mark.parametrize("limit", [1, 2, 5])
    async def test_record_that_does_not_change_is_in_exactly_one_page(self, store: Store, limit: int) -> None:
        """Between two pages, other records are created, replaced and deleted, before and after the position."""
        await _create_all(
            store,
            [
                _updated(record_in("started" if number < 20 else "rejected", f"start-{number}"), number % 5)
                for number in range(30)
            ],
        )
        changing = {f"start-{number}" for number in range(0, 20, 3)}
        unchanged = {f"start-{number}" for number in range(20)} - changing
        left = sorted(changing)
        seen: list[str] = []
        last: FollowedRecording | None = None
        while page := await store.records(states=["started", "recorded"], older_than=last, limit=limit):
            seen += _start_ids(page)
            last = page[-1]
            if left:
                await _change(store, left.pop())
            await store.create(_updated(record_in("started", f"new-{len(seen)}"), len(seen) % 6))
            await store.forget(f"start-{20 + len(seen) % 10}", now=NOW)
        assert {start_id: seen.count(start_id) for start_id in unchanged} == dict.fromkeys(unchanged, 1)

    async def test_next_page_does_not_need_the_last_record_of_the_page_before(self, store: Store) -> None:
        await _create_all(store, [_updated(record_in("started", f"start-{number}"), number) for number in range(4)])
        [first, second] = await store.records(limit=2)
        await store.forget(second.start_id, now=NOW)
        assert _start_ids(await store.records(older_than=second)) == ["start-1", "start-0"]
        assert await store.replace(_updated(next_version(first), 9))
        assert _start_ids(await store.records(older_than=first)) == ["start-1", "start-0"]
        assert list(await store.records(older_than=_updated(second, -9))) == []

    async def test_record_is_listed_with_its_current_state_only(self, store: Store) -> None:
        record = await store.create(record_in("accepted"))
        assert _without_zeros(await store.counts()) == {"accepted": 1}
        record = record_after(record, ENDED)
        assert await store.replace(record)
        assert list(await store.records(states=["accepted"])) == []
        assert list(await store.records(states=["accepted", "recorded"], conference_name="standup")) == [record]
        assert not await store.replace(attrs.evolve(record, state="transcribed"))
        assert list(await store.records(states=["transcribed"])) == []

    async def test_states_are_counted(self, store: Store) -> None:
        expected: dict[RecordingState, int] = {state: number for number, state in enumerate(STATES)}
        await _create_all(
            store,
            [record_in(state, f"start-{state}-{copy}") for state, number in expected.items() for copy in range(number)],
        )
        assert _without_zeros(await store.counts()) == _without_zeros(expected)
        await store.create(record_in("recorded", "start-failed-0"))
        assert _without_zeros(await store.counts()) == _without_zeros(expected)
        record = await store.get("start-started-0")
        assert record is not None
        assert await store.replace(record_after(record, ENDED))
        await store.forget("start-failed-0", now=NOW)
        expected |= {
            "started": expected["started"] - 1,
            "recorded": expected["recorded"] + 1,
            "failed": expected["failed"] - 1,
        }
        assert _without_zeros(await store.counts()) == _without_zeros(expected)
        await store.prune(NOW + SECOND)
        left = await _all_pages(store, 100)
        assert _without_zeros(await store.counts()) == {
            state: sum(record.state == state for record in left) for state in {record.state for record in left}
        }
        assert {record.due_at is None for record in left} == {False}


def _record(state: RecordingState, conference_name: str, start_id: str) -> FollowedRecording:
    record = record_in(state, start_id)
    return attrs.evolve(record, request=attrs.evolve(record.request, conference_name=conference_name))


def _updated(record: FollowedRecording, seconds: int) -> FollowedRecording:
    """Return a record that was last updated so many seconds after `NOW`."""
    last = attrs.evolve(record.history[-1], at=NOW + seconds * SECOND)
    return attrs.evolve(record, history=(*record.history[:-1], last))


async def _create_all(store: Store, records: Sequence[FollowedRecording]) -> None:
    assert await asyncio.gather(*map(store.create, records)) == records


async def _change(store: Store, start_id: str) -> None:
    """Update a record, so that it is the newest one."""
    record = await store.get(start_id)
    assert record is not None
    assert await store.replace(_updated(record_after(record, ENDED), 60))


async def _all_pages(store: Store, limit: int, **filters: Any) -> list[FollowedRecording]:
    """Return the records of all pages. A page that is not full must be the last one."""
    found = [*await store.records(limit=limit, **filters)]
    page = found
    while len(page) == limit:
        page = [*await store.records(limit=limit, older_than=page[-1], **filters)]
        assert len(page) <= limit
        found += page
    if page:
        assert list(await store.records(limit=limit, older_than=page[-1], **filters)) == []
    return found


def _start_ids(records: Sequence[FollowedRecording]) -> list[str]:
    return [record.start_id for record in records]


def _without_zeros(counts: Any) -> dict[RecordingState, int]:
    return {state: number for state, number in counts.items() if number}
