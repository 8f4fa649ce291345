"""``python -m bench.scale`` measures what a store needs for many recordings, and writes it into the documentation.

One recording is followed from its start to its transcript, with the emulator. The five versions of its record are then
written to each store many times, with other IDs and times. PostgreSQL commits to the disk, and has its default
settings for memory. Only its automatic vacuum runs once a second instead of once a minute, because the starts are
written that much faster than the quota permits. ``--quick`` writes 1,000 recordings and only prints.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

import psycopg

from bench.followed.report import versions
from bench.report import table
from plivo_record_async import MemoryStore, RecordClient, RecordingTracker, SQLiteStore
from plivo_record_async.emulator import Emulator
from plivo_record_async.stores import (
    FollowedRecording,
    PostgresRateLimit,
    PostgresStore,
    RecordCreated,
    RecordReplaced,
    Store,
    StoreChange,
    decode,
    encode,
)
from tests.support.servers.asgi_server import free_listener, serving, url_of
from tests.support.servers.postgres_server import PostgresServer

PAGE = Path(__file__).parents[1] / "docs/explanation/scale.md"
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end of measured -->)", re.DOTALL)
SETTINGS: dict[str, Any] = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "autovacuum_naptime": "1s",
}
AT_ONCE = 500
"""How many records are written at the same time."""

BETWEEN_STARTS = 1_000_000 // 60
"""Microseconds, as many as at 60 starts a second."""

IDLE = 10.0
"""Seconds in which a worker without work is observed."""


class Sample:
    """The versions of the record of one recording, as texts."""

    NAME = "room-0000000"

    def __init__(self, versions_of_record: list[FollowedRecording]) -> None:
        last = versions_of_record[-1]
        assert last.state == "transcribed"
        assert last.ended is not None
        self._texts = [encode(record) for record in versions_of_record]
        self._start_id, self._ids = last.start_id, [last.ended.api_id or "", last.ended.recording_id or ""]

    def __len__(self) -> int:
        return len(self._texts)

    @classmethod
    async def follow(cls) -> Self:
        """Follow one recording, and keep what its tracker writes."""
        changes: list[StoreChange] = []
        with free_listener() as listener:
            async with Emulator() as plivo, RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
                store = MemoryStore(observer=changes.append)
                tracker = RecordingTracker(client, public_url=url_of(listener), store=store)
                async with serving(tracker, listener=listener):
                    recording = await tracker.start(cls.NAME, dedupe_key=f"monday {cls.NAME}", transcribe=True)
                    await plivo.callbacks_settled()
                    await plivo.end_conference(cls.NAME)
                    await recording.transcribed(timeout=60)
                    await plivo.callbacks_settled()
        records = (
            change.record if isinstance(change, RecordCreated) else change.after
            for change in changes
            if isinstance(change, RecordCreated | RecordReplaced)
        )
        return cls(list(records))

    def record(self, version: int, number: int) -> FollowedRecording:
        """Return a version of the record of another recording, which was started so many starts later."""
        scattered = f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"
        later = number * BETWEEN_STARTS
        text = self._texts[version].replace(self.NAME, f"room-{number:07}")
        text = text.replace(self._start_id, f"{int(self._start_id[:12], 16) + later // 1000:012x}{scattered[:20]}")
        for each in self._ids:
            text = text.replace(each[:23], f"{scattered[:8]}-{scattered[8:12]}-{scattered[12:16]}-{scattered[16:20]}")
        return decode(re.sub(r"\b1\d{15}\b", lambda time: str(int(time[0]) + later), text), FollowedRecording)


class Written(NamedTuple):
    """What it took to write recordings.

    Attributes:
        recordings: How many.
        seconds: How long it took. The records are made before, and do not count.
    """

    recordings: int
    seconds: float


async def write(store: Store, sample: Sample, numbers: range) -> Written:
    """Write recordings from their start to their transcript."""
    seconds = 0.0
    for first in range(numbers.start, numbers.stop, AT_ONCE):
        some = range(first, min(first + AT_ONCE, numbers.stop))
        for version in range(len(sample)):
            records = [sample.record(version, number) for number in some]
            began = time.perf_counter()
            await asyncio.gather(*map(store.replace if version else store.create, records))
            seconds += time.perf_counter() - began
    return Written(len(numbers), seconds)


async def pruned(store: Store, sample: Sample, count: int) -> float:
    """Return how many seconds it took to prune everything."""
    before = sample.record(len(sample) - 1, count).updated_at + timedelta(days=1)
    began = time.perf_counter()
    assert await store.prune(before) == count
    return time.perf_counter() - began


class Database:
    """The figures that PostgreSQL knows about itself."""

    def __init__(self, address: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(address, autocommit=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def value(self, expression: str) -> int:
        row = self._connection.execute(f"SELECT {expression}".encode()).fetchone()
        assert row is not None
        return int(row[0])

    @property
    def wal(self) -> int:
        """The bytes that were ever written to the write-ahead log."""
        return self.value("pg_current_wal_insert_lsn() - '0/0'")

    @property
    def connections(self) -> int:
        return self.value("count(*) FROM pg_stat_activity WHERE application_name = 'plivo-record-async'")

    @property
    def sessions(self) -> int:
        """How many clients are connected, with this one."""
        return self.value("count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")

    @property
    def commits(self) -> int:
        return self.value("xact_commit FROM pg_stat_database WHERE datname = current_database()")

    def sizes(self) -> tuple[int, int]:
        """The bytes of the table with its long values, and of its indexes."""
        name = "'plivo_record.recording'"
        return self.value(f"pg_table_size({name})"), self.value(f"pg_indexes_size({name})")

    def size_of_schema(self, schema: str) -> int:
        """The bytes of all tables of a schema, with their long values and indexes."""
        tables = f"FROM pg_class WHERE relkind = 'r' AND relnamespace = '{schema}'::regnamespace"
        return self.value(f"sum(pg_total_relation_size(oid)) {tables}")

    def vacuum(self) -> None:
        self._connection.execute("VACUUM ANALYZE plivo_record.recording")


class Row(NamedTuple):
    """A row of the table about the room that recordings take."""

    store: str
    written: Written
    bytes_of_table: int
    bytes_of_indexes: int | None
    bytes_of_log: int | None
    seconds_to_prune: float

    def cells(self) -> list[str]:
        count = self.written.recordings
        together = self.bytes_of_table + (self.bytes_of_indexes or 0)
        sizes = (together, self.bytes_of_indexes, self.bytes_of_log)
        return [
            self.store,
            f"{count:,}",
            f"{together / 1e6:,.1f} MB",
            *("" if size is None else f"{size / count:,.0f}" for size in sizes),
            f"{count / self.written.seconds:,.0f}",
            f"{self.seconds_to_prune:.1f} s",
        ]


async def in_postgres(sample: Sample, count: int) -> Row:
    with PostgresServer(**SETTINGS) as server, Database(server.url()) as database:
        async with PostgresStore(server.url()) as store:
            await store.check()
            before = database.wal
            written = await write(store, sample, range(count))
            log = database.wal - before
            database.vacuum()
            sizes = database.sizes()
            return Row("`PostgresStore`", written, *sizes, log, await pruned(store, sample, count))


async def in_sqlite(sample: Sample, count: int) -> Row:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "recordings.db"
        async with SQLiteStore(path) as store:
            written = await write(store, sample, range(count))
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
            connection.close()
            return Row("`SQLiteStore`", written, path.stat().st_size, None, None, await pruned(store, sample, count))


async def worker_without_work() -> str:
    """Return what a process needs that shares a quota and a store, and has nothing to do."""
    with PostgresServer(**SETTINGS | {"autovacuum": "off"}) as server, Database(server.url()) as database:
        address = server.url()
        counts = [database.connections]
        client = RecordClient("MAXXXXXXXXXXXXXXXXXX", "token", rate_limit=PostgresRateLimit(address))
        tracker = RecordingTracker(client, store=PostgresStore(address))
        async with client:
            await asyncio.sleep(1.0)  # the lease is taken in the background
            counts.append(database.connections)
            async with tracker:
                await tracker.check()
                counts.append(database.connections)
                before = database.wal, database.commits
                await asyncio.sleep(IDLE)
                after = database.wal, database.commits
    log, commits = (late - early for late, early in zip(after, before, strict=True))
    return (
        f"A process has {counts[1] - counts[0]} connection for its `PostgresRateLimit` and {counts[2] - counts[1]} for "
        f"its `PostgresStore`. While it has nothing to do, it commits {commits / IDLE:.1f} transactions a second and "
        f"writes {log / IDLE:,.0f} bytes a second to the write-ahead log."
    )


async def measure(counts: list[int]) -> str:
    """Return the figures in Markdown."""
    sample = await Sample.follow()
    rows = []
    for count in counts:
        for in_store in (in_sqlite, in_postgres):
            rows.append(await in_store(sample, count))
            print(rows[-1].cells(), flush=True)
    titles = [
        "store",
        "recordings",
        "tables and indexes",
        "bytes each",
        "of which indexes",
        "bytes of log each",
        "recordings a second",
        "`prune` of all",
    ]
    return "\n\n".join(
        [
            f"Measured with {versions()}.",
            table(titles, (row.cells() for row in rows)),
            await worker_without_work(),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little and only print")
    quick: bool = parser.parse_args().quick
    text = asyncio.run(measure([1_000] if quick else [10_000, 100_000]))
    print(text)
    if not quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    main()
