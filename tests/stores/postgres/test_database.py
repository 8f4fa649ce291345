"""What the store does when the server, its connection or its tables fail."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import attrs
import psycopg
import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import TranscriptionEnded
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.postgres.schema import quoted
from plivo_record_async.stores.postgres.store import PostgresStore
from tests.support.samples.recordings import NOW, next_version, planned, recording
from tests.support.servers.postgres_server import PostgresServer


@pytest.fixture
def stoppable(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The server, which runs again after the test."""
    yield postgres
    if not postgres.is_running:
        postgres.start()


async def test_killed_server_loses_nothing_and_is_used_again(stoppable: PostgresServer, store: PostgresStore) -> None:
    acknowledged: list[str] = []

    async def create(number: int) -> None:
        await store.create(planned(f"start-{number}"))
        acknowledged.append(f"start-{number}")

    await create(0)
    creating = [asyncio.create_task(create(number)) for number in range(1, 200)]
    await asyncio.sleep(0)
    stoppable.kill()
    await asyncio.gather(*creating, return_exceptions=True)
    for call in (store.get("start-0"), store.check(), store.due(NOW), store.create(planned("start-x"))):
        with pytest.raises(StoreError, match="what was acknowledged before is not affected"):
            await call
    stoppable.start()
    assert {record.start_id for record in await store.records(limit=1000)} >= set(acknowledged)
    await create(1000)


async def test_restarted_server_is_used_without_an_error(stoppable: PostgresServer, store: PostgresStore) -> None:
    await store.create(planned())
    for number in range(3):
        stoppable.stop()
        stoppable.start()
        assert await store.create(planned(f"start-{number}")) == planned(f"start-{number}")


async def test_terminated_connection_is_replaced_without_an_error(
    store: PostgresStore, admin: psycopg.Connection
) -> None:
    await store.create(planned())
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert await store.get("start-1") == planned()
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert await store.replace(next_version(planned()))


async def test_watcher_waits_until_the_server_is_back(
    stoppable: PostgresServer, store: PostgresStore, caplog: pytest.LogCaptureFixture
) -> None:
    record = await store.create(planned())
    watching = asyncio.create_task(store.watch("start-1", version=0))
    await store.get("start-1")
    stoppable.kill()
    with pytest.raises(StoreError):
        await store.get("start-1")
    later = asyncio.create_task(store.watch("start-1", version=0))
    async with asyncio.timeout(10):
        while "the next attempt is in a second" not in caplog.text:  # a search for changes has failed
            await asyncio.sleep(0.01)
    assert not watching.done()
    assert not later.done()
    stoppable.start()
    changed = next_version(record)
    assert await store.replace(changed)
    for watcher in (watching, later):
        assert await asyncio.wait_for(watcher, 5) == changed


async def test_server_that_does_not_answer_is_given_up(
    postgres: PostgresServer, schema: str, admin: psycopg.Connection
) -> None:
    async with PostgresStore(postgres.url(), schema=schema) as store:
        await store.create(planned())
        store._database.time_limit = 0.5  # pyright: ignore[reportPrivateUsage]
        with suspended(postgres):
            begun = time.monotonic()
            with pytest.raises(StoreError, match=r"did not answer"):
                await store.get("start-1")
            assert time.monotonic() - begun < 5
        assert await store.get("start-1") == planned()


@contextmanager
def suspended(server: PostgresServer) -> Generator[None]:
    """Suspend all processes of a server while the context is entered."""
    server.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)


async def test_locked_row_delays_only_its_own_write(
    store: PostgresStore, admin: psycopg.Connection, schema: str
) -> None:
    for number in range(3):
        await store.create(planned(f"start-{number}"))
    with admin.transaction():
        admin.execute(f"SELECT FROM {quoted(schema)}.recording WHERE start_id = 'start-1' FOR UPDATE".encode())
        ends = await asyncio.gather(
            *(store.replace(next_version(planned(f"start-{number}"))) for number in range(3)), return_exceptions=True
        )
    assert (ends[0], ends[2]) == (True, True)
    assert isinstance(ends[1], StoreError)
    assert "another session keeps rows locked" in str(ends[1])
    assert await store.replace(next_version(planned("start-1")))


