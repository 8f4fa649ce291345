"""The SQLite store: restarts, shared transactions, other processes, and kill -9."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.interface import RecordCreated, RecordReplaced, Store, StoreChange
from plivo_record_async.stores.sqlite import database
from plivo_record_async.stores.sqlite.store import SQLiteStore
from plivo_record_async.testing.store_contract.samples import orphan
from tests.support.samples.recordings import ENDED, NOW, SECOND, next_version, planned, recording
from tests.support.sqlite_files import execute_sql, other_connection, output_of, start_writer
from tests.support.store_contract import PackageStoreContract

# The file


async def test_records_survive_a_restart(path: Path) -> None:
    first = SQLiteStore(path)
    await first.create(recording("recorded"))
    await first.aclose()
    second = SQLiteStore(str(path))
    assert await second.get("start-1") == recording("recorded")
    await second.aclose()


async def test_closing_ends_the_thread_and_closes_the_file(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    names = {thread.name for thread in threading.enumerate()}
    assert repr(store) in names
    assert path.with_name("recordings.db-wal").exists()
    await store.aclose()
    for thread in threading.enumerate():
        if thread.name == repr(store):
            thread.join(5)
    assert repr(store) not in {thread.name for thread in threading.enumerate()}
    assert not path.with_name("recordings.db-wal").exists()


async def test_file_is_not_opened_before_the_first_call(path: Path) -> None:
    store = SQLiteStore(path)
    assert repr(store) == f"SQLiteStore('{path}')"
    await store.aclose()
    assert not path.exists()


def test_relative_path_is_relative_to_the_directory_at_construction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = SQLiteStore("recordings.db")
    assert repr(store) == f"SQLiteStore('{tmp_path}/recordings.db')"
    monkeypatch.chdir("/")
    for _ in range(2):
        asyncio.run(store.check())
    assert (tmp_path / "recordings.db").exists()


def test_busy_timeout_must_be_positive(path: Path) -> None:
    with pytest.raises(ValueError, match="busy_timeout"):
        SQLiteStore(path, busy_timeout=0)


async def test_file_uses_wal_with_full_synchronization(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    pragmas = "SELECT (SELECT * FROM pragma_journal_mode), (SELECT * FROM pragma_synchronous)"
    rows = await execute_sql(store, pragmas)
    assert rows == [("wal", 2)]  # 2 is FULL: https://www.sqlite.org/pragma.html#pragma_synchronous
    await store.aclose()


def test_write_that_was_submitted_before_its_event_loop_was_closed_is_done(path: Path) -> None:
    store = SQLiteStore(path)
    ended = asyncio.new_event_loop()
    asking = ended.create_task(store.create(planned()))
    with other_connection(path) as other:
        other.execute("BEGIN EXCLUSIVE")  # so that the answer comes when its loop is closed
        ended.run_until_complete(asyncio.sleep(0))
        ended.run_until_complete(asyncio.sleep(0))
        ended.close()
        other.execute("ROLLBACK")
    asking.get_coro().close()

    async def come_back() -> FollowedRecording | None:
        return await store.get("start-1")

    assert asyncio.run(come_back()) == planned()


def open_files(path: Path) -> list[str]:
    """Return the files of a database that this process has open."""
    links = (link for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return [name for link in links if (name := os.path.realpath(link)).startswith(str(path))]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_event_loops_that_end_without_closing_leave_no_thread_and_no_descriptor(path: Path, run: Any) -> None:
    async def leave() -> None:
        store = SQLiteStore(path)
        await store.create(planned())
        assert len(open_files(path)) == 3
        leftover.append(asyncio.create_task(store.watch("start-1", version=0)))
        await asyncio.sleep(0)

    leftover: list[asyncio.Task[Any]] = []
    for _ in range(50):
        run(leave())
        assert [thread for thread in threading.enumerate() if thread.name.startswith("SQLiteStore")] == []
        assert open_files(path) == []


# Shared transactions


def commits(path: Path) -> int:
    """Return the number of transactions in the WAL: https://www.sqlite.org/fileformat2.html#the_write_ahead_log."""
    wal = path.with_name(path.name + "-wal").read_bytes()
    (page_size,) = struct.unpack_from(">I", wal, 8)
    salt = wal[16:24]
    frames = range(32, len(wal) - 24 + 1, 24 + page_size)
    return sum(wal[at + 4 : at + 8] != b"\0\0\0\0" for at in frames if wal[at + 8 : at + 16] == salt)


