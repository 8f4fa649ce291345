"""Pages of records in an SQLite file: which index is used, and what happens to records that cannot be read."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import attrs
import pytest

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.stores.sqlite import statements as sql
from plivo_record_async.stores.sqlite.listing import page_of, page_query
from plivo_record_async.stores.sqlite.store import SQLiteStore
from tests.support.samples.recordings import NOW, SECOND, STATES, planned
from tests.support.sqlite_files import execute_sql


@pytest.mark.parametrize("names", [None, (), STATES[:1], STATES[3:6]])
async def test_every_combination_of_filters_uses_an_index(path: Path, names: tuple[RecordingState, ...] | None) -> None:
    store = SQLiteStore(path)
    for conference_name, updated_after, older_than in product((None, "standup"), (None, NOW), (None, planned())):
        page = page_of(
            states=names, conference_name=conference_name, updated_after=updated_after, older_than=older_than, limit=5
        )
        query = page_query(len(page.states), of_conference=conference_name is not None)
        plan = await execute_sql(store, f"EXPLAIN QUERY PLAN {query}", page.parameters)
        steps = [str(step) for *_, step in plan if "recording" in str(step)]
        index = "recording_by_state" if conference_name is None else "recording_by_conference"
        assert len(steps) == len(page.states)
        for step in steps:
            assert step.startswith(f"SEARCH recording USING INDEX {index} (")
            assert step.endswith("state=? AND updated_at>? AND (updated_at,start_id)<(?,?))")
        assert not [step for *_, step in plan if "TEMP B-TREE" in str(step)], "nothing is sorted"
    await store.aclose()


async def test_states_are_counted_in_an_index(path: Path) -> None:
    store = SQLiteStore(path)
    [(*_, step)] = await execute_sql(store, f"EXPLAIN QUERY PLAN {sql.COUNTS}")
    assert "USING COVERING INDEX recording_by_state" in str(step)
    await store.aclose()


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_unreadable_records_do_not_hide_other_records(
    path: Path, limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    store = SQLiteStore(path)
    for number in range(6):
        await store.create(planned(f"start-{number}"))
    newer = (
        "UPDATE recording SET value = json_set(value, '$.colour', 'green') WHERE start_id NOT IN ('start-0', 'start-3')"
    )
    await execute_sql(store, newer, writes=True)
    for _ in range(2):
        assert [record.start_id for record in await store.records(limit=limit)] == ["start-3", "start-0"][:limit]
    assert caplog.text.count("a value that cannot be read was left out") == (2 if limit == 1 else 4)
    assert await store.counts() == {"planned": 6}
    await store.aclose()


async def test_times_beyond_those_of_any_record_are_compared(path: Path) -> None:
    store = SQLiteStore(path)
    record = await store.create(planned())
    latest = NOW.max.replace(tzinfo=NOW.tzinfo)
    assert await store.records(updated_after=latest) == []
    assert await store.records(updated_after=NOW.min.replace(tzinfo=NOW.tzinfo)) == [record]
    in_the_future = attrs.evolve(record, history=(attrs.evolve(record.history[0], at=latest - SECOND),))
    assert await store.records(older_than=in_the_future) == [record]
    await store.aclose()
