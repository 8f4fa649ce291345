"""How the file is opened: permission, locks, and the errors of SQLite."""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.sqlite import connection, file_monitor
from plivo_record_async.stores.sqlite.file_monitor import OpenFiles
from plivo_record_async.stores.sqlite.store import SQLiteStore
from tests.support.samples.recordings import planned
from tests.support.sqlite_files import execute_sql, other_connection


async def test_file_that_is_locked_at_first_is_opened_later(path: Path) -> None:
    store = SQLiteStore(path, busy_timeout=0.05)
    with other_connection(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="another process keeps it locked"):
            await store.get("start-1")
        other.execute("ROLLBACK")
    assert await store.create(planned()) == planned()
    await store.aclose()


async def test_opening_a_locked_file_waits_no_longer_than_busy_timeout(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch to WAL is attempted many times, so no single attempt may use the whole timeout."""
    pauses, patience, connect = list[float](), list[float](), sqlite3.connect

    def impatient(path: str, timeout: float, isolation_level: None) -> sqlite3.Connection:
        patience.append(timeout)
        return connect(path, timeout=timeout, isolation_level=isolation_level)

    monkeypatch.setattr(connection, "time", SimpleNamespace(monotonic=itertools.count().__next__, sleep=pauses.append))
    store = SQLiteStore(path, busy_timeout=5)
    with other_connection(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(sqlite3, "connect", impatient)
        with pytest.raises(StoreError, match="another process keeps it locked"):
            await store.get("start-1")
    assert len(pauses) == 5
    assert patience == pauses[:1]
    await store.aclose()


async def test_missing_directory_is_reported(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    store = SQLiteStore(missing / "recordings.db")
    with pytest.raises(StoreError, match="check that its directory exists") as caught:
        await store.create(planned())
    assert "acknowledged" not in str(caught.value), "nothing ever was"
    missing.mkdir()
    assert await store.create(planned()) == planned()
    await store.aclose()


async def test_file_that_is_no_database_raises_store_error_and_is_not_changed(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="it is not an SQLite database, or it is damaged") as caught:
        await store.get("start-1")
    assert "acknowledged" not in str(caught.value), "nothing ever was"
    await store.aclose()
    assert path.read_text().startswith("Dear diary")


async def test_damaged_database_is_reported_as_damaged(path: Path) -> None:
    store = SQLiteStore(path)
    await asyncio.gather(*(store.create(planned(f"start-{number}")) for number in range(200)))
    await store.aclose()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="it is damaged"):
        await store.create(planned())
    await store.aclose()


async def test_read_only_file_can_be_read(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    await execute_sql(store, "PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="it may only be read"):
        await store.create(planned("start-2"))
    assert await store.get("start-1") == planned()
    await store.aclose()


@contextmanager
def ordinary_user(folder: Path) -> Generator[None]:
    """Run as a user whom permissions restrict, which root is not, and who owns the folder."""
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


async def test_file_without_write_permission_raises_store_error() -> None:
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


async def test_file_that_is_deleted_while_it_is_being_opened_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: str) -> OpenFiles:
        Path(path).unlink()
        return OpenFiles(path)

    store = SQLiteStore(path)
    with monkeypatch.context() as patch:
        patch.setattr(file_monitor, "OpenFiles", gone)
        with pytest.raises(StoreError, match="was deleted or moved while it was being opened"):
            await store.create(planned())
    await store.create(planned())
    await store.aclose()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
async def test_new_file_and_its_journal_are_readable_by_the_owner_only(path: Path, umask: int) -> None:
    store = SQLiteStore(path)
    before = os.umask(umask)
    try:
        await store.create(planned())
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {"recordings.db": 0o600, "recordings.db-wal": 0o600, "recordings.db-shm": 0o600}
    await store.aclose()


async def test_existing_file_keeps_its_permissions(path: Path) -> None:
    path.touch()
    path.chmod(0o640)
    store = SQLiteStore(path)
    await store.create(planned())
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o640}
    await store.aclose()


def test_database_that_cannot_have_a_wal_raises_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where the file of that name is created
    with pytest.raises(StoreError, match="SQLite can keep no WAL, only 'memory'"):
        connection.connect(":memory:", busy_timeout=1)


@pytest.mark.parametrize("bad", ["", ":memory:", b":memory:", "a\0b"])
def test_path_that_names_no_file_is_invalid(bad: str) -> None:
    with pytest.raises(ValueError, match="MemoryStore"):
        connection.absolute_path(bad)


def test_relative_path_is_relative_to_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert connection.absolute_path("recordings.db") == f"{tmp_path}/recordings.db"
    assert connection.absolute_path(tmp_path / "recordings.db") == f"{tmp_path}/recordings.db"


def test_error_that_is_not_of_sqlite_stays_unchanged() -> None:
    error = ValueError("no")
    assert connection.to_store_error("path", error) is error


def test_truncated_file_is_distinguished_from_a_complete_one(path: Path) -> None:
    connection.connect(str(path), busy_timeout=1).close()
    assert connection.describe_truncation(str(path)) is None
    os.truncate(path, path.stat().st_size // 2)
    assert f"{path} was truncated while it was in use" in str(connection.describe_truncation(str(path)))
    path.write_bytes(b"x" * 512)
    assert "(file is not a database)" in str(connection.describe_truncation(str(path)))