async def test_waiting_writes_share_a_transaction(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned("first"))
    before = commits(path)
    await asyncio.gather(*(store.create(planned(f"start-{number}")) for number in range(100)))
    assert commits(path) - before <= 10
    alone = commits(path)
    for number in range(10):
        await store.create(planned(f"alone-{number}"))
    assert commits(path) - alone == 10
    await store.aclose()


async def test_failed_write_does_not_affect_the_others_of_its_batch(path: Path) -> None:
    store = SQLiteStore(path)
    before = [store.create(planned(f"before-{number}")) for number in range(5)]
    after = [store.create(planned(f"after-{number}")) for number in range(5)]
    results = await asyncio.gather(
        *before, execute_sql(store, "INSERT INTO nowhere VALUES (1)", writes=True), *after, return_exceptions=True
    )
    failed = results.pop(5)
    assert isinstance(failed, StoreError)
    assert "no such table: nowhere" in str(failed)
    assert all(isinstance(result, FollowedRecording) for result in results)
    assert await store.get("after-4") == planned("after-4")
    await store.aclose()


async def test_lost_connection_is_replaced(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    with pytest.raises(StoreError, match="closed database"):
        await store._worker.submit(lambda c: c.close(), writes=True)  # pyright: ignore[reportPrivateUsage]
    assert await store.create(planned("start-2")) == planned("start-2")
    await store.aclose()


# Other processes


async def test_two_stores_on_one_file_see_each_other(path: Path) -> None:
    one, other = SQLiteStore(path), SQLiteStore(path)
    record = await one.create(planned())
    assert await other.get("start-1") == record
    changed = next_version(record, gone_at=NOW)
    assert await other.replace(changed)
    assert not await one.replace(next_version(record, gone_at=NOW + SECOND))
    assert await one.get("start-1") == changed
    await one.aclose()
    await other.aclose()


def test_no_change_is_lost_when_processes_contend(path: Path) -> None:
    async def prepare() -> None:
        store = SQLiteStore(path)
        await store.create(planned())
        await store.aclose()

    async def version() -> int:
        store = SQLiteStore(path)
        record = await store.get("start-1")
        await store.aclose()
        assert record is not None
        return record.version

    asyncio.run(prepare())
    processes = [start_writer("count", path, "start-1", 40) for _ in range(3)]
    for process in processes:
        output_of(process)
    assert asyncio.run(version()) == 3 * 40


async def test_several_stores_can_create_the_file_at_the_same_time(tmp_path: Path) -> None:
    for attempt in range(5):
        stores = [SQLiteStore(tmp_path / f"{attempt}.db") for _ in range(8)]
        created = await asyncio.gather(*(store.create(planned(f"start-{n}")) for n, store in enumerate(stores)))
        assert len(created) == 8
        for store in stores:
            await store.aclose()


def test_change_by_another_process_wakes_a_watcher_within_half_a_second(path: Path) -> None:
    async def latencies(process: subprocess.Popen[str]) -> list[float]:
        assert process.stdin is not None
        assert process.stdout is not None
        store = SQLiteStore(path)
        record = await store.create(planned())
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
        waited: list[float] = []
        for _ in range(3):
            watcher = asyncio.create_task(store.watch("start-1", version=record.version))
            process.stdin.write("now\n")
            process.stdin.flush()
            changed = await asyncio.wait_for(watcher, 10)
            woken = time.monotonic()
            record = next_version(record)
            assert changed == record
            waited.append(woken - float(await asyncio.to_thread(process.stdout.readline)))
        await store.aclose()
        return waited

    with start_writer("touch", path, "start-1") as process:
        assert min(asyncio.run(latencies(process))) < 0.5


async def test_changes_of_other_processes_are_polled_only_while_records_are_watched(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    assert not polls(store)
    watcher = asyncio.create_task(store.watch("start-1", version=0))
    await asyncio.sleep(0)
    await store.get("start-1")
    assert polls(store)
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher
    await store.get("start-1")
    assert not polls(store)
    await store.aclose()


def polls(store: SQLiteStore) -> bool:
    """Return whether the store polls as often as watchers need it."""
    return store._database.poll_interval == database._WATCH_INTERVAL  # pyright: ignore[reportPrivateUsage]


async def test_watchers_of_a_broken_file_get_store_error(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    watchers = [asyncio.create_task(store.watch("start-1", version=0)) for _ in range(2)]
    await asyncio.sleep(0)
    with other_connection(path) as other:
        other.execute("DROP TABLE recording")
    for watcher in watchers:
        with pytest.raises(StoreError, match="no such table"):
            await asyncio.wait_for(watcher, 10)
    await store.aclose()


def test_call_in_a_forked_process_raises_configuration_error(path: Path) -> None:
    [line] = output_of(start_writer("fork", path))
    assert line == (
        f"SQLiteStore('{path}') was in use before this process was forked; make one in each process after the fork, "
        "or close it before the fork"
    )


def test_forked_process_can_close_an_inherited_store(path: Path) -> None:
    [line] = output_of(start_writer("fork_and_close", path))
    assert line == "closed"


async def test_unexpected_error_is_raised_and_later_calls_succeed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(path)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", raising(MemoryError("no room")))
        for call in (store.create(planned()), store.get("start-1"), store.watch("start-1", version=0)):
            with pytest.raises(MemoryError, match="no room"):
                await asyncio.wait_for(call, 5)
    assert await asyncio.wait_for(store.create(planned()), 5) == planned()
    await asyncio.wait_for(store.aclose(), 5)


def raising(error: Exception) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


async def test_unreadable_record_fails_only_its_own_watchers(path: Path) -> None:
    store = SQLiteStore(path)
    records = [await store.create(planned(f"start-{number}")) for number in range(3)]
    watchers = [asyncio.create_task(store.watch(record.start_id, version=0)) for record in records]
    await store.get("nobody")
    await execute_sql(store, "UPDATE recording SET version = 1, value = json_set(value, '$.version', 1)", writes=True)
    await execute_sql(store, "UPDATE recording SET value = CAST(x'ff' AS TEXT) WHERE start_id = 'start-1'", writes=True)
    with other_connection(path) as other:
        other.execute("PRAGMA user_version = 1")  # any write of another connection
    ends = await asyncio.wait_for(asyncio.gather(*watchers, return_exceptions=True), 5)
    assert [type(end) for end in ends] == [FollowedRecording, StoreError, FollowedRecording]
    await store.aclose()


# kill -9


@pytest.mark.parametrize("seconds", [0.01, 0.03, 0.07, 0.12, 0.18, 0.25])
def test_acknowledged_changes_survive_kill_9(path: Path, seconds: float) -> None:
    acknowledged: dict[str, int] = {}
    for life in range(2):
        with start_writer("create", path, f"life{life}", 20) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            time.sleep(seconds)
            process.kill()
            lines += process.stdout.readlines()
        for line in lines:
            start_id, version = line.split()
            acknowledged[start_id] = int(version)

    async def check() -> None:
        store = SQLiteStore(path)
        for start_id, version in acknowledged.items():
            kept = await store.get(start_id)
            assert kept is not None, start_id
            assert kept.version >= version
            assert kept.gone_at == (None if kept.version == 0 else NOW + (kept.version - 1) * SECOND)
        assert await execute_sql(store, "PRAGMA integrity_check") == [("ok",)]
        await store.aclose()

    assert len(acknowledged) >= 2
    asyncio.run(check())


# The observer; tests/stores/test_observable.py has what every store reports


async def test_observer_gets_each_change_with_the_previous_version(path: Path) -> None:
    changes: list[StoreChange] = []
    async with SQLiteStore(path, observer=changes.append) as store:
        record = await store.create(planned())
        await store.create(planned())
        assert not await store.replace(record)
        assert await store.replace(next_version(record))
    assert changes == [RecordCreated(record=record), RecordReplaced(before=record, after=next_version(record))]


async def test_unreadable_orphan_is_left_out(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with SQLiteStore(path) as store:
        await store.keep_orphan(orphan(ENDED))
        await execute_sql(store, "UPDATE orphan SET value = ''", writes=True)
        assert await store.orphans() == []
        assert await store.orphans() == []
    assert caplog.text.count("a value that cannot be read was left out") == 1


class TestContract(PackageStoreContract):
    @pytest.fixture
    def store(self, path: Path) -> Store:
        return SQLiteStore(path)
