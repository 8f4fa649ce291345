from __future__ import annotations

import asyncio
import sqlite3
from contextlib import aclosing
from pathlib import Path

import pytest

from plivo_record_async import SQLiteStore
from plivo_record_async.cli.input.store import (
    open_existing_store,
    open_postgres_store,
    open_store,
    store_name,
    usable_store,
)
from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.stores.sqlite.schema import APPLICATION_ID


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.db"


def opened(path: Path) -> None:
    async def read() -> None:
        async with aclosing(SQLiteStore(path, busy_timeout=0.05)) as store:
            with usable_store():
                await store.get("a-start")

    asyncio.run(read())


def test_database_of_the_package_is_usable(path: Path) -> None:
    opened(path)
    opened(path)


def test_file_that_cannot_be_opened_is_a_configuration_error(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="check that its directory exists"):
        opened(path / "recordings.db")


def test_file_that_is_not_a_database_is_a_configuration_error(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)
    with pytest.raises(ConfigurationError, match="it is not an SQLite database"):
        opened(path)


NEWER = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1000"


@pytest.mark.parametrize("statement", ["CREATE TABLE customers (name)", NEWER])
def test_database_of_another_program_or_a_newer_version_is_a_configuration_error(path: Path, statement: str) -> None:
    other = sqlite3.connect(path)
    other.executescript(statement)
    other.close()
    with pytest.raises(ConfigurationError, match=r"another program|a newer version wrote it"):
        opened(path)


def test_a_file_that_is_locked_may_be_usable_later(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="another process keeps it locked"):
        opened(path)
    other.close()


def test_store_option_names_an_sqlite_file(path: Path) -> None:
    assert repr(open_store(str(path))) == f"SQLiteStore('{path}')"


@pytest.mark.parametrize("text", ["", ":memory:", "a\0b"])
def test_text_that_names_no_store_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--store"):
        open_store(text)


def test_store_option_names_a_database() -> None:
    for open_any in (open_store, open_existing_store, open_postgres_store):
        store = open_any("postgres://me:secret@127.0.0.1/r")
        assert repr(store) == "PostgresStore('postgresql://me@127.0.0.1/r', schema='plivo_record')"


@pytest.mark.parametrize("address", ["recordings.db", "postgresql://me:secret@[", "postgresql://me/r?secret=secret"])
def test_text_that_is_no_address_is_a_configuration_error(address: str) -> None:
    with pytest.raises(ConfigurationError, match="postgresql://") as caught:
        open_postgres_store(address)
    assert "secret" not in str(caught.value)


def test_name_that_no_schema_can_have_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="schema must have 1 to 63 bytes"):
        open_postgres_store("postgresql://", schema="")


def test_store_of_a_command_that_only_reads_must_exist(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"--store: the file '{path}' does not exist"):
        open_existing_store(str(path))
    path.touch()
    assert repr(open_existing_store(str(path))) == f"SQLiteStore('{path}')"


def test_name_of_a_store_contains_no_password() -> None:
    assert store_name("a@b/r.db?x") == "a@b/r.db?x"
    assert store_name("postgresql://me:se@cret@db.example:5432/r?password=secret") == "postgresql://db.example:5432/r"
