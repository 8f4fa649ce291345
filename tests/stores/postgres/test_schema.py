"""The names of schemas, and the creation, the migration and the check of their tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.postgres.connection import Address, Connection
from plivo_record_async.stores.postgres.schema import (
    LATEST,
    migrate,
    missing_statements,
    quoted,
    schema_name,
    script,
    verify,
)
from tests.support.servers.postgres_server import PostgresServer


@pytest.fixture
def fresh(postgres: PostgresServer) -> Iterator[Connection]:
    """A connection to a database without the schema."""
    with Address(postgres.url()).connect() as connection:
        yield connection


@pytest.mark.parametrize(
    "name", ["plivo_record", "Room 1", 'a"b', "100%", "%s", "会议 🎙", "x" * 63, "select", "a.b;--"]
)
def test_schema_can_have_any_name(fresh: Connection, schema: str, name: str) -> None:
    name = f"{name}{schema}" if len(name) < 20 else name
    assert schema_name(name) == name
    migrate(fresh, name, "the database")
    verify(fresh, name, "the database")
    found = fresh.run("SELECT count(*) FROM pg_namespace WHERE nspname = %s", (name,)).fetchone()
    assert found == (1,)
    fresh.run(f"DROP SCHEMA {quoted(name)} CASCADE")


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64, "会" * 22, "lone \ud83d surrogate"])
def test_name_that_postgresql_cannot_use_raises_value_error(name: str) -> None:
    with pytest.raises(ValueError, match="schema must have 1 to 63 bytes"):
        schema_name(name)


def test_name_must_be_a_text() -> None:
    with pytest.raises(TypeError, match="schema must be a str, not NoneType"):
        schema_name(None)


def test_missing_schema_is_not_created_by_a_check(fresh: Connection, schema: str) -> None:
    with pytest.raises(StoreError, match="does not contain the tables of this package; create them with"):
        verify(fresh, schema, "the database")
    assert fresh.run("SELECT to_regnamespace(%s)", (quoted(schema),)).fetchone() == (None,)


def test_migration_is_repeatable_and_keeps_the_rows(connection: Connection, schema: str) -> None:
    forgotten = f"{quoted(schema)}.forgotten"
    connection.run(f"INSERT INTO {forgotten} VALUES ('x', now())")
    migrate(connection, schema, "the database")
    assert connection.run(f"SELECT count(*) FROM {forgotten}").fetchone() == (1,)


def test_many_processes_can_migrate_at_the_same_time(postgres: PostgresServer, schema: str) -> None:
    def run(_: int) -> None:
        with Address(postgres.url()).connect() as connection:
            migrate(connection, schema, "the database")

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(run, range(12)))
    with Address(postgres.url()).connect() as connection:
        rows = connection.run(f"SELECT version FROM {quoted(schema)}.migration").fetchall()
    assert rows == [(version,) for version in range(1, LATEST + 1)]


@pytest.mark.parametrize("prepare", [migrate, verify])
def test_newer_schema_that_is_compatible_is_used(
    connection: Connection, schema: str, prepare: Callable[..., Any]
) -> None:
    connection.run(f"INSERT INTO {quoted(schema)}.migration VALUES ({LATEST + 1}, {LATEST})")
    prepare(connection, schema, "the database")


@pytest.mark.parametrize("prepare", [migrate, verify])
def test_newer_schema_that_is_incompatible_is_rejected(
    connection: Connection, schema: str, prepare: Callable[..., Any]
) -> None:
    connection.run(f"INSERT INTO {quoted(schema)}.migration VALUES ({LATEST + 1}, {LATEST + 1})")
    with pytest.raises(StoreError, match="a newer version migrated it; upgrade the package"):
        prepare(connection, schema, "the database")


def test_older_schema_is_rejected_by_a_check_and_migrated(connection: Connection, schema: str) -> None:
    connection.run(f"UPDATE {quoted(schema)}.migration SET version = version - 1")
    connection.run(f"UPDATE {quoted(schema)}.migration SET version = 0 WHERE version < 1")
    with pytest.raises(StoreError, match=f"has version {LATEST - 1}, and this version of the package needs {LATEST}"):
        verify(connection, schema, "the database")


def test_failed_migration_changes_nothing(fresh: Connection, admin: psycopg.Connection, schema: str) -> None:
    admin.execute(f"CREATE SCHEMA {quoted(schema)}".encode())
    admin.execute(f"CREATE TABLE {quoted(schema)}.orphan ()".encode())
    with pytest.raises(psycopg.Error, match="already exists"):
        migrate(fresh, schema, "the database")
    assert fresh.run("SELECT to_regclass(%s)", (f"{quoted(schema)}.recording",)).fetchone() == (None,)


def test_printed_statements_create_what_a_user_without_permissions_can_use(
    postgres: PostgresServer, admin: psycopg.Connection, schema: str
) -> None:
    role = f'"{schema} user"'
    admin.execute(f"CREATE ROLE {role} LOGIN".encode())
    with Address(postgres.url(user=f"{schema} user")).connect() as poor, pytest.raises(psycopg.Error, match="denied"):
        migrate(poor, schema, "the database")
    for statement in script(schema):
        admin.execute(statement.encode())
    admin.execute(f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {role}".encode())
    tables = f"ALL TABLES IN SCHEMA {quoted(schema)}"
    admin.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}".encode())
    with Address(postgres.url(user=f"{schema} user")).connect() as poor:
        migrate(poor, schema, "the database")
        verify(poor, schema, "the database")


def test_script_from_the_latest_version_is_empty(schema: str) -> None:
    assert script(schema, LATEST) == []


def test_missing_statements_are_those_that_a_database_lacks(
    postgres: PostgresServer, connection: Connection, schema: str
) -> None:
    assert missing_statements(postgres.url(), schema) == []
    assert missing_statements(postgres.url(), f"{schema}2") == script(f"{schema}2")
    with pytest.raises(StoreError, match="refused"):
        missing_statements("postgresql://127.0.0.1:1/", schema)
