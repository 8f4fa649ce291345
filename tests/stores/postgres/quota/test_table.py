"""The transaction of a renewal, with a real server: what is stored, contention, and connections that are lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import psycopg
import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.shared_quota.account import Renewal, Sighting
from plivo_record_async.protocol.shared_quota.timing import LeaseTiming
from plivo_record_async.stores.postgres.connection import Address
from plivo_record_async.stores.postgres.quota.table import PostgresQuotaTable
from plivo_record_async.stores.postgres.schema import quoted
from tests.support.servers.postgres_server import PostgresServer

TIMING = LeaseTiming(per=5.0)


@pytest.fixture
def make_table(postgres: PostgresServer, schema: str) -> Iterator[Any]:
    """Return a function that makes a table for an account."""
    made: list[PostgresQuotaTable] = []

    def make(account: str = "MA1") -> PostgresQuotaTable:
        made.append(PostgresQuotaTable(Address(postgres.url()), schema, account))
        return made[-1]

    yield make
    for table in made:
        table.close()


def renewal(holder: str = "a", **values: Any) -> Renewal:
    return attrs.evolve(Renewal(holder=holder, permits=0, wish=300, limit=300, timing=TIMING), **values)


def holders(admin: psycopg.Connection, schema: str) -> dict[str, int]:
    rows = admin.execute(f"SELECT holder, permits FROM {quoted(schema)}.quota_holder".encode()).fetchall()
    return dict(rows)


def test_renewal_creates_what_it_needs_and_continues_from_what_is_stored(
    make_table: Any, admin: psycopg.Connection, schema: str
) -> None:
    one, two = make_table(), make_table()
    assert one.renew(renewal("a", wish=100)).permits == 100
    share = two.renew(renewal("b"))
    assert (share.permits, share.target, share.joined) == (200, 200, 2)
    assert share.seen == {"a": Sighting(1, 0.0)}
    assert holders(admin, schema) == {"a": 100, "b": 200}
    assert two.renew(renewal("b", permits=50, wish=50)).permits == 50
    assert one.renew(renewal("a", permits=100, wish=300)).permits == 250


def test_accounts_are_independent(make_table: Any) -> None:
    assert make_table("MA1").renew(renewal()).permits == 300
    assert make_table("MA2").renew(renewal()).permits == 300


def test_holder_that_was_seen_unchanged_for_a_lease_is_deleted(
    make_table: Any, admin: psycopg.Connection, schema: str
) -> None:
    table = make_table()
    table.renew(renewal("a"))
    late = renewal("b", seen={"a": Sighting(1, 0.0)}, since=TIMING.lease - 1.0)
    assert table.renew(late).seen == {"a": Sighting(1, TIMING.lease - 1.0)}
    [row] = admin.execute(
        f"SELECT age, expires - clock_timestamp() < interval '2 s' FROM {quoted(schema)}.quota_holder "
        "WHERE holder = 'a'".encode()
    ).fetchall()
    assert row == (TIMING.lease - 1.0, True)
    assert table.renew(attrs.evolve(late, since=TIMING.lease)).permits == 300
    assert holders(admin, schema) == {"b": 300}


def test_release_of_idle_permits_deletes_the_row(make_table: Any, admin: psycopg.Connection, schema: str) -> None:
    table = make_table()
    table.renew(renewal())
    table.renew(renewal(permits=0, releases=True))
    assert holders(admin, schema) == {}


def test_pause_is_stored(make_table: Any) -> None:
    make_table().renew(renewal("a", pause=5.0))
    assert 4.0 < make_table().renew(renewal("b")).pause <= 5.0


def test_sum_never_exceeds_the_limit_under_contention(make_table: Any, admin: psycopg.Connection, schema: str) -> None:
    stop = threading.Event()
    sums: list[int] = []

    def hold(number: int) -> None:
        table, permits = make_table(), 0
        for turn in range(25):
            keeps = permits if turn % 3 else permits // 2
            permits = table.renew(renewal(f"holder {number}", permits=keeps, wish=10 + 40 * (turn % 5))).permits

    def watch() -> None:
        while not stop.is_set():
            sums.append(sum(holders(admin, schema).values()))

    make_table().renew(renewal("first", wish=1))
    watching = threading.Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(hold, range(8)))
    stop.set()
    watching.join()
    assert len(sums) > 3
    assert max(sums) <= 300


def test_lost_connection_is_an_error_once(make_table: Any, admin: psycopg.Connection) -> None:
    table = make_table()
    table.renew(renewal())
    assert table._connection is not None
    admin.execute("SELECT pg_terminate_backend(%s, 5000)", [table._connection.info.backend_pid])
    with pytest.raises(StoreError, match="postgresql://") as caught:
        table.renew(renewal(permits=300))
    assert "acknowledged" not in str(caught.value)
    assert table.renew(renewal(permits=300)).permits == 300


def test_process_that_is_suspended_in_a_transaction_does_not_stop_the_others(make_table: Any) -> None:
    suspended, other = make_table(), make_table()
    suspended.renew(renewal("a"))
    other.renew(renewal("b"))
    assert suspended._connection is not None
    suspended._begin(suspended._connection, renewal("a"))
    assert other.renew(renewal("b")).permits == 0
    with pytest.raises(StoreError):
        suspended.renew(renewal("a", permits=300))


def test_row_that_stays_locked_is_an_error(make_table: Any, admin: psycopg.Connection, schema: str) -> None:
    table = make_table()
    table.renew(renewal())
    with admin.transaction():
        admin.execute(f"SELECT 1 FROM {quoted(schema)}.quota_account FOR UPDATE".encode())
        with pytest.raises(StoreError, match="another session keeps rows locked"):
            table.renew(renewal(permits=300))
    assert table.renew(renewal(permits=300)).permits == 300


def test_server_that_cannot_be_reached_is_an_error_without_the_password() -> None:
    table = PostgresQuotaTable(Address("postgresql://me:s3cret@127.0.0.1:1/plivo"), "plivo_record", "MA1")
    with pytest.raises(StoreError, match=r"postgresql://me@127\.0\.0\.1:1/plivo") as caught:
        table.renew(renewal())
    assert "s3cret" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_schema_of_a_newer_version_is_an_error(make_table: Any, admin: psycopg.Connection, schema: str) -> None:
    make_table().renew(renewal())
    admin.execute(f"INSERT INTO {quoted(schema)}.migration VALUES (1000, 1000)".encode())
    with pytest.raises(StoreError, match="upgrade the package"):
        make_table().renew(renewal())


def test_commit_that_postgresql_rolls_back_is_an_error(
    make_table: Any, monkeypatch: pytest.MonkeyPatch, admin: psycopg.Connection, schema: str
) -> None:
    monkeypatch.setattr("plivo_record_async.stores.postgres.quota.table.COMMIT", "ROLLBACK AND NO CHAIN")
    table = make_table()
    with pytest.raises(StoreError, match="the server answered the commit with 'ROLLBACK'"):
        table.renew(renewal())
    assert holders(admin, schema) == {}