async def test_statement_timeout_is_an_error_of_the_call(
    postgres: PostgresServer, schema: str, store: PostgresStore, admin: psycopg.Connection
) -> None:
    await store.create(planned())
    url = f"{postgres.url()}&options=-cstatement_timeout%3D200"
    async with PostgresStore(url, schema=schema) as limited:
        await limited.check()
        with admin.transaction():
            admin.execute(f"LOCK TABLE {quoted(schema)}.recording".encode())
            with pytest.raises(StoreError, match="longer than statement_timeout permits"):
                await limited.get("start-1")
        assert await limited.get("start-1") == planned()


async def test_read_only_server_can_be_read_and_not_written(
    postgres: PostgresServer, schema: str, admin: psycopg.Connection
) -> None:
    database = f"read only {schema}"
    admin.execute(f'CREATE DATABASE "{database}"'.encode())
    async with PostgresStore(postgres.url(database), schema=schema) as store:
        await store.create(planned())
        admin.execute(f'ALTER DATABASE "{database}" SET default_transaction_read_only = on'.encode())
        await store.aclose()
        await store.open()
        assert await store.get("start-1") == planned()
        for call in (store.check(), store.replace(next_version(planned())), store.create(planned("start-2"))):
            with pytest.raises(StoreError, match="give the address of the primary server"):
                await call
        admin.execute(f'ALTER DATABASE "{database}" RESET default_transaction_read_only'.encode())
        await store.check()
    admin.execute(f'DROP DATABASE "{database}" WITH (FORCE)'.encode())


async def test_server_that_cannot_write_its_files_loses_nothing_and_is_used_again(schema: str) -> None:
    """The files of the server may not become larger. A disk that is full has the same effect on its tables."""
    with PostgresServer() as server:
        async with PostgresStore(server.url(), schema=schema) as store:
            await store.check()
            server.stop()
            server.start(max_file_size=2**22)
            kept: list[FollowedRecording] = []

            async def fill() -> None:
                for number in range(100):
                    text = TranscriptionEnded(recording_id="rec-1", transcription=secrets.token_hex(2**20))
                    record = attrs.evolve(recording("transcribed", f"start-{number}"), transcription=text)
                    kept.append(await store.create(record))

            with pytest.raises(StoreError, match="could not extend file"):
                await fill()
            assert await store.get("start-0") == kept[0]
            server.stop()
            server.start()
            kept.append(await store.create(attrs.evolve(kept[0], start_id="start-x")))
            assert [await store.get(record.start_id) for record in kept] == kept


async def test_standby_takes_over_when_the_primary_server_is_killed(schema: str) -> None:
    with PostgresServer() as primary, PostgresServer(primary=primary) as standby:
        hosts = f"host={primary.directory},{standby.directory} user=postgres dbname=postgres"
        async with (
            PostgresStore(hosts, schema=schema) as store,
            PostgresStore(standby.url(), schema=schema) as on_standby,
        ):
            await store.create(planned())
            with psycopg.connect(standby.url(), autocommit=True) as replica:
                while replica.execute("SELECT to_regclass(%s)", (f"{quoted(schema)}.migration",)).fetchone() == (None,):
                    pass  # until the standby has replayed what the primary server has committed
                while await on_standby.get("start-1") is None:
                    pass
                for call in (on_standby.check(), on_standby.due(NOW), on_standby.create(planned("start-2"))):
                    with pytest.raises(StoreError, match="give the address of the primary server"):
                        await call
                primary.kill()
                with pytest.raises(StoreError):
                    await store.check()
                replica.execute("SELECT pg_promote()")
            assert await store.get("start-1") == planned()
            assert await store.replace(next_version(planned()))
            await on_standby.check()


