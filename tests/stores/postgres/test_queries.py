"""The jobs, one at a time."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.stores.interface import FollowedRecording, Orphan
from plivo_record_async.stores.postgres import queries
from plivo_record_async.stores.postgres.connection import Connection
from plivo_record_async.stores.postgres.rows import column, orphan_row, row
from plivo_record_async.stores.postgres.schema import quoted
from plivo_record_async.stores.postgres.statements import STATES, Statements
from plivo_record_async.stores.postgres.transaction import Transaction
from plivo_record_async.testing.store_contract.samples import orphan
from tests.support.samples.recordings import NOW, SECOND, next_version, planned, recording


class Database:
    """Runs one job in a transaction."""

    def __init__(self, connection: Connection, sql: Statements) -> None:
        self.connection = connection
        self.sql = sql
        self.recording = f"{quoted(sql.schema)}.recording"

    def run(self, work: queries.Work[Any]) -> Any:
        return Transaction(self.connection, writes=True).run([work])[0]

    def create(self, record: FollowedRecording) -> FollowedRecording:
        kept: FollowedRecording = self.run(queries.create(record, row(record), self.sql))
        return kept

    def claim(self, owner: str, *, limit: int = 10, kinds: tuple[bool, ...] = (True, False)) -> list[str]:
        values = self.run(queries.claim_due(NOW, list(kinds), limit, owner, self.sql))
        return ["unreadable" if isinstance(value, StoreError) else value.start_id for value in values]

    def damage(self, start_id: str) -> None:
        self.connection.run(f"UPDATE {self.recording} SET value = '{{}}' WHERE start_id = '{start_id}'")


@pytest.fixture
def database(connection: Connection, sql: Statements) -> Database:
    return Database(connection, sql)


def due(number: int) -> FollowedRecording:
    return attrs.evolve(planned(f"start-{number}"), due_at=NOW - 10 * SECOND + number * SECOND)


def test_existing_record_is_returned_instead_of_a_new_one(database: Database) -> None:
    first = database.create(attrs.evolve(planned(), dedupe_key="monday"))
    assert database.create(attrs.evolve(planned("start-2"), dedupe_key="monday")) == first
    database.damage("start-1")
    with pytest.raises(StoreError, match="cannot be read"):
        database.create(planned())


def test_creation_is_repeated_if_the_existing_record_was_deleted_meanwhile(database: Database) -> None:
    database.create(planned())
    work = queries.create(planned(), row(planned()), database.sql)
    first = next(work)
    second = work.send(None)
    assert isinstance(second, queries.Statement)
    database.run(queries.forget("start-1", NOW, database.sql))
    assert work.send(database.connection.run(second.text, second.parameters)) == first


def test_record_is_replaced_by_its_next_version_only(database: Database) -> None:
    record = database.create(planned())
    following = next_version(record)
    assert not database.run(queries.replace(row(next_version(following)), database.sql))
    assert database.run(queries.replace_returning(row(following), database.sql)) == record
    assert database.run(queries.replace_returning(row(following), database.sql)) is None
    assert database.run(queries.get("start-1", database.sql)) == following
    assert database.run(queries.get("start-2", database.sql)) is None


def test_claimed_records_are_returned_to_one_owner_only(database: Database) -> None:
    for number in range(5):
        database.create(due(number))
    assert database.claim("a", limit=2) == ["start-0", "start-1"]
    assert database.claim("a", limit=2) == ["start-0", "start-1"]
    assert database.claim("b", limit=2) == ["start-2", "start-3"]
    assert database.claim("c") == ["start-4"]
    assert database.claim("d") == []
    assert database.claim("d", kinds=(True,)) == []


def test_claim_ends_with_its_time_and_with_a_change(database: Database) -> None:
    record = database.create(due(0))
    assert database.claim("a") == ["start-0"]
    database.connection.run(f"UPDATE {database.recording} SET claimed_until = now()")
    assert database.claim("b") == ["start-0"]
    assert database.run(queries.replace(row(next_version(record)), database.sql))
    assert database.claim("a") == ["start-0"]


def test_record_that_is_locked_is_not_waited_for(database: Database, admin: Any) -> None:
    database.create(due(0))
    database.create(due(1))
    with admin.transaction():
        admin.execute(f"SELECT FROM {database.recording} WHERE start_id = 'start-0' FOR UPDATE")
        assert database.claim("a") == ["start-1"]


def test_unreadable_record_is_replaced_by_the_next_one_and_not_claimed(database: Database) -> None:
    for number in range(6):
        database.create(due(number))
    database.damage("start-0")
    database.damage("start-2")
    assert database.claim("a", limit=3) == ["unreadable", "start-1", "unreadable", "start-3", "start-4"]
    assert database.claim("b", limit=3) == ["unreadable", "unreadable", "start-5"]


def ids_of_page(database: Database, **changes: Any) -> list[str]:
    page = queries.Page(states=STATES, conference_name=None, updated_after=None, before=None, limit=3)
    values = database.run(queries.read_page(page._replace(**changes), database.sql))
    return ["unreadable" if isinstance(value, StoreError) else value.start_id for value in values]


def test_page_contains_records_for_those_that_cannot_be_read(database: Database) -> None:
    for number in range(6):
        database.create(planned(f"start-{number}"))
    assert ids_of_page(database) == ["start-5", "start-4", "start-3"]
    database.damage("start-4")
    database.damage("start-2")
    assert ids_of_page(database) == ["start-5", "unreadable", "start-3", "unreadable", "start-1"]
    assert ids_of_page(database, before=(planned().updated_at.isoformat(), column("start-1"))) == ["start-0"]
    assert ids_of_page(database, states=["recorded"]) == []
    assert ids_of_page(database, conference_name="other") == []
    assert ids_of_page(database, updated_after=NOW + 1000 * SECOND) == []


def test_records_are_counted_by_state(database: Database) -> None:
    for number in range(3):
        database.create(planned(f"start-{number}"))
    database.create(recording("recorded", "start-9"))
    assert database.run(queries.count_by_state(database.sql)) == {"planned": 3, "recorded": 1}


def test_oldest_orphans_of_a_start_make_room(database: Database) -> None:
    for number in range(4):
        kept = orphan(UnknownCallback(raw={"n": str(number)}), start_id="start-1")
        assert database.run(queries.keep_orphan(orphan_row(kept), 2, database.sql))
        assert not database.run(queries.keep_orphan(orphan_row(kept), 2, database.sql))
    found = database.run(queries.read_each(Orphan, database.sql.latest_orphans, (10,), database.sql))
    assert [each.event.raw["n"] for each in found] == ["3", "2"]
    database.connection.run(f"UPDATE {quoted(database.sql.schema)}.orphan SET value = 'x'")
    [error, _] = database.run(queries.read_each(Orphan, database.sql.latest_orphans, (10,), database.sql))
    assert isinstance(error, StoreError)


def test_start_is_forgotten_once(database: Database) -> None:
    database.create(recording("accepted"))
    for expected in ("now", "before"):
        assert database.run(queries.forget("start-1", NOW, database.sql)) == expected
    assert database.run(queries.forget("start-2", NOW, database.sql)) == "never"
    late = orphan(UnknownCallback(raw={"api_id": "api-1"}))
    assert not database.run(queries.keep_orphan(orphan_row(late), 2, database.sql))


def test_old_rows_are_deleted_in_parts(database: Database) -> None:
    for number in range(5):
        database.create(recording("rejected", f"start-{number}"))
    deleted = [database.run(queries.delete_old(database.sql.prune, NOW + 9 * SECOND, 2)) for _ in range(4)]
    assert deleted == [2, 2, 1, 0]


def test_check_writes_its_time(database: Database) -> None:
    database.run(queries.check(database.sql))
    rows = database.connection.run(f"SELECT checked_at IS NULL FROM {quoted(database.sql.schema)}.migration").fetchall()
    assert rows[-1] == (False,)
