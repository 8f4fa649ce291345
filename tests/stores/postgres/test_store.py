"""The PostgreSQL store: the contract, its arguments, several stores on one database, and event loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import psycopg
import pytest
import uvloop

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.recording.evidence import SendingBegan
from plivo_record_async.stores.interface import (
    OrphanKept,
    Pruned,
    RecordCreated,
    RecordForgotten,
    RecordReplaced,
    Store,
    StoreChange,
)
from plivo_record_async.stores.postgres.schema import quoted
from plivo_record_async.stores.postgres.store import PostgresStore
from plivo_record_async.testing.store_contract.samples import ACCEPTED, orphan, record_after
from tests.support.samples.recordings import ENDED, NOW, SECOND, next_version, planned, recording
from tests.support.servers.pgbouncer import PGBOUNCER, pgbouncer
from tests.support.servers.postgres_server import DEBIAN_INSTALLATIONS, PostgresServer
from tests.support.store_contract import PackageStoreContract

# The arguments


def test_description_contains_no_password() -> None:
    store = PostgresStore("postgresql://me:s3cret@db.example/plivo", schema='a"b')
    assert repr(store) == "PostgresStore('postgresql://me@db.example/plivo', schema='a\"b')"


async def test_error_contains_no_password() -> None:
    store = PostgresStore("postgresql://me:s3cret@127.0.0.1:1/plivo")
    with pytest.raises(StoreError) as caught:
        await store.check()
    assert "s3cret" not in f"{caught.value!r} {caught.value.__cause__!r}"
    await store.aclose()


@pytest.mark.parametrize("schema", ["", "a\0b", "x" * 64])
def test_schema_that_postgresql_cannot_use_raises_value_error(schema: str) -> None:
    with pytest.raises(ValueError, match="schema must have 1 to 63 bytes"):
        PostgresStore("postgresql://", schema=schema)


async def test_missing_tables_are_not_created_if_migrate_is_false(postgres: PostgresServer, schema: str) -> None:
    async with PostgresStore(postgres.url(), schema=schema, migrate=False) as store:
        with pytest.raises(StoreError, match="create them with `plivo-record db migrate`"):
            await store.due(NOW)
        async with PostgresStore(postgres.url(), schema=schema) as migrating:
            await migrating.create(planned())
        assert await store.get("start-1") == planned()


# Several stores


async def test_stores_of_one_schema_share_records_and_those_of_another_do_not(
    postgres: PostgresServer, schema: str
) -> None:
    async with (
        PostgresStore(postgres.url(), schema=schema) as one,
        PostgresStore(postgres.url(), schema=schema) as two,
        PostgresStore(postgres.url(), schema=f"{schema}%s") as other,
    ):
        await one.create(planned())
        assert await two.get("start-1") == planned()
        assert await other.get("start-1") is None
        assert await other.create(recording("recorded")) == recording("recorded")


async def test_due_record_is_returned_to_one_of_several_stores(postgres: PostgresServer, schema: str) -> None:
    stores = [PostgresStore(postgres.url(), schema=schema) for _ in range(5)]
    for number in range(50):
        await stores[0].create(attrs.evolve(planned(f"start-{number:02}"), due_at=NOW))
    found = await asyncio.gather(*(store.due(NOW, limit=10) for store in stores))
    assert sorted(record.start_id for records in found for record in records) == [f"start-{n:02}" for n in range(50)]
    await asyncio.gather(*(store.aclose() for store in stores))


async def test_change_by_another_store_wakes_a_watcher_within_half_a_second(
    postgres: PostgresServer, schema: str
) -> None:
    async with (
        PostgresStore(postgres.url(), schema=schema) as one,
        PostgresStore(postgres.url(), schema=schema) as two,
    ):
        record = await one.create(planned())
        watching = asyncio.create_task(one.watch("start-1", version=0))
        await one.get("start-1")
        changed = next_version(record)
        assert await two.replace(changed)
        async with asyncio.timeout(0.5):
            assert await watching == changed


async def test_no_change_is_lost_when_stores_contend(postgres: PostgresServer, schema: str) -> None:
    stores = [PostgresStore(postgres.url(), schema=schema) for _ in range(4)]
    for number in range(5):
        await stores[0].create(planned(f"start-{number}"))

    async def add(store: PostgresStore, start_id: str) -> None:
        while not await store.replace(next_version(attrs.evolve(await known(store, start_id), gone_at=NOW))):
            pass

    await asyncio.gather(*(add(store, f"start-{n}") for store in stores for n in range(5) for _ in range(5)))
    assert [(await known(stores[0], f"start-{n}")).version for n in range(5)] == [20] * 5
    await asyncio.gather(*(store.aclose() for store in stores))


async def known(store: Store, start_id: str) -> Any:
    record = await store.get(start_id)
    assert record is not None
    return record


# Batches


async def test_waiting_writes_share_a_transaction(store: PostgresStore, admin: psycopg.Connection, schema: str) -> None:
    await store.check()
    await asyncio.gather(*(store.create(planned(f"start-{number}")) for number in range(100)))
    query = f"SELECT count(DISTINCT xmin::text), count(*) FROM {quoted(schema)}.recording"
    transactions, rows = admin.execute(query.encode()).fetchone() or (0, 0)
    assert rows == 100
    assert transactions <= 3


async def test_failed_write_does_not_affect_the_others_of_its_batch(
    store: PostgresStore, admin: psycopg.Connection, schema: str
) -> None:
    await store.create(planned("start-0"))
    admin.execute(f"UPDATE {quoted(schema)}.recording SET value = 'x'".encode())
    ends = await asyncio.gather(
        *(store.create(planned(f"start-{number}")) for number in range(3)), return_exceptions=True
    )
    assert isinstance(ends[0], StoreError)
    assert ends[1:] == [planned("start-1"), planned("start-2")]


async def test_large_values_are_kept(store: PostgresStore) -> None:
    texts = [f"{number}" * 2**21 for number in range(3)]
    records = [
        record_after(planned(f"start-{n}"), SendingBegan(), attrs.evolve(ACCEPTED, api_id=text, recording_id=text))
        for n, text in enumerate(texts)
    ]
    await asyncio.gather(*map(store.create, records))
    for record in records:
        assert await store.get(record.start_id) == record
        assert await store.find("api_id", str(record.api_id)) == record


async def test_observer_gets_each_change(postgres: PostgresServer, schema: str) -> None:
    changes: list[StoreChange] = []
    async with PostgresStore(postgres.url(), schema=schema, observer=changes.append) as store:
        record = await store.create(planned())
        await store.create(planned())
        await store.replace(changed := next_version(record, due_at=None))
        await store.replace(changed)
        await store.keep_orphan(kept := orphan(ENDED))
        await store.prune(NOW + 1000 * SECOND)
        await store.create(planned())
        await store.forget("start-1", now=NOW)
    assert changes == [
        RecordCreated(record=record),
        RecordReplaced(before=record, after=changed),
        OrphanKept(orphan=kept),
        Pruned(orphans=1),
        Pruned(records=1),
        RecordCreated(record=record),
        RecordForgotten(start_id="start-1"),
    ]


async def test_unreadable_records_and_orphans_are_left_out_with_one_warning(
    store: PostgresStore, admin: psycopg.Connection, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    await store.create(attrs.evolve(planned(), due_at=NOW))
    await store.keep_orphan(orphan(ENDED))
    for table in ("recording", "orphan"):
        admin.execute(f"UPDATE {quoted(schema)}.{table} SET value = '{{\"future\": 1}}'".encode())
    for _ in range(2):
        assert await store.due(NOW) == []
        assert await store.records() == []
        assert await store.orphans() == []
    assert [record.message.count("was left out") for record in caplog.records] == [1, 1]


# Event loops


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_event_loops_that_end_without_closing_leave_no_thread_and_no_connection(
    postgres: PostgresServer, schema: str, admin: psycopg.Connection, run: Any
) -> None:
    async def leave() -> None:
        store = PostgresStore(f"{postgres.url()}&application_name={schema.replace(' ', '')}", schema=schema)
        await store.create(planned())
        leftover.append(asyncio.create_task(store.watch("start-1", version=0)))
        await store.get("start-1")

    leftover: list[asyncio.Task[Any]] = []
    threads = threading.active_count()
    run(leave())
    assert threading.active_count() == threads
    assert leftover[0].cancelled()
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    while admin.execute(query, (schema.replace(" ", ""),)).fetchone() != (0,):  # the server notices it a little later
        pass


async def test_two_stores_of_one_process_do_not_disturb_each_other(postgres: PostgresServer, schema: str) -> None:
    async with PostgresStore(postgres.url(), schema=schema) as one:
        async with PostgresStore(postgres.url(), schema=schema) as two:
            await asyncio.gather(*(store.create(planned()) for store in (one, two) * 10))
        assert await one.get("start-1") == planned()


class TestContract(PackageStoreContract):
    @pytest.fixture
    def store(self, postgres: PostgresServer, schema: str) -> Store:
        return PostgresStore(postgres.url(), schema=schema)


SETTINGS = (
    "DateStyle = 'SQL, DMY'",
    "TimeZone = 'Asia/Kathmandu'",
    "default_transaction_isolation = serializable",
    "search_path = nowhere",
    "client_encoding = LATIN1",
    "standard_conforming_strings = off",
)


@pytest.mark.parametrize(("encoding", "name"), [("LATIN1", 'Räu"m%s'), ("SQL_ASCII", "plivo_record")])
async def test_store_works_with_any_encoding_and_settings_of_the_database(
    postgres: PostgresServer, schema: str, admin: psycopg.Connection, encoding: str, name: str
) -> None:
    database = f"{schema} {encoding}"
    admin.execute(f"CREATE DATABASE \"{database}\" ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'".encode())
    for setting in SETTINGS:
        admin.execute(f'ALTER DATABASE "{database}" SET {setting}'.encode())
    async with PostgresStore(postgres.url(database), schema=name) as store:
        records = [attrs.evolve(planned(f"é\0\ud83d\\{n}"), due_at=NOW, dedupe_key=f"会\\{n}") for n in range(5)]
        assert [await store.create(record) for record in records] == records
        assert await store.due(NOW) == records
        first = await store.records(limit=2)
        assert [*first, *await store.records(older_than=first[-1])] == records[::-1]
        assert await store.replace(next_version(records[0]))
        assert await store.keep_orphan(orphan(ENDED, start_id=records[1].start_id))
        assert await store.forget(records[1].start_id, now=NOW)
        assert await store.orphans() == []
        await store.prune(NOW)
        await store.check()


# Other servers. CI installs PgBouncer and Debian's version of PostgreSQL.


@pytest.fixture(
    scope="module", params=["packaged", *DEBIAN_INSTALLATIONS, *(["PgBouncer"] if PGBOUNCER else [])], ids=str
)
def url(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[str]:
    """The address of each server that is installed."""
    if request.param == "packaged":
        yield postgres.url()
    elif request.param == "PgBouncer":
        with pgbouncer(postgres) as address:
            yield address
    else:
        with PostgresServer(request.param) as server:
            yield server.url()


async def test_store_works_with_every_server(url: str, schema: str) -> None:
    stores = [PostgresStore(url, schema=schema) for _ in range(4)]
    records = [attrs.evolve(planned(f"start-{n:02}"), due_at=NOW, dedupe_key=f"{n}") for n in range(40)]
    await asyncio.gather(*(store.create(record) for store in stores for record in records))
    watching = asyncio.create_task(stores[0].watch("start-00", version=0))
    claimed = [record.start_id for store in stores for record in await store.due(NOW, limit=10)]
    assert sorted(claimed) == [record.start_id for record in records]
    assert all(await asyncio.gather(*(stores[1].replace(next_version(record)) for record in records)))
    assert await asyncio.wait_for(watching, 5) == next_version(records[0])
    assert await stores[2].keep_orphan(orphan(ENDED, start_id="start-00"))
    assert await stores[3].forget("start-00", now=NOW)
    assert await stores[0].orphans() == []
    assert await stores[0].counts() == {"planned": 39}
    assert len(await stores[1].records(states=["planned"], limit=100)) == 39
    await asyncio.gather(*(store.check() for store in stores))
    await asyncio.gather(*(store.aclose() for store in stores))
