"""A schema of its own for each test, and a connection with which a test looks at the tables or disturbs the store."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from plivo_record_async.stores.postgres.connection import Address, Connection
from plivo_record_async.stores.postgres.schema import migrate
from plivo_record_async.stores.postgres.statements import Statements
from plivo_record_async.stores.postgres.store import PostgresStore
from tests.support.servers.postgres_server import PostgresServer


@pytest.fixture
def schema() -> str:
    return f"test {secrets.token_hex(8)}"


@pytest.fixture
def sql(schema: str) -> Statements:
    return Statements(schema)


@pytest.fixture
def admin(postgres: PostgresServer) -> Iterator[psycopg.Connection]:
    """A connection of an administrator, with autocommit."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def connection(postgres: PostgresServer, schema: str) -> Iterator[Connection]:
    """A connection of the package, to a schema with empty tables."""
    with Address(postgres.url()).connect() as connection:
        migrate(connection, schema, "the database")
        yield connection


@pytest.fixture
async def store(postgres: PostgresServer, schema: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(postgres.url(), schema=schema)
    yield store
    await store.aclose()
