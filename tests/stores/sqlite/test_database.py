"""Transactions that fail, and files that are deleted, replaced or truncated while the store uses them."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.sqlite.store import SQLiteStore
from tests.support.samples.recordings import NOW, next_version, planned
from tests.support.sqlite_files import execute_sql, other_connection, output_of, start_writer


async def test_full_database_refuses_writes_and_keeps_what_it_has(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned("first"))
    [(pages,)] = await execute_sql(store, "PRAGMA page_count")
    await execute_sql(store, f"PRAGMA max_page_count = {int(str(pages)) + 3}")
    kept: list[str] = ["first"]

    async def fill() -> None:
        while True:
            kept.append((await store.create(planned(f"start-{len(kept)}"))).start_id)

    with pytest.raises(StoreError, match="the disk is full"):
        await fill()
    assert [await store.get(start_id) is None for start_id in kept] == [False] * len(kept)
    results = await asyncio.gather(*(store.create(planned(f"more-{n}")) for n in range(5)), return_exceptions=True)
    assert any(isinstance(result, StoreError) for result in results)
    await execute_sql(store, "PRAGMA max_page_count = 100000")
    assert await store.create(planned("after")) == planned("after")
    await store.aclose()


def test_full_disk_refuses_writes_and_keeps_what_it_has(path: Path) -> None:
    lines = output_of(start_writer("full", path, 400_000))
    [refused] = [line for line in lines if line.startswith("refused")]
    assert f"{path}: the disk failed" in refused
    assert "what was acknowledged before is not affected" in refused
    kept = [line.removeprefix("kept ") for line in lines if line.startswith("kept")]
    assert len(kept) > 5
    assert kept[-1] == "after"

    async def check() -> None:
        store = SQLiteStore(path)
        assert [start_id for start_id in kept if await store.get(start_id) is None] == []
        await store.aclose()

    asyncio.run(check())


async def test_locked_file_refuses_writes_and_allows_reads(path: Path) -> None:
    store = SQLiteStore(path, busy_timeout=0.05)
    record = await store.create(planned())
    with other_connection(path) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = [store.replace(next_version(record, gone_at=NOW)), store.create(planned("start-2"))]
        for result in await asyncio.gather(*writing, return_exceptions=True):
            assert isinstance(result, StoreError)
            assert "another process keeps it locked" in str(result)
            assert isinstance(result.__cause__, sqlite3.OperationalError)
        assert await store.get("start-1") == record
        other.execute("ROLLBACK")
    assert await store.replace(next_version(record))
    await store.aclose()


async def test_write_that_waits_for_a_lock_succeeds_when_it_is_released(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    with other_connection(path) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(store.create(planned("start-2")))
        await asyncio.sleep(0)
        other.execute("ROLLBACK")
        assert await asyncio.wait_for(writing, 10) == planned("start-2")
    await store.aclose()


def disturb(path: Path, how: str) -> None:
    """Do to a file that is in use what operators do by mistake."""
    match how:
        case "deleted":
            path.unlink()
        case "replaced":
            copy = path.with_suffix(".copy")
            shutil.copy(path, copy)
            copy.replace(path)
        case "replaced by nothing":
            path.unlink()
            path.touch()
        case "truncated":
            os.truncate(path, path.stat().st_size // 2)
        case "emptied":
            path.write_bytes(b"")
        case "without its log":
            path.with_name("recordings.db-wal").unlink()
        case "without its index":
            path.with_name("recordings.db-shm").unlink()
        case _:
            path.parent.rename(f"{path.parent} elsewhere")


WAYS = (
    "deleted",
    "replaced",
    "replaced by nothing",
    "truncated",
    "emptied",
    "moved",
    "without its log",
    "without its index",
)


@pytest.fixture
async def filled(path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path)
    await asyncio.gather(*(store.create(planned(f"start-{number}")) for number in range(200)))
    await execute_sql(store, "PRAGMA wal_checkpoint(TRUNCATE)")
    await store.check()
    yield store
    await store.aclose()


@pytest.mark.parametrize("how", WAYS)
async def test_write_to_a_file_that_is_gone_is_not_acknowledged(filled: SQLiteStore, path: Path, how: str) -> None:
    disturb(path, how)
    with pytest.raises(StoreError, match="while it was in use"):
        await filled.create(planned("new"))
    for call in (filled.get("start-1"), filled.check(), filled.due(NOW), filled.orphans()):
        with pytest.raises(StoreError, match=r"while it was in use.*close the store and enter it again, or restart"):
            await call


@pytest.mark.parametrize("how", WAYS)
async def test_watchers_get_an_error_when_the_file_is_gone(
    filled: SQLiteStore, path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = asyncio.create_task(filled.watch("start-1", version=0))
    await filled.get("start-1")
    disturb(path, how)
    with pytest.raises(StoreError, match="while it was in use"):
        await asyncio.wait_for(watcher, 10)
    for _ in range(3):
        with pytest.raises(StoreError):
            await filled.get("start-1")
    [line] = caplog.records
    assert (line.levelname, line.exc_info) == ("ERROR", None)
    assert "while it was in use" in line.message


async def test_missing_file_is_logged_although_nobody_calls_or_watches(
    filled: SQLiteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    async with asyncio.timeout(10):
        while not caplog.records:
            await asyncio.sleep(0.01)
    assert filled._database.poll_interval <= 0.5  # pyright: ignore[reportPrivateUsage]


async def test_file_that_comes_back_is_used_again(
    filled: SQLiteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = path.rename(path.with_name("away.db"))
    with pytest.raises(StoreError, match="deleted or moved"):
        await filled.create(planned("refused"))
    with pytest.raises(StoreError, match="deleted or moved"):
        await filled.create(planned("refused too"))
    away.rename(path)
    assert await filled.create(planned("new")) == planned("new")
    assert await filled.get("refused too") is None, "no call is attempted while the file is known to be gone"
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


@pytest.mark.parametrize("how", WAYS)
async def test_store_that_is_entered_again_uses_the_file_that_is_there(
    filled: SQLiteStore, path: Path, how: str
) -> None:
    disturb(path, how)
    with pytest.raises(StoreError):
        await filled.check()
    await filled.aclose()
    await filled.open()
    match how:
        case "moved":
            with pytest.raises(StoreError, match="does its directory exist"):
                await filled.check()
        case "truncated":
            with pytest.raises(StoreError, match="it is damaged"):
                await asyncio.gather(*(filled.get(f"start-{number}") for number in range(200)))
        case _:
            await filled.create(planned("start-1"))
            kept = await filled.get("start-2")
            assert (kept is None) == (how in {"deleted", "replaced by nothing", "emptied"})


async def test_vacuum_is_not_reported_as_damage(
    filled: SQLiteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = path.stat().st_size
    await execute_sql(filled, "DELETE FROM recording WHERE start_id > 'start-1'", writes=True)
    with other_connection(path) as other:
        other.execute("VACUUM")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < before
    assert await filled.get("start-1") == planned("start-1")
    await filled.check()
    assert caplog.records == []


async def test_lost_connection_is_not_replaced_by_one_to_another_file(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    with pytest.raises(StoreError, match="closed database"):
        await store._worker.submit(lambda c: c.close(), writes=True)  # pyright: ignore[reportPrivateUsage]
    path.unlink()
    for _ in range(2):
        with pytest.raises(StoreError, match="was deleted or moved while it was in use"):
            await store.create(planned("start-2"))
    assert not path.exists()
    await store.aclose()
