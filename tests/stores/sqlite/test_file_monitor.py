"""The checks of whether the path of a database still leads to the files that were opened."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plivo_record_async.stores.sqlite.file_monitor import FileMonitor, OpenFiles


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        yield connection


@pytest.fixture
def files(path: Path, database: sqlite3.Connection) -> OpenFiles:
    return OpenFiles(str(path))


def test_unchanged_files_are_no_problem(files: OpenFiles, database: sqlite3.Connection) -> None:
    assert files.problem(is_open=True) is None
    database.execute("INSERT INTO t VALUES (zeroblob(100000))")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert files.problem(is_open=True) is None
    assert not files.has_shrunk()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_deleted_file_is_named(files: OpenFiles, path: Path, suffix: str) -> None:
    file = Path(f"{path}{suffix}")
    kept = file.rename(file.with_suffix(".kept"))
    problem = files.problem(is_open=True)
    assert problem == f"{file} was deleted or moved while it was in use (No such file or directory)"
    kept.rename(file)
    assert files.problem(is_open=True) is None


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_replaced_file_is_named(files: OpenFiles, path: Path, suffix: str) -> None:
    file = Path(f"{path}{suffix}")
    copy = file.with_suffix(".copy")
    copy.write_bytes(file.read_bytes())
    copy.replace(file)
    assert files.problem(is_open=True) == f"{file} was replaced by another file while it was in use"


def test_only_the_database_file_is_checked_when_it_is_closed(
    files: OpenFiles, path: Path, database: sqlite3.Connection
) -> None:
    database.close()
    assert not path.with_name("recordings.db-wal").exists()
    assert files.problem(is_open=False) is None
    path.unlink()
    assert files.problem(is_open=False) is not None


def test_moved_directory_is_noticed(files: OpenFiles, path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "moved"
    path.parent.rename(elsewhere)
    assert files.problem(is_open=True) is not None
    elsewhere.rename(path.parent)
    assert files.problem(is_open=True) is None


def test_emptied_file_is_named(files: OpenFiles, path: Path) -> None:
    path.write_bytes(b"")
    assert files.problem(is_open=True) == f"{path} was emptied while it was in use"


def test_shrinking_is_reported_once(files: OpenFiles, path: Path, database: sqlite3.Connection) -> None:
    database.execute("INSERT INTO t VALUES (zeroblob(100000))")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert files.problem(is_open=True) is None
    database.execute("DELETE FROM t")
    database.execute("VACUUM")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert files.problem(is_open=True) is None
    assert files.has_shrunk()
    assert not files.has_shrunk()


def test_link_to_another_file_is_noticed(path: Path, database: sqlite3.Connection, tmp_path: Path) -> None:
    link, other = tmp_path / "link.db", tmp_path / "other.db"
    link.symlink_to(path)
    files = OpenFiles(str(link))
    assert files.problem(is_open=True) is None
    other.write_bytes(path.read_bytes())
    link.unlink()
    link.symlink_to(other)
    assert files.problem(is_open=True) == f"{link} was replaced by another file while it was in use"


def test_missing_file_raises_file_not_found_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        OpenFiles(str(path))


# The monitor


@pytest.fixture
def monitor(path: Path, database: sqlite3.Connection) -> FileMonitor:
    monitor = FileMonitor(str(path), interval=3600)
    monitor.start()
    return monitor


def test_check_is_due_after_the_interval(path: Path) -> None:
    monitor = FileMonitor(str(path), interval=3600)
    due_before = monitor.is_due
    monitor.check(is_open=False)
    assert (due_before, monitor.is_due) == (True, False)
    assert monitor.problem is None, "no files were opened"


def found_by(monitor: FileMonitor) -> str | None:
    monitor.check(is_open=True)
    return monitor.problem


def test_problem_is_logged_once_and_so_is_its_end(
    monitor: FileMonitor, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = path.rename(path.with_suffix(".away"))
    problem = found_by(monitor)
    assert problem is not None
    assert problem.startswith(f"{path} was deleted or moved while it was in use")
    assert "close the store and enter it again, or restart the program" in problem
    assert found_by(monitor) == problem
    away.rename(path)
    assert [found_by(monitor), found_by(monitor)] == [None, None]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_truncation_remains_a_problem_until_the_monitor_is_reset(
    monitor: FileMonitor, path: Path, database: sqlite3.Connection
) -> None:
    database.execute("INSERT INTO t VALUES (zeroblob(100000))")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert found_by(monitor) is None
    content = path.read_bytes()
    os.truncate(path, len(content) // 2)
    assert "was truncated while it was in use" in str(found_by(monitor))
    path.write_bytes(content)
    assert "was truncated while it was in use" in str(found_by(monitor))
    monitor.reset()
    assert found_by(monitor) is None
