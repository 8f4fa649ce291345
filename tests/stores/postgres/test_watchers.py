"""How the changes of watched records are found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.postgres import queries
from plivo_record_async.stores.postgres.connection import Connection, PostgresError
from plivo_record_async.stores.postgres.rows import row
from plivo_record_async.stores.postgres.schema import quoted
from plivo_record_async.stores.postgres.statements import Statements
from plivo_record_async.stores.postgres.transaction import Transaction
from plivo_record_async.stores.postgres.watchers import Change, DatabaseWatchers
from tests.support.samples.recordings import next_version, planned


def future() -> asyncio.Future[Any]:
    loop = asyncio.new_event_loop()
    loop.close()
    return asyncio.Future(loop=loop)


@pytest.fixture
def watchers(connection: Connection, sql: Statements) -> DatabaseWatchers:
    """Watchers of a database with the record ``start-1``."""
    Transaction(connection, writes=True).run([queries.create(planned(), row(planned()), sql)])
    return DatabaseWatchers(sql)


def test_nothing_is_asked_while_nothing_is_watched(watchers: DatabaseWatchers, connection: Connection) -> None:
    connection.close()
    assert list(watchers.changes(connection)) == []


def test_changes_are_found(watchers: DatabaseWatchers, connection: Connection, sql: Statements) -> None:
    current, outdated, missing = future(), future(), future()
    watchers.add("start-1", 0, current)
    watchers.add("start-1", 7, outdated)
    watchers.add("start-2", 0, missing)
    found = sorted(watchers.changes(connection), key=lambda change: change.value is None)
    assert found == [Change([outdated], planned()), Change([missing], None)]
    changed = next_version(planned())
    Transaction(connection, writes=True).run([queries.replace(row(changed), sql)])
    assert list(watchers.changes(connection)) == [], "the next poll is later"
    watchers.may_have_changed("start-1")
    assert list(watchers.changes(connection)) == [Change([current], changed)]
    assert not watchers


def test_other_processes_are_polled_although_this_process_changes_records(
    watchers: DatabaseWatchers, connection: Connection
) -> None:
    waiting = future()
    watchers.add("start-1", 0, waiting)
    assert list(watchers.changes(connection)) == []
    connection.run(f"DELETE FROM {quoted(watchers._sql.schema)}.recording")  # pyright: ignore[reportPrivateUsage]
    watchers.add("start-2", 0, future())
    found: list[Change] = []
    while not any(waiting in change.futures for change in found):
        watchers.may_have_changed("start-2")
        found += watchers.changes(connection)


def test_unreadable_record_is_an_error(watchers: DatabaseWatchers, connection: Connection, schema: str) -> None:
    connection.run(f"UPDATE {quoted(schema)}.recording SET version = 9, value = 'x'")
    watchers.add("start-1", 0, waiting := future())
    [change] = watchers.changes(connection)
    assert change.futures == [waiting]
    assert isinstance(change.value, StoreError)


def test_watchers_are_kept_when_the_database_fails(watchers: DatabaseWatchers, connection: Connection) -> None:
    waiting = future()
    watchers.add("start-1", 7, waiting)
    connection.run("SET statement_timeout = 1")
    connection.run("BEGIN")
    connection.pgconn.exec_(b"SELECT 1/0")
    with pytest.raises(PostgresError):
        list(watchers.changes(connection))
    connection.run("ROLLBACK")
    connection.run("SET statement_timeout = 0")
    assert [change.futures for change in watchers.changes(connection)] == [[waiting]]
