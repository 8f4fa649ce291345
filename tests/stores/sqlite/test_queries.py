"""What is read and written: records that cannot be read, and the erasure of what was stored."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.stores.sqlite.store import SQLiteStore
from tests.support.samples.orphans import orphan
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
    with pytest.raises(StoreError, match="no FollowedRecording that this version of the package can read"):
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
    assert caplog.text.count("what cannot be read is left alone") == 3, "each is logged once"
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
        with pytest.raises(StoreError, match="still in its journal, because another process reads it"):
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