async def test_missing_connection_is_an_error_until_there_is_one(
    postgres: PostgresServer, schema: str, admin: psycopg.Connection
) -> None:
    admin.execute(f'CREATE ROLE "{schema}" LOGIN CONNECTION LIMIT 1'.encode())
    admin.execute(f'GRANT CREATE ON DATABASE postgres TO "{schema}"'.encode())
    url = postgres.url(user=schema)
    async with PostgresStore(url, schema=schema) as store:
        with psycopg.connect(url), pytest.raises(StoreError, match="too many connections for role"):
            await store.create(planned())
        for _ in range(50):
            try:
                await store.create(planned())
            except StoreError:  # the server counts a connection a little longer than it exists
                await asyncio.sleep(0.02)
        assert await store.get("start-1") == planned()


async def test_dropped_tables_are_not_replaced_by_empty_ones(
    store: PostgresStore, admin: psycopg.Connection, schema: str
) -> None:
    await store.create(planned())
    admin.execute(f"DROP SCHEMA {quoted(schema)} CASCADE".encode())
    with pytest.raises(StoreError, match="does not exist any more; close the store and enter it again"):
        await store.get("start-1")
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(StoreError, match="does not contain the tables"):
        await store.get("start-1")
    await store.aclose()
    await store.open()
    assert await store.get("start-1") is None


async def test_cancelled_callers_lose_no_connection(store: PostgresStore) -> None:
    await store.check()
    for number in range(200):
        calls = [
            asyncio.create_task(store.create(planned(f"start-{number}"))),
            asyncio.create_task(store.get(f"start-{number}")),
            asyncio.create_task(store.watch("start-0", version=0)),
        ]
        for _ in range(1 + number % 4):
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    await store.check()
    assert len(await store.records(limit=1000)) == 200


async def test_deadlock_with_another_program_ends(
    store: PostgresStore, postgres: PostgresServer, admin: psycopg.Connection, schema: str
) -> None:
    for number in range(2):
        await store.create(planned(f"start-{number}"))
    table = f"{quoted(schema)}.recording"
    with admin.transaction():
        admin.execute(f"UPDATE {table} SET silent = silent WHERE start_id = 'start-1'".encode())
        writing = asyncio.gather(*(store.replace(next_version(planned(f"start-{n}"))) for n in range(2)))
        blocked = b"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        async with asyncio.timeout(10):
            while admin.execute(blocked).fetchone() == (0,):  # the store does not wait for the first row yet
                await asyncio.sleep(0.01)
        await asyncio.to_thread(
            admin.execute, f"UPDATE {table} SET silent = silent WHERE start_id = 'start-0'".encode()
        )
    assert await writing == [True, True]


async def test_close_while_writing_finishes_the_writes(postgres: PostgresServer, schema: str) -> None:
    store = PostgresStore(postgres.url(), schema=schema)
    creating = [asyncio.create_task(store.create(planned(f"start-{number}"))) for number in range(100)]
    await asyncio.sleep(0)
    await store.aclose()
    assert len(await asyncio.gather(*creating)) == 100
    await store.open()
    assert len(await store.records(limit=1000)) == 100
    await store.aclose()


async def test_value_of_a_newer_version_is_not_changed(
    store: PostgresStore, admin: psycopg.Connection, schema: str
) -> None:
    record = await store.create(attrs.evolve(recording("recorded"), due_at=NOW))
    query = f"UPDATE {quoted(schema)}.recording SET version = version + 1, value = '{{\"future\": 1}}'"
    admin.execute(query.encode())
    assert not await store.replace(next_version(record))
    assert await store.due(NOW) == []
    [(value,)] = admin.execute(f"SELECT value FROM {quoted(schema)}.recording".encode()).fetchall()
    assert value == '{"future": 1}'
