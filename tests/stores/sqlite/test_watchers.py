"""Which futures wait for which records, and when they receive a result."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plivo_record_async.stores.sqlite.connection import connect
from plivo_record_async.stores.sqlite.watchers import FileWatchers
from tests.support.sqlite_files import other_connection


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A file with one record, ``start-1``, of version 3."""
    connection = connect(str(path), busy_timeout=1)
    connection.execute("INSERT INTO recording (start_id, version, updated_at, value) VALUES ('start-1', 3, 0, '')")
    yield connection
    connection.close()


@pytest.fixture
def watchers(connection: sqlite3.Connection) -> FileWatchers:
    """Watchers that have seen all that was committed so far."""
    watchers = FileWatchers()
    assert list(watchers.changed(connection)) == []
    return watchers


def future() -> asyncio.Future[Any]:
    loop = asyncio.new_event_loop()
    loop.close()
    return asyncio.Future(loop=loop)


def test_future_waits_until_its_record_has_another_version(
    watchers: FileWatchers, connection: sqlite3.Connection
) -> None:
    current, outdated = future(), future()
    watchers.add("start-1", 3, current)
    watchers.add("start-1", 2, outdated)
    assert list(watchers.changed(connection)) == [("start-1", [outdated])]
    connection.execute("UPDATE recording SET version = 4")
    assert list(watchers.changed(connection)) == [], "nobody has said that it may have changed"
    watchers.may_have_changed("start-1")
    assert list(watchers.changed(connection)) == [("start-1", [current])]
    assert not watchers


def test_future_ends_when_its_record_is_gone(watchers: FileWatchers, connection: sqlite3.Connection) -> None:
    waiting = future()
    watchers.add("start-1", 3, waiting)
    assert list(watchers.changed(connection)) == []
    connection.execute("DELETE FROM recording")
    watchers.all_may_have_changed()
    assert list(watchers.changed(connection)) == [("start-1", [waiting])]


def test_commit_of_another_connection_makes_all_records_candidates(
    watchers: FileWatchers, connection: sqlite3.Connection, path: Path
) -> None:
    waiting = future()
    watchers.add("start-1", 3, waiting)
    assert list(watchers.changed(connection)) == []
    with other_connection(path) as other:
        other.execute("UPDATE recording SET version = 4")
    assert list(watchers.changed(connection)) == [("start-1", [waiting])]
