"""Migration from older schemas, and files that this version must not change."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.stores.sqlite.schema import APPLICATION_ID, MIGRATIONS, migrate
from plivo_record_async.stores.sqlite.store import SQLiteStore
from plivo_record_async.testing.store_contract.samples import orphan
from tests.support.samples.recordings import (
    CONFIRMED,
    ENDED,
    NOW,
    OTHER_ROW,
    ROW,
    SECOND,
    STATES,
    TRANSCRIBED,
    UNTRANSCRIBED,
    next_version,
    planned,
)
from tests.support.sqlite_files import other_connection

EXAMPLE_MIGRATIONS = (("CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"), ("ALTER TABLE a ADD COLUMN y DEFAULT 2",))


def test_migration_runs_only_the_steps_that_the_file_lacks(path: Path) -> None:
    with other_connection(path) as connection:
        migrate(connection, EXAMPLE_MIGRATIONS[:1], "path")
        assert connection.execute("SELECT * FROM a").fetchall() == [(1,)]
        migrate(connection, EXAMPLE_MIGRATIONS, "path")
        migrate(connection, EXAMPLE_MIGRATIONS, "path")
        assert connection.execute("SELECT * FROM a").fetchall() == [(1, 2)]
        assert connection.execute("PRAGMA user_version").fetchall() == [(2,)]


def test_failed_migration_leaves_the_schema_unchanged(path: Path) -> None:
    with other_connection(path) as connection:
        migrate(connection, EXAMPLE_MIGRATIONS[:1], "path")
        with pytest.raises(sqlite3.OperationalError, match="no such table: b"):
            migrate(connection, (*EXAMPLE_MIGRATIONS, ("INSERT INTO b VALUES (1)",)), "path")
    with other_connection(path) as connection:
        assert connection.execute("SELECT * FROM a").fetchall() == [(1,)]
        assert connection.execute("PRAGMA user_version").fetchall() == [(1,)]


@pytest.fixture
def schema_1(path: Path) -> Path:
    """Return a copy of a file of schema 1 with a record in each state, one that has every field, and five orphans."""
    shutil.copy(Path(__file__).with_name("schemas") / "1.sqlite", path)
    return path


async def test_file_of_schema_1_can_be_read_and_written(schema_1: Path) -> None:
    store = SQLiteStore(schema_1)
    for state in STATES:
        record = await store.get(f"start-{state}")
        assert record is not None
        assert record.state == state
        assert await store.create(planned("another", dedupe_key=f"key-{state}")) == record
        assert await store.replace(next_version(record, gone_at=NOW))
    everything = await store.get("start-everything")
    assert everything is not None
    assert everything.unhandled == ("RecordingEnded",)
    assert everything.due_at == NOW + 60 * SECOND
    assert everything.ended == ENDED
    assert everything.transcription == UNTRANSCRIBED
    assert everything.candidates == (OTHER_ROW, ROW)
    found = await store.find("recording_id", "rec-1")
    assert found is not None
    assert found.start_id == "start-accepted"
    assert [record.start_id for record in await store.due(NOW + 15 * SECOND)] == [
        "start-planned", "start-sending", "start-unknown"
    ]  # fmt: skip
    unknown = UnknownCallback(raw={"a": "b", "name": "会议"})
    events = [orphan.event for orphan in await store.orphans()]
    assert events == [unknown, UNTRANSCRIBED, TRANSCRIBED, ENDED, CONFIRMED]
    assert events[0].raw == unknown.raw
    await store.keep_orphan(orphan(ENDED, received_at=NOW + 10 * SECOND))
    assert [orphan.event for orphan in await store.orphans(limit=1)] == [ENDED]
    assert await store.prune(NOW + SECOND) == 5
    await store.aclose()


async def test_orphans_of_schema_1_are_found_by_their_ids_and_a_damaged_one_stays(schema_1: Path) -> None:
    with other_connection(schema_1) as other:
        other.execute("UPDATE orphan SET value = 'damaged' WHERE id = 1")
    store = SQLiteStore(schema_1)
    kept = await store.orphans()
    assert len(kept) == 4
    assert {orphan.reason for orphan in kept} == {
        "an earlier version of this package kept it, which did not write down why"
    }
    assert len({orphan.digest for orphan in kept}) == 4
    assert await store.forget("start-everything", now=NOW)
    assert [orphan.event.raw for orphan in await store.orphans()] == [{"a": "b", "name": "会议"}]
    await store.aclose()


NEWER = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1000"


async def test_file_of_a_newer_version_raises_store_error_and_is_not_changed(path: Path) -> None:
    with other_connection(path) as other:
        other.executescript(NEWER)
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match=r"recordings.db: its schema is version 1000, .* upgrade the package"):
        await store.create(planned())
    await store.aclose()
    with other_connection(path) as other:
        assert other.execute("SELECT * FROM sqlite_master").fetchall() == []


async def test_file_of_a_development_version_raises_store_error_and_is_not_changed(path: Path) -> None:
    with other_connection(path) as other:
        for statement in MIGRATIONS[0]:
            other.execute(statement)
        other.execute("PRAGMA user_version = 1")
    before = path.read_bytes()
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match=r"development version of this package wrote it.*choose another file"):
        await store.create(planned())
    await store.aclose()
    assert path.read_bytes() == before


@pytest.mark.parametrize("mark", ["user_version = 0", "user_version = 1", "application_id = 1"])
async def test_database_of_another_program_raises_store_error_and_is_not_changed(path: Path, mark: str) -> None:
    with other_connection(path) as other:
        other.execute("CREATE TABLE customers (name)")
        other.execute(f"PRAGMA {mark}")
    before = path.read_bytes()
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="it is the database of another program"):
        await store.create(planned())
    await store.aclose()
    assert path.read_bytes() == before


async def test_schema_that_another_process_creates_during_the_wait_for_the_lock_is_checked(path: Path) -> None:
    store = SQLiteStore(path)
    with other_connection(path) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        for pragma in NEWER.split(";"):
            other.execute(pragma)
        writing = asyncio.create_task(store.create(planned()))
        await asyncio.sleep(0)
        other.execute("COMMIT")
        with pytest.raises(StoreError, match="its schema is version 1000"):
            await asyncio.wait_for(writing, 10)
    await store.aclose()


NAMES = ["🎙 会议", "a\0b", "a", 'quo"te\\ \u2028']


@pytest.fixture
def schema_3(path: Path) -> Path:
    """Return a copy of a file of schema 3: a record in each state, each a second later, and four of other names."""
    shutil.copy(Path(__file__).with_name("schemas") / "3.sqlite", path)
    return path


async def test_records_of_schema_3_are_listed_and_counted(schema_3: Path) -> None:
    store = SQLiteStore(schema_3)
    records = await store.records()
    assert len(records) == len(STATES) + len(NAMES)
    assert records == sorted(records, key=lambda record: (record.updated_at, record.start_id), reverse=True)
    assert await store.counts() == {**dict.fromkeys(STATES, 1), "planned": 1 + len(NAMES)}
    for number, name in enumerate(NAMES):
        [record] = await store.records(conference_name=name)
        assert (record.start_id, record.conference_name) == (f"start-name-{number}", name)
    for state in STATES:
        [record] = await store.records(states=[state], conference_name="standup")
        assert record == await store.get(f"start-{state}")
        assert await store.create(planned("another", dedupe_key=f"key-{state}")) == record
        assert await store.replace(next_version(record, gone_at=NOW))
    assert [orphan.start_id for orphan in await store.orphans()] == ["start-planned"]
    assert not await store.keep_orphan(orphan(CONFIRMED, start_id="gone"))
    await store.aclose()


@pytest.mark.parametrize(
    "damaged", ["damaged", "null", "{}", "[]", '{"request": {"conference_name": 1}}', "[" * 100_000]
)
async def test_damaged_record_of_schema_3_does_not_prevent_the_migration(schema_3: Path, damaged: str) -> None:
    with other_connection(schema_3) as other:
        other.execute("UPDATE recording SET value = ? WHERE start_id = 'start-started'", (damaged,))
    store = SQLiteStore(schema_3)
    assert len(await store.records()) == len(STATES) + len(NAMES) - 1
    assert await store.records(states=["started"]) == []
    with pytest.raises(StoreError, match="cannot be read"):
        await store.get("start-started")
    await store.aclose()


async def test_several_stores_migrate_one_file_at_once(schema_3: Path) -> None:
    stores = [SQLiteStore(schema_3) for _ in range(8)]
    pages = await asyncio.gather(*(store.records() for store in stores))
    assert all(page == pages[0] for page in pages)
    assert len(pages[0]) == len(STATES) + len(NAMES)
    await asyncio.gather(*(store.aclose() for store in stores))
