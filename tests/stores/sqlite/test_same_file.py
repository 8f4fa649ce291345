"""Whether the files of a database are still where they were opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plivo_record_async.stores.sqlite.same_file import SameFile


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        yield connection


@pytest.fixture
def files(path: Path, database: sqlite3.Connection) -> SameFile:
    return SameFile(str(path))


def test_files_in_their_places_are_no_problem(files: SameFile, database: sqlite3.Connection) -> None:
    assert files.problem(is_open=True) is None
    database.execute("INSERT INTO t VALUES (zeroblob(100000))")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert files.problem(is_open=True) is None
    assert not files.has_shrunk()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_each_file_that_is_deleted_is_named(files: SameFile, path: Path, suffix: str) -> None:
    file = Path(f"{path}{suffix}")
    kept = file.rename(file.with_suffix(".kept"))
    problem = files.problem(is_open=True)
    assert problem == f"{file} was deleted or moved while it was in use (No such file or directory)"
    kept.rename(file)
    assert files.problem(is_open=True) is None


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_each_file_that_is_replaced_is_named(files: SameFile, path: Path, suffix: str) -> None:
    file = Path(f"{path}{suffix}")
    copy = file.with_suffix(".copy")
    copy.write_bytes(file.read_bytes())
    copy.replace(file)
    assert files.problem(is_open=True) == f"{file} was replaced by another file while it was in use"


def test_after_it_was_closed_only_the_database_has_to_be_there(
    files: SameFile, path: Path, database: sqlite3.Connection
) -> None:
    database.close()
    assert not path.with_name("recordings.db-wal").exists()
    assert files.problem(is_open=False) is None
    path.unlink()
    assert files.problem(is_open=False) is not None


def test_a_directory_that_is_moved_takes_the_file_with_it(
    files: SameFile, path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "moved"
    path.parent.rename(elsewhere)
    assert files.problem(is_open=True) is not None
    elsewhere.rename(path.parent)
    assert files.problem(is_open=True) is None


def test_a_file_that_is_emptied_is_named(files: SameFile, path: Path) -> None:
    path.write_bytes(b"")
    assert files.problem(is_open=True) == f"{path} was emptied while it was in use"


def test_a_file_that_shrinks_is_told_of_once(files: SameFile, path: Path, database: sqlite3.Connection) -> None:
    database.execute("INSERT INTO t VALUES (zeroblob(100000))")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert files.problem(is_open=True) is None
    database.execute("DELETE FROM t")
    database.execute("VACUUM")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert files.problem(is_open=True) is None
    assert files.has_shrunk()
    assert not files.has_shrunk()


def test_beside_a_link_lies_nothing(path: Path, database: sqlite3.Connection, tmp_path: Path) -> None:
    link, other = tmp_path / "link.db", tmp_path / "other.db"
    link.symlink_to(path)
    files = SameFile(str(link))
    assert files.problem(is_open=True) is None
    other.write_bytes(path.read_bytes())
    link.unlink()
    link.symlink_to(other)
    assert files.problem(is_open=True) == f"{link} was replaced by another file while it was in use"


def test_what_is_not_there_cannot_be_watched(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SameFile(str(path))
