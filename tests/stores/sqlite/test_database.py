"""Transactions that fail, and files that are deleted, replaced or truncated while the store uses them."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.batching.worker import Job, JobResult
from plivo_record_async.stores.encoding import to_microseconds
from plivo_record_async.stores.sqlite import queries
from plivo_record_async.stores.sqlite import statements as sql
from plivo_record_async.stores.sqlite.database import Database
from plivo_record_async.stores.sqlite.file_monitor import FileMonitor
from plivo_record_async.stores.sqlite.store import SQLiteStore
from tests.support.samples.recordings import NOW, next_version, planned
from tests.support.sqlite_files import execute_sql, other_connection, output_of, start_writer


async def test_write_to_a_full_database_raises_store_error_and_loses_nothing(path: Path) -> None:
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


def test_write_to_a_full_disk_raises_store_error_and_loses_nothing(path: Path) -> None:
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


async def test_locked_file_can_be_read_and_not_written(path: Path) -> None:
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
    """Change a file that is in use, as an operator may do by mistake."""
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
            with pytest.raises(StoreError, match="check that its directory exists"):
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


# The backend without a thread


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def backend(path: Path) -> Iterator[Database]:
    backend = Database(str(path), busy_timeout=1)
    yield backend
    backend.close()


Work = Callable[[sqlite3.Connection], Any]


def run(backend: Database, loop: asyncio.AbstractEventLoop, *works: Work, writes: bool = True) -> list[JobResult]:
    return backend.run([Job(work, loop.create_future(), writes) for work in works])


def creation(record: FollowedRecording) -> Work:
    return partial(queries.create, record, sql.row(record))


def test_failed_write_is_rolled_back_alone(backend: Database, loop: asyncio.AbstractEventLoop) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        creation(planned("start-2"))(connection)
        raise ZeroDivisionError

    first, failed, last = run(backend, loop, creation(planned("start-1")), fail, creation(planned("start-3")))
    assert (first.value, last.value) == (planned("start-1"), planned("start-3"))
    assert isinstance(failed.error, ZeroDivisionError)
    [result] = run(backend, loop, partial(queries.versions, ["start-1", "start-2", "start-3"]), writes=False)
    assert result.value == {"start-1": 0, "start-3": 0}


def test_write_that_loses_its_connection_fails_and_the_next_one_connects_again(
    backend: Database, loop: asyncio.AbstractEventLoop
) -> None:
    [result] = run(backend, loop, lambda connection: connection.close())
    assert isinstance(result.error, StoreError)
    assert "closed database" in str(result.error)
    [result] = run(backend, loop, creation(planned()))
    assert result.value == planned()


def test_watcher_gets_each_kind_of_change(backend: Database, loop: asyncio.AbstractEventLoop) -> None:
    def watch(version: int) -> asyncio.Future[Any]:
        future = loop.create_future()
        [result] = run(backend, loop, partial(backend.watch, "start-1", version, future), writes=False)
        assert result.value is None
        return future

    def received(work: Work) -> tuple[Any, asyncio.Future[Any]]:
        _, result = run(backend, loop, work)
        return result.value, result.future

    record = planned()
    changed, later = next_version(record, due_at=None), next_version(next_version(record), due_at=None)
    run(backend, loop, creation(record))
    waiting = watch(0)
    assert received(partial(backend.replace, sql.row(changed))) == (changed, waiting)
    waiting = watch(1)
    assert received(partial(backend.replace_returning, sql.row(later))) == (later, waiting)
    waiting = watch(2)
    old = partial(backend.delete_old, sql.PRUNE, to_microseconds(NOW) + 1, 10)
    assert received(old) == (None, waiting)
    run(backend, loop, creation(record))
    waiting = watch(0)
    assert received(partial(backend.forget, "start-1", 0)) == (None, waiting)
    run(backend, loop, creation(record))
    waiting = watch(0)
    run(backend, loop, partial(backend.unwatch, "start-1", waiting), writes=False)
    assert len(run(backend, loop, partial(backend.forget, "start-1", 0))) == 1


def test_watchers_get_the_error_of_a_broken_file(
    backend: Database, loop: asyncio.AbstractEventLoop, path: Path
) -> None:
    future = loop.create_future()
    run(backend, loop, creation(planned()))
    run(backend, loop, partial(backend.watch, "start-1", 0, future), writes=False)
    with other_connection(path) as other:
        other.execute("DROP TABLE recording")
    [result] = backend.run([])
    assert result.future is future
    assert "no such table" in str(result.error)


def test_file_that_is_deleted_while_it_is_being_opened_is_reported(
    backend: Database, loop: asyncio.AbstractEventLoop, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete(self: FileMonitor) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    with monkeypatch.context() as patch:
        patch.setattr(FileMonitor, "start", delete)
        [result] = run(backend, loop, creation(planned()))
    assert "was deleted or moved while it was being opened" in str(result.error)
    [result] = run(backend, loop, creation(planned()))
    assert result.value == planned()
