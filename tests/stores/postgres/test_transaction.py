"""How jobs share round trips and a commit."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import psycopg
import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.postgres.connection import Connection, PostgresError
from plivo_record_async.stores.postgres.queries import Element, Statement, Work
from plivo_record_async.stores.postgres.schema import quoted
from plivo_record_async.stores.postgres.transaction import Transaction

Cursor = psycopg.Cursor[tuple[Any, ...]]


def select(*numbers: int, lock: str = "") -> Generator[Statement, Cursor, list[int]]:
    found: list[tuple[int]] = []
    for number in numbers:
        found += (yield Statement("SELECT %s::int", (number,), lock)).fetchall()
    return [number for (number,) in found]


def test_values_are_returned_in_the_order_of_the_jobs(connection: Connection) -> None:
    works = [select(1, 2, 3, lock="c"), select(), select(4, lock="a"), select(5, 6, lock="b")]
    assert Transaction(connection, writes=True).run(works) == [[1, 2, 3], [], [4], [5, 6]]
    assert not connection.is_in_transaction


def test_statements_are_sent_in_the_order_of_what_they_lock(connection: Connection) -> None:
    order: list[str] = []

    def job(name: str) -> Generator[Statement, Cursor, None]:
        yield Statement("SELECT 1", (), name)
        order.append(name)

    Transaction(connection, writes=False).run([job("c"), job("a"), job("b")])
    assert order == ["a", "b", "c"]


def element(number: int, *, divisor: int = 1) -> Generator[Element, Any, Any]:
    text = f"SELECT value, value::int / {divisor}, count(*) OVER () FROM json_array_elements_text(%s::json)"
    return (yield Element(text, str(number), f'"{number}"', str(number)))


def test_jobs_of_the_same_kind_share_a_statement(connection: Connection) -> None:
    works: list[Work[Any]] = [element(3), select(4), element(1), element(2), element(8, divisor=2)]
    results = Transaction(connection, writes=False).run(works)
    assert results == [("3", 3, 3), [4], ("1", 1, 3), ("2", 2, 3), ("8", 4, 1)]


def test_jobs_with_the_same_key_do_not_share_a_statement(connection: Connection) -> None:
    results = Transaction(connection, writes=False).run([element(1), element(1), element(2), element(1)])
    assert results == [("1", 1, 1), ("1", 1, 1), ("2", 2, 2), ("1", 1, 2)]


def test_job_whose_key_has_no_row_receives_none(connection: Connection) -> None:
    def job() -> Generator[Element, Any, Any]:
        return (yield Element("SELECT 'b' FROM json_array_elements_text(%s::json)", "a", '"a"'))

    assert Transaction(connection, writes=False).run([job()]) == [None]


def insert(schema: str, name: str) -> Generator[Statement, Cursor, int]:
    text = f"INSERT INTO {quoted(schema)}.forgotten VALUES (%s, now())"
    return (yield Statement(text, (name,))).rowcount


def names(admin: psycopg.Connection, schema: str) -> list[Any]:
    return admin.execute(f"SELECT id_hash, xmin::text FROM {quoted(schema)}.forgotten ORDER BY 1".encode()).fetchall()


def test_all_jobs_share_one_commit(connection: Connection, admin: psycopg.Connection, schema: str) -> None:
    transaction = Transaction(connection, writes=True)
    assert transaction.run([insert(schema, "a"), insert(schema, "b")]) == [1, 1]
    (a, first), (b, second) = names(admin, schema)
    assert (a, b) == ("a", "b")
    assert first == second
    assert transaction.is_committing


def test_failed_statement_commits_nothing(connection: Connection, admin: psycopg.Connection, schema: str) -> None:
    transaction = Transaction(connection, writes=True)
    with pytest.raises(PostgresError, match="duplicate key"):
        transaction.run([insert(schema, "a"), insert(schema, "a"), insert(schema, "b")])
    assert not transaction.is_committing
    assert connection.is_in_transaction
    connection.run("ROLLBACK")
    assert names(admin, schema) == []


def test_error_of_a_job_is_raised(connection: Connection) -> None:
    def job() -> Generator[Statement, Cursor, None]:
        yield Statement("SELECT 1")
        raise StoreError("unreadable")

    with pytest.raises(StoreError, match="unreadable"):
        Transaction(connection, writes=False).run([job()])
    assert not connection.is_in_transaction


def test_commit_that_rolls_back_raises_store_error(connection: Connection) -> None:
    def job() -> Generator[Statement, Cursor, None]:
        yield Statement("ROLLBACK")
        yield Statement("BEGIN")
        connection.pgconn.exec_(b"SELECT 1/0")

    with pytest.raises(StoreError, match="was not committed; the server answered 'ROLLBACK'"):
        Transaction(connection, writes=True).run([job()])


def test_commit_is_durable_although_the_database_says_otherwise(connection: Connection) -> None:
    connection.run("SET synchronous_commit = off")

    def job() -> Generator[Statement, Cursor, Any]:
        return (yield Statement("SHOW synchronous_commit")).fetchone()

    assert Transaction(connection, writes=True).run([job()]) == [("on",)]
