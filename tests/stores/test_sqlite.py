"""What only a file has: other processes, sudden death, a full disk, damage, a schema."""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from blockbuster import BlockBuster, blockbuster_ctx

import plivo_record_async
from plivo_record_async.errors import StoreError
from plivo_record_async.interfaces import Orphan
from plivo_record_async.protocol.followed import FollowedRecording
from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.stores import file as sqlite_file
from plivo_record_async.stores import sqlite as sqlite_store
from plivo_record_async.stores.file import migrate
from plivo_record_async.stores.sql import APPLICATION_ID
from plivo_record_async.stores.sqlite import SQLiteStore
from tests.protocol.lives import ENDED, NOW, SECOND, next_version, planned, recording

WRITER = Path(__file__).with_name("writer.py")


def writer(*arguments: object) -> subprocess.Popen[str]:
    """Another process that has the file open; see there."""
    return subprocess.Popen(
        [sys.executable, str(WRITER), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def said(process: subprocess.Popen[str]) -> list[str]:
    """What it has said when it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.close()
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    return lines


@contextmanager
def file_of(path: Path) -> Generator[sqlite3.Connection]:
    """Another program that looks at the file, or has it locked."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture(autouse=True)
def blockbuster() -> Generator[BlockBuster]:
    """These tests look at the file themselves; only the package must not block."""
    with blockbuster_ctx(plivo_record_async) as watch:
        yield watch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.db"


# The file


async def test_what_was_kept_is_there_after_a_restart(path: Path) -> None:
    first = SQLiteStore(path)
    await first.create(recording("recorded"))
    await first.aclose()
    second = SQLiteStore(str(path))
    assert await second.get("start-1") == recording("recorded")
    await second.aclose()


async def test_closing_ends_the_thread_and_lets_go_of_the_file(path: Path) -> None:
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


async def test_nothing_is_opened_before_the_first_call(path: Path) -> None:
    store = SQLiteStore(path)
    assert repr(store) == f"SQLiteStore('{path}')"
    await store.aclose()
    assert not path.exists()


@pytest.mark.parametrize("bad", ["", ":memory:", b":memory:", "a\0b"])
def test_a_file_has_a_name(bad: str) -> None:
    with pytest.raises(ValueError, match="MemoryStore"):
        SQLiteStore(bad)


def test_waiting_takes_time(path: Path) -> None:
    with pytest.raises(ValueError, match="busy_timeout"):
        SQLiteStore(path, busy_timeout=0)


async def test_a_commit_is_on_the_disk(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    pragmas = "SELECT (SELECT * FROM pragma_journal_mode), (SELECT * FROM pragma_synchronous)"
    rows = await ask(store, pragmas)
    assert rows == [("wal", 2)]  # 2 is FULL: https://www.sqlite.org/pragma.html#pragma_synchronous
    await store.aclose()


async def ask(store: SQLiteStore, statement: str, *, writes: bool = False) -> list[tuple[object, ...]]:
    """Say something to SQLite that no verb says, on the store's own connection."""
    rounds = store._rounds  # pyright: ignore[reportPrivateUsage]
    answer: list[tuple[object, ...]] = await rounds.ask(lambda c: c.execute(statement).fetchall(), writes=writes)
    return answer


def test_one_store_serves_one_loop_after_another(path: Path) -> None:
    store = SQLiteStore(path)

    async def leave_without_waiting() -> None:
        task = asyncio.create_task(store.create(planned()))
        await asyncio.sleep(0)
        assert not task.done()

    async def come_back() -> FollowedRecording | None:
        return await store.get("start-1")

    with file_of(path) as other:
        other.execute("BEGIN EXCLUSIVE")  # so that the answer comes when its loop is closed
        asyncio.run(leave_without_waiting())
        other.execute("ROLLBACK")
    for _ in range(50):
        if asyncio.run(come_back()) is not None:
            break
    assert asyncio.run(come_back()) == planned()
    asyncio.run(store.aclose())


# Group commit


def commits(path: Path) -> int:
    """How many transactions are in the WAL: https://www.sqlite.org/fileformat2.html#the_write_ahead_log."""
    wal = path.with_name(path.name + "-wal").read_bytes()
    (page_size,) = struct.unpack_from(">I", wal, 8)
    salt = wal[16:24]
    frames = range(32, len(wal) - 24 + 1, 24 + page_size)
    return sum(wal[at + 4 : at + 8] != b"\0\0\0\0" for at in frames if wal[at + 8 : at + 16] == salt)


async def test_writers_who_wait_share_a_transaction(path: Path) -> None:
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


async def test_one_writer_that_fails_does_not_spoil_the_others(path: Path) -> None:
    store = SQLiteStore(path)
    before = [store.create(planned(f"before-{number}")) for number in range(5)]
    after = [store.create(planned(f"after-{number}")) for number in range(5)]
    results = await asyncio.gather(
        *before, ask(store, "INSERT INTO nowhere VALUES (1)", writes=True), *after, return_exceptions=True
    )
    failed = results.pop(5)
    assert isinstance(failed, StoreError)
    assert "no such table: nowhere" in str(failed)
    assert all(isinstance(result, FollowedRecording) for result in results)
    assert await store.get("after-4") == planned("after-4")
    await store.aclose()


async def test_a_connection_that_is_lost_is_made_anew(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    with pytest.raises(StoreError, match="closed database"):
        await store._rounds.ask(lambda c: c.close(), writes=True)  # pyright: ignore[reportPrivateUsage]
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


def test_of_processes_that_contend_none_loses_a_change(path: Path) -> None:
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
    processes = [writer("count", path, "start-1", 40) for _ in range(3)]
    for process in processes:
        said(process)
    assert asyncio.run(version()) == 3 * 40


async def test_many_may_make_the_file_at_the_same_time(tmp_path: Path) -> None:
    for attempt in range(5):
        stores = [SQLiteStore(tmp_path / f"{attempt}.db") for _ in range(8)]
        created = await asyncio.gather(*(store.create(planned(f"start-{n}")) for n, store in enumerate(stores)))
        assert len(created) == 8
        for store in stores:
            await store.aclose()


def test_a_watcher_in_another_process_wakes_within_half_a_second(path: Path) -> None:
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

    with writer("touch", path, "start-1") as process:
        assert min(asyncio.run(latencies(process))) < 0.5


async def test_the_file_is_looked_at_only_while_somebody_watches(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    assert not looks(store)
    watcher = asyncio.create_task(store.watch("start-1", version=0))
    await asyncio.sleep(0)
    await store.get("start-1")
    assert looks(store)
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher
    await store.get("start-1")
    assert not looks(store)
    await store.aclose()


def looks(store: SQLiteStore) -> bool:
    """Whether it looks at the file again and again."""
    return store._file.patience is not None  # pyright: ignore[reportPrivateUsage]


async def test_a_watcher_that_is_cancelled_after_closing_is_only_cancelled(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    watcher = asyncio.create_task(store.watch("start-1", version=0))
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.aclose())
    await asyncio.sleep(0)
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher
    await closing


async def test_who_watches_a_file_that_breaks_is_told(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    watchers = [asyncio.create_task(store.watch("start-1", version=0)) for _ in range(2)]
    await asyncio.sleep(0)
    with file_of(path) as other:
        other.execute("DROP TABLE recording")
    for watcher in watchers:
        with pytest.raises(StoreError, match="no such table"):
            await asyncio.wait_for(watcher, 10)
    await store.aclose()


def test_a_store_that_was_forked_says_so(path: Path) -> None:
    [line] = said(writer("fork", path))
    assert line == f"SQLiteStore('{path}') was in use before this process was forked; make one in each process"


def test_a_forked_process_can_close_what_it_was_given(path: Path) -> None:
    [line] = said(writer("fork_and_close", path))
    assert line == "closed"


async def test_what_goes_wrong_unexpectedly_is_told_and_harms_no_later_call(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


async def test_a_record_that_cannot_be_read_harms_only_those_who_watch_it(path: Path) -> None:
    store = SQLiteStore(path)
    records = [await store.create(planned(f"start-{number}")) for number in range(3)]
    watchers = [asyncio.create_task(store.watch(record.start_id, version=0)) for record in records]
    await store.get("nobody")
    await ask(store, "UPDATE recording SET version = 1, value = json_set(value, '$.version', 1)", writes=True)
    await ask(store, "UPDATE recording SET value = CAST(x'ff' AS TEXT) WHERE start_id = 'start-1'", writes=True)
    with file_of(path) as other:
        other.execute("PRAGMA user_version = 1")  # any write of another connection
    ends = await asyncio.wait_for(asyncio.gather(*watchers, return_exceptions=True), 5)
    assert [type(end) for end in ends] == [FollowedRecording, StoreError, FollowedRecording]
    await store.aclose()


async def test_much_is_forgotten_in_slices_between_which_others_have_their_turn(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "_SLICE", 10)
    store = SQLiteStore(path)
    old = [recording("rejected", f"start-{number}") for number in range(25)]
    await asyncio.gather(*map(store.create, old))
    await asyncio.gather(*(store.keep_orphan(Orphan(received_at=NOW, event=ENDED)) for _ in range(25)))
    pruning = asyncio.create_task(store.prune(NOW + SECOND))
    await asyncio.sleep(0)
    await store.create(planned("young"))
    assert not pruning.done()
    assert await pruning == 25
    assert (await store.get("start-24"), await store.orphans()) == (None, [])
    assert await store.get("young") == planned("young")
    await store.aclose()


# Sudden death


@pytest.mark.parametrize("seconds", [0.01, 0.03, 0.07, 0.12, 0.18, 0.25])
def test_what_was_acknowledged_survives_kill_9(path: Path, seconds: float) -> None:
    acknowledged: dict[str, int] = {}
    for life in range(2):
        with writer("create", path, f"life{life}", 20) as process:
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
        assert await ask(store, "PRAGMA integrity_check") == [("ok",)]
        await store.aclose()

    assert len(acknowledged) >= 2
    asyncio.run(check())


# What goes wrong


async def test_a_full_database_refuses_and_forgets_nothing(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned("first"))
    [(pages,)] = await ask(store, "PRAGMA page_count")
    await ask(store, f"PRAGMA max_page_count = {int(str(pages)) + 3}")
    kept: list[str] = ["first"]

    async def fill() -> None:
        while True:
            kept.append((await store.create(planned(f"start-{len(kept)}"))).start_id)

    with pytest.raises(StoreError, match="the disk is full"):
        await fill()
    assert [await store.get(start_id) is None for start_id in kept] == [False] * len(kept)
    results = await asyncio.gather(*(store.create(planned(f"more-{n}")) for n in range(5)), return_exceptions=True)
    assert any(isinstance(result, StoreError) for result in results)
    await ask(store, "PRAGMA max_page_count = 100000")
    assert await store.create(planned("after")) == planned("after")
    await store.aclose()


def test_a_disk_that_takes_no_more_bytes_refuses_and_forgets_nothing(path: Path) -> None:
    lines = said(writer("full", path, 400_000))
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


async def test_a_locked_file_refuses_writers_and_not_readers(path: Path) -> None:
    store = SQLiteStore(path, busy_timeout=0.05)
    record = await store.create(planned())
    with file_of(path) as other:
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


async def test_who_waits_for_a_lock_writes_when_it_is_free(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    with file_of(path) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(store.create(planned("start-2")))
        await asyncio.sleep(0)
        other.execute("ROLLBACK")
        assert await asyncio.wait_for(writing, 10) == planned("start-2")
    await store.aclose()


async def test_a_file_that_is_locked_at_first_is_opened_later(path: Path) -> None:
    store = SQLiteStore(path, busy_timeout=0.05)
    with file_of(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="another process keeps it locked"):
            await store.get("start-1")
        other.execute("ROLLBACK")
    assert await store.create(planned()) == planned()
    await store.aclose()


async def test_a_file_that_is_locked_at_first_is_waited_for_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch to WAL is tried again and again, so no try may have the patience of the whole."""
    pauses, patience, connect = list[float](), list[float](), sqlite3.connect

    def impatient(path: str, timeout: float, isolation_level: None) -> sqlite3.Connection:
        patience.append(timeout)
        return connect(path, timeout=timeout, isolation_level=isolation_level)

    monkeypatch.setattr(sqlite_file, "time", SimpleNamespace(monotonic=itertools.count().__next__, sleep=pauses.append))
    store = SQLiteStore(path, busy_timeout=5)
    with file_of(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(sqlite3, "connect", impatient)
        with pytest.raises(StoreError, match="another process keeps it locked"):
            await store.get("start-1")
    assert len(pauses) == 5
    assert patience == pauses[:1]
    await store.aclose()


async def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    store = SQLiteStore(missing / "recordings.db")
    with pytest.raises(StoreError, match="does its directory exist") as refused:
        await store.create(planned())
    assert "acknowledged" not in str(refused.value), "nothing ever was"
    missing.mkdir()
    assert await store.create(planned()) == planned()
    await store.aclose()


async def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="it is no SQLite database, or damaged") as refused:
        await store.get("start-1")
    assert "acknowledged" not in str(refused.value), "nothing ever was"
    await store.aclose()
    assert path.read_text().startswith("Dear diary")


async def test_damage_is_called_damage(path: Path) -> None:
    store = SQLiteStore(path)
    await asyncio.gather(*(store.create(planned(f"start-{number}")) for number in range(200)))
    await store.aclose()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="it is damaged"):
        await store.create(planned())
    await store.aclose()


async def test_a_damaged_record_is_not_guessed_at(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    await ask(store, "UPDATE recording SET value = substr(value, 1, 40)", writes=True)
    with pytest.raises(StoreError, match="no FollowedRecording that this version of the package can read"):
        await store.get("start-1")
    await store.aclose()


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_records_that_cannot_be_read_do_not_keep_the_others_from_coming_due(
    path: Path, limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    store = SQLiteStore(path)
    for number in range(6):
        await store.create(attrs.evolve(planned(f"start-{number}"), due_at=NOW + number * SECOND))
    newer = "UPDATE recording SET value = json_set(value, '$.colour', 'green') WHERE start_id < 'start-3'"
    await ask(store, newer, writes=True)
    for _ in range(2):
        due = await store.due(NOW + 9 * SECOND, limit=limit)
        assert [record.start_id for record in due] == ["start-3", "start-4", "start-5"][:limit]
    assert caplog.text.count("what cannot be read is left alone") == 3, "each is told of once"
    await store.aclose()


async def test_orphans_that_cannot_be_read_do_not_hide_the_others(path: Path) -> None:
    store = SQLiteStore(path)
    for number in range(3):
        await store.keep_orphan(Orphan(received_at=NOW + number * SECOND, event=UnknownCallback(raw={"n": number})))
    await ask(store, "UPDATE orphan SET value = json_set(value, '$.colour', 'green') WHERE id = 2", writes=True)
    assert [orphan.event.raw["n"] for orphan in await store.orphans()] == [2, 0]
    await store.aclose()


async def test_a_file_that_may_only_be_read_is_read(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    await ask(store, "PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="it may only be read"):
        await store.create(planned("start-2"))
    assert await store.get("start-1") == planned()
    await store.aclose()


@contextmanager
def ordinary_user(folder: Path) -> Generator[None]:
    """Be somebody whom permissions stop, and the owner of a folder; root is neither."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    for path in (folder, *folder.iterdir()):
        os.chown(path, nobody, nobody)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_file_without_permission_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recordings.db"
        first = SQLiteStore(path)
        await first.create(planned())
        await first.aclose()
        path.chmod(0o400)
        with ordinary_user(Path(folder)):
            store = SQLiteStore(path)
            with pytest.raises(StoreError, match="it may only be read"):
                await store.create(planned("start-2"))
            await store.aclose()


# The schema

STEPS = (("CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"), ("ALTER TABLE a ADD COLUMN y DEFAULT 2",))


def test_a_new_file_gets_every_step_and_an_old_one_what_it_lacks(path: Path) -> None:
    with file_of(path) as connection:
        migrate(connection, STEPS[:1], "path")
        assert connection.execute("SELECT * FROM a").fetchall() == [(1,)]
        migrate(connection, STEPS, "path")
        migrate(connection, STEPS, "path")
        assert connection.execute("SELECT * FROM a").fetchall() == [(1, 2)]
        assert connection.execute("PRAGMA user_version").fetchall() == [(2,)]


def test_a_step_that_fails_leaves_the_schema_as_it_was(path: Path) -> None:
    with file_of(path) as connection:
        migrate(connection, STEPS[:1], "path")
        with pytest.raises(sqlite3.OperationalError, match="no such table: b"):
            migrate(connection, (*STEPS, ("INSERT INTO b VALUES (1)",)), "path")
    with file_of(path) as connection:
        assert connection.execute("SELECT * FROM a").fetchall() == [(1,)]
        assert connection.execute("PRAGMA user_version").fetchall() == [(1,)]


NEWER = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1000"


async def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    with file_of(path) as other:
        other.executescript(NEWER)
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match=r"recordings.db: its schema is version 1000, .* upgrade the package"):
        await store.create(planned())
    await store.aclose()
    with file_of(path) as other:
        assert other.execute("SELECT * FROM sqlite_master").fetchall() == []


@pytest.mark.parametrize("mark", ["user_version = 0", "user_version = 1", "application_id = 1"])
async def test_the_database_of_another_program_is_left_alone(path: Path, mark: str) -> None:
    with file_of(path) as other:
        other.execute("CREATE TABLE customers (name)")
        other.execute(f"PRAGMA {mark}")
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="it is the database of another program"):
        await store.create(planned())
    await store.aclose()
    with file_of(path) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("customers",)]


async def test_a_schema_that_appears_while_waiting_for_the_lock_is_taken_as_it_is(path: Path) -> None:
    store = SQLiteStore(path)
    with file_of(path) as other:
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
