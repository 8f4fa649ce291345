"""The queries: records that cannot be read, and the erasure of stored data."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.stores.encoding import to_microseconds
from plivo_record_async.stores.interface import Orphan
from plivo_record_async.stores.sqlite import queries
from plivo_record_async.stores.sqlite import statements as sql
from plivo_record_async.stores.sqlite.connection import connect
from plivo_record_async.stores.sqlite.store import SQLiteStore
from plivo_record_async.testing.store_contract.samples import orphan
from tests.support.samples.recordings import (
    ENDED,
    NOW,
    SECOND,
    TRANSCRIBED,
    next_version,
    planned,
    record_after,
    recording,
)
from tests.support.sqlite_files import execute_sql, other_connection


async def test_damaged_record_raises_store_error(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    await execute_sql(store, "UPDATE recording SET value = substr(value, 1, 40)", writes=True)
    with pytest.raises(StoreError, match="a stored FollowedRecording cannot be read"):
        await store.get("start-1")
    await store.aclose()


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_unreadable_records_do_not_hide_other_due_records(
    path: Path, limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    store = SQLiteStore(path)
    for number in range(6):
        await store.create(attrs.evolve(planned(f"start-{number}"), due_at=NOW + number * SECOND))
    newer = "UPDATE recording SET value = json_set(value, '$.colour', 'green') WHERE start_id < 'start-3'"
    await execute_sql(store, newer, writes=True)
    for _ in range(2):
        due = await store.due(NOW + 9 * SECOND, limit=limit)
        assert [record.start_id for record in due] == ["start-3", "start-4", "start-5"][:limit]
    assert caplog.text.count("a value that cannot be read was left out") == 3, "each is logged once"
    await store.aclose()


async def test_unreadable_orphans_do_not_hide_other_orphans(path: Path) -> None:
    store = SQLiteStore(path)
    for number in range(3):
        await store.keep_orphan(orphan(UnknownCallback(raw={"n": number}), received_at=NOW + number * SECOND))
    await execute_sql(store, "UPDATE orphan SET value = json_set(value, '$.colour', 'green') WHERE id = 2", writes=True)
    assert [orphan.event.raw["n"] for orphan in await store.orphans()] == [2, 0]
    await store.aclose()


SPOKEN = "what was said in confidence "


def bytes_beside(path: Path) -> bytes:
    """Return everything that the store has written to the disk."""
    return b"".join(each.read_bytes() for each in path.parent.iterdir())


async def test_no_byte_of_a_forgotten_recording_stays_on_the_disk(path: Path) -> None:
    store = SQLiteStore(path)
    for number in range(20):
        record = await store.create(record_after(recording("accepted", f"start-{number}"), ENDED))
        text = f"{SPOKEN}{number:02} " * 500  # longer than a page
        assert await store.replace(record := record_after(record, attrs.evolve(TRANSCRIBED, transcription=text)))
        assert await store.replace(next_version(record, gone_at=NOW))  # what it replaces must not be left either
        await store.keep_orphan(orphan(UnknownCallback(raw={"text": text}), start_id=f"start-{number}"))
    before = bytes_beside(path)
    assert all(f"{SPOKEN}{number:02}".encode() in before for number in range(20))
    for number in range(0, 20, 2):
        assert await store.forget(f"start-{number}", now=NOW)
    left = bytes_beside(path)
    assert [f"{SPOKEN}{number:02}".encode() in left for number in range(20)] == [False, True] * 10
    assert b"start-4" not in left
    await store.aclose()


async def test_journal_that_another_process_reads_is_reported_and_can_be_emptied_later(path: Path) -> None:
    store = SQLiteStore(path, busy_timeout=0.05)
    await store.create(attrs.evolve(planned(), dedupe_key=SPOKEN))
    with other_connection(path) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM recording").fetchall()
        with pytest.raises(StoreError, match="still in the journal, because another process is reading"):
            await store.forget("start-1", now=NOW)
        assert await store.get("start-1") is None
        assert SPOKEN.encode() in bytes_beside(path)
        other.execute("ROLLBACK")
    assert await store.forget("start-1", now=NOW)
    assert SPOKEN.encode() not in bytes_beside(path)
    await store.aclose()


async def test_check_commits_a_transaction(path: Path) -> None:
    store = SQLiteStore(path, busy_timeout=0.05)
    await store.check()
    log = path.with_name("recordings.db-wal")
    size = log.stat().st_size
    await store.check()
    assert log.stat().st_size > size
    [(before,)] = await execute_sql(store, "PRAGMA user_version")
    with other_connection(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process keeps it locked"):
            await store.check()
        other.execute("ROLLBACK")
    await execute_sql(store, "PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="it may only be read"):
        await store.check()
    assert await execute_sql(store, "PRAGMA user_version") == [(before,)]
    await store.aclose()


# Each query by itself


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(str(path), busy_timeout=1)) as connection:
        yield connection


def test_create_returns_the_stored_record_with_the_same_key(connection: sqlite3.Connection) -> None:
    first = planned(dedupe_key="monday")
    assert queries.create(first, sql.row(first), connection) is first
    for other in (planned(), planned("start-2", dedupe_key="monday")):
        assert queries.create(other, sql.row(other), connection) == first


def test_replace_returning_returns_the_previous_version(connection: sqlite3.Connection) -> None:
    record = planned()
    assert queries.replace_returning(sql.row(next_version(record)), connection) is None
    queries.create(record, sql.row(record), connection)
    assert queries.replace_returning(sql.row(next_version(record)), connection) == record
    assert queries.replace_returning(sql.row(next_version(record)), connection) is None
    assert queries.versions(["start-1", "start-2"], connection) == {"start-1": 1}


def test_orphans_beyond_the_limit_are_deleted(connection: sqlite3.Connection) -> None:
    rows = [sql.orphan_row(orphan(ENDED, digest=str(number))) for number in range(3)]
    assert [queries.keep_orphan(row, 2, connection) for row in (*rows, rows[2])] == [True, True, True, False]
    kept = queries.read_each(Orphan, sql.LATEST_ORPHANS, (10,), connection)
    assert [each.digest for each in kept if isinstance(each, Orphan)] == ["2", "1"]
    assert queries.delete_old(sql.PRUNE_ORPHANS, to_microseconds(NOW + SECOND), 1, connection) == 1


def test_erasure_says_when_it_happened(connection: sqlite3.Connection) -> None:
    assert queries.forget("start-1", 0, connection) == "never"
    queries.create(planned(), sql.row(planned()), connection)
    assert [queries.forget("start-1", 0, connection) for _ in range(2)] == ["now", "before"]
