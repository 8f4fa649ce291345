from __future__ import annotations

import json
import secrets
from pathlib import Path

import attrs
import psycopg
import pytest

from plivo_record_async import SQLiteStore
from plivo_record_async.stores import PostgresStore
from plivo_record_async.stores.postgres.schema import LATEST
from plivo_record_async.testing.store_contract.samples import ENDED, orphan
from tests.cli.conftest import Command
from tests.support.samples.recordings import planned, recording
from tests.support.servers.postgres_server import PostgresServer


@pytest.fixture
def schema() -> str:
    return f"cli {secrets.token_hex(8)}"


async def test_tables_are_created_and_checked(command: Command, postgres: PostgresServer, schema: str) -> None:
    options = ("--store", postgres.url(), "--schema", schema)
    missing = await command("db", "check", *options)
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "create them with `plivo-record db migrate`" in missing.stderr
    for _ in range(2):
        migrated = await command("db", "migrate", *options)
        assert (migrated.exit_code, migrated.stderr) == (0, "")
        assert migrated.stdout.startswith(f"migrated: schema {schema} of postgresql://")
    checked = await command("db", "check", *options, "--json")
    assert json.loads(checked.stdout)["type"] == "StoreReady"
    assert checked.exit_code == 0


async def test_server_that_cannot_be_reached_is_a_failure(command: Command) -> None:
    ended = await command("db", "check", "--store", "postgresql://me:s3cret@127.0.0.1:1/plivo")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "postgresql://me@127.0.0.1:1/plivo" in ended.stderr
    assert "s3cret" not in ended.stderr


@pytest.mark.parametrize("address", ["recordings.db", "postgresql://me:s3cret@["])
async def test_wrong_address_is_a_usage_error(command: Command, address: str) -> None:
    for name in ("check", "migrate", "print"):
        ended = await command("db", name, "--store", address)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert "postgresql://" in ended.stderr
        assert "s3cret" not in ended.stderr


async def test_printed_statements_create_the_tables(command: Command, postgres: PostgresServer, schema: str) -> None:
    store = ("--store", postgres.url(), "--schema", schema)
    printed = await command("db", "print", "--schema", schema)
    assert (await command("db", "print", *store)).stdout == printed.stdout
    assert "-- GRANT USAGE ON SCHEMA" in printed.stdout
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(printed.stdout.encode())
    assert (await command("db", "check", *store)).exit_code == 0
    assert "CREATE" not in (await command("db", "print", *store)).stdout
    assert f"VALUES ({LATEST}, " in printed.stdout


async def test_file_is_copied_to_a_database(
    command: Command, postgres: PostgresServer, schema: str, tmp_path: Path
) -> None:
    path = tmp_path / "recordings.db"
    records = [attrs.evolve(recording("recorded", f"start-{n}"), dedupe_key=f"{n}\0é") for n in range(5)]
    async with SQLiteStore(path) as file:
        for record in records:
            await file.create(record)
        await file.keep_orphan(orphan(ENDED))
    words = ("db", "copy", "--from", str(path), "--to", postgres.url(), "--schema", schema)
    copied = await command(*words)
    assert (copied.exit_code, copied.stderr) == (0, "")
    assert copied.stdout.startswith("copied 5 recordings and 1 orphans to postgresql://")
    async with PostgresStore(postgres.url(), schema=schema) as store:
        assert list(await store.records())[::-1] == records
        assert len(await store.orphans()) == 1
    again = await command(*words)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "is not empty: it has 5 recordings" in again.stderr
    resumed = await command(*words, "--resume", "--json")
    assert json.loads(resumed.stdout) == {"type": "StoreCopied", "records": 5, "orphans": 1}


async def test_missing_file_is_a_usage_error(command: Command, postgres: PostgresServer, tmp_path: Path) -> None:
    ended = await command("db", "copy", "--from", str(tmp_path / "no.db"), "--to", postgres.url())
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "does not exist" in ended.stderr


async def test_recordings_in_a_database_are_listed(command: Command, postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        name = f"cli_{secrets.token_hex(8)}"
        admin.execute(f"CREATE DATABASE {name}".encode())
    async with PostgresStore(postgres.url(name)) as store:
        await store.create(planned())
    ended = await command("status", "--store", postgres.url(name))
    assert ended.exit_code == 0
    assert "start_id=start-1" in ended.stdout
