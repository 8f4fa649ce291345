"""What goes wrong with a file: locks, a full disk, damage, permission; and its schema."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.stores.sqlite import database as sqlite_file
from plivo_record_async.stores.sqlite.database import migrate
from plivo_record_async.stores.sqlite.same_file import SameFile
from plivo_record_async.stores.sqlite.statements import APPLICATION_ID, MIGRATIONS
from plivo_record_async.stores.sqlite.store import SQLiteStore
from tests.support.samples.orphans import orphan
from tests.support.samples.recordings import (
    CONFIRMED,
    ENDED,
    NOW,
    OTHER_ROW,
    ROW,
    SECOND,
    STATES,
    TRANSCRIBED,
    UNTRANSCRIBED,
    next_version,
    planned,
    record_after,
    recording,
)
from tests.support.sqlite_files import execute_sql, other_connection, output_of, start_writer

# What goes wrong


async def test_a_full_database_refuses_and_forgets_nothing(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned("first"))
    [(pages,)] = await execute_sql(store, "PRAGMA page_count")
    await execute_sql(store, f"PRAGMA max_page_count = {int(str(pages)) + 3}")
    kept: list[str] = ["first"]

    async def fill() -> None:
        while True:
            kept.append((await store.create(planned(f"start-{len(kept)}"))).start_id)

    with pytest.raises(StoreError, match="the disk is full"):
        await fill()
    assert [await store.get(start_id) is None for start_id in kept] == [False] * len(kept)
    results = await asyncio.gather(*(store.create(planned(f"more-{n}")) for n in range(5)), return_exceptions=True)
    assert any(isinstance(result, StoreError) for result in results)
    await execute_sql(store, "PRAGMA max_page_count = 100000")
    assert await store.create(planned("after")) == planned("after")
    await store.aclose()


def test_a_disk_that_takes_no_more_bytes_refuses_and_forgets_nothing(path: Path) -> None:
    lines = output_of(start_writer("full", path, 400_000))
    [refused] = [line for line in lines if line.startswith("refused")]
    assert f"{path}: the disk failed" in refused
    assert "what was acknowledged before is not affected" in refused
    kept = [line.removeprefix("kept ") for line in lines if line.startswith("kept")]
    assert len(kept) > 5
    assert kept[-1] == "after"

    async def check() -> None:
        store = SQLiteStore(path)
        assert [start_id for start_id in kept if await store.get(start_id) is None] == []
        await store.aclose()

    asyncio.run(check())


async def test_a_locked_file_refuses_writers_and_not_readers(path: Path) -> None:
    store = SQLiteStore(path, busy_timeout=0.05)
    record = await store.create(planned())
    with other_connection(path) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = [store.replace(next_version(record, gone_at=NOW)), store.create(planned("start-2"))]
        for result in await asyncio.gather(*writing, return_exceptions=True):
            assert isinstance(result, StoreError)
            assert "another process keeps it locked" in str(result)
            assert isinstance(result.__cause__, sqlite3.OperationalError)
        assert await store.get("start-1") == record
        other.execute("ROLLBACK")
    assert await store.replace(next_version(record))
    await store.aclose()


async def test_who_waits_for_a_lock_writes_when_it_is_free(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    with other_connection(path) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(store.create(planned("start-2")))
        await asyncio.sleep(0)
        other.execute("ROLLBACK")
        assert await asyncio.wait_for(writing, 10) == planned("start-2")
    await store.aclose()


async def test_a_file_that_is_locked_at_first_is_opened_later(path: Path) -> None:
    store = SQLiteStore(path, busy_timeout=0.05)
    with other_connection(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="another process keeps it locked"):
            await store.get("start-1")
        other.execute("ROLLBACK")
    assert await store.create(planned()) == planned()
    await store.aclose()


async def test_a_file_that_is_locked_at_first_is_waited_for_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch to WAL is tried again and again, so no try may have the patience of the whole."""
    pauses, patience, connect = list[float](), list[float](), sqlite3.connect

    def impatient(path: str, timeout: float, isolation_level: None) -> sqlite3.Connection:
        patience.append(timeout)
        return connect(path, timeout=timeout, isolation_level=isolation_level)

    monkeypatch.setattr(sqlite_file, "time", SimpleNamespace(monotonic=itertools.count().__next__, sleep=pauses.append))
    store = SQLiteStore(path, busy_timeout=5)
    with other_connection(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(sqlite3, "connect", impatient)
        with pytest.raises(StoreError, match="another process keeps it locked"):
            await store.get("start-1")
    assert len(pauses) == 5
    assert patience == pauses[:1]
    await store.aclose()


async def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    store = SQLiteStore(missing / "recordings.db")
    with pytest.raises(StoreError, match="does its directory exist") as refused:
        await store.create(planned())
    assert "acknowledged" not in str(refused.value), "nothing ever was"
    missing.mkdir()
    assert await store.create(planned()) == planned()
    await store.aclose()


async def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="it is no SQLite database, or damaged") as refused:
        await store.get("start-1")
    assert "acknowledged" not in str(refused.value), "nothing ever was"
    await store.aclose()
    assert path.read_text().startswith("Dear diary")


async def test_damage_is_called_damage(path: Path) -> None:
    store = SQLiteStore(path)
    await asyncio.gather(*(store.create(planned(f"start-{number}")) for number in range(200)))
    await store.aclose()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="it is damaged"):
        await store.create(planned())
    await store.aclose()


async def test_a_damaged_record_is_not_guessed_at(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    await execute_sql(store, "UPDATE recording SET value = substr(value, 1, 40)", writes=True)
    with pytest.raises(StoreError, match="no FollowedRecording that this version of the package can read"):
        await store.get("start-1")
    await store.aclose()


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_records_that_cannot_be_read_do_not_keep_the_others_from_coming_due(
    path: Path, limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    store = SQLiteStore(path)
    for number in range(6):
        await store.create(attrs.evolve(planned(f"start-{number}"), due_at=NOW + number * SECOND))
    newer = "UPDATE recording SET value = json_set(value, '$.colour', 'green') WHERE start_id < 'start-3'"
    await execute_sql(store, newer, writes=True)
    for _ in range(2):
        due = await store.due(NOW + 9 * SECOND, limit=limit)
        assert [record.start_id for record in due] == ["start-3", "start-4", "start-5"][:limit]
    assert caplog.text.count("what cannot be read is left alone") == 3, "each is told of once"
    await store.aclose()


async def test_orphans_that_cannot_be_read_do_not_hide_the_others(path: Path) -> None:
    store = SQLiteStore(path)
    for number in range(3):
        await store.keep_orphan(orphan(UnknownCallback(raw={"n": number}), received_at=NOW + number * SECOND))
    await execute_sql(store, "UPDATE orphan SET value = json_set(value, '$.colour', 'green') WHERE id = 2", writes=True)
    assert [orphan.event.raw["n"] for orphan in await store.orphans()] == [2, 0]
    await store.aclose()


async def test_a_file_that_may_only_be_read_is_read(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    await execute_sql(store, "PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="it may only be read"):
        await store.create(planned("start-2"))
    assert await store.get("start-1") == planned()
    await store.aclose()


@contextmanager
def ordinary_user(folder: Path) -> Generator[None]:
    """Be somebody whom permissions stop, and the owner of a folder; root is neither."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    for path in (folder, *folder.iterdir()):
        os.chown(path, nobody, nobody)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_file_without_permission_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recordings.db"
        first = SQLiteStore(path)
        await first.create(planned())
        await first.aclose()
        path.chmod(0o400)
        with ordinary_user(Path(folder)):
            store = SQLiteStore(path)
            with pytest.raises(StoreError, match="it may only be read"):
                await store.create(planned("start-2"))
            await store.aclose()


# A file that is not where it was opened


def disturb(path: Path, how: str) -> None:
    """Do to a file in use what operators do by mistake."""
    match how:
        case "deleted":
            path.unlink()
        case "replaced":
            copy = path.with_suffix(".copy")
            shutil.copy(path, copy)
            copy.replace(path)
        case "replaced by nothing":
            path.unlink()
            path.touch()
        case "truncated":
            os.truncate(path, path.stat().st_size // 2)
        case "emptied":
            path.write_bytes(b"")
        case "without its log":
            path.with_name("recordings.db-wal").unlink()
        case "without its index":
            path.with_name("recordings.db-shm").unlink()
        case _:
            path.parent.rename(f"{path.parent} elsewhere")


WAYS = (
    "deleted",
    "replaced",
    "replaced by nothing",
    "truncated",
    "emptied",
    "moved",
    "without its log",
    "without its index",
)


@pytest.fixture
async def filled(path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path)
    await asyncio.gather(*(store.create(planned(f"start-{number}")) for number in range(200)))
    await execute_sql(store, "PRAGMA wal_checkpoint(TRUNCATE)")
    await store.check()
    yield store
    await store.aclose()


@pytest.mark.parametrize("how", WAYS)
async def test_a_change_to_a_file_that_vanished_is_not_acknowledged(filled: SQLiteStore, path: Path, how: str) -> None:
    disturb(path, how)
    with pytest.raises(StoreError, match="while it was in use"):
        await filled.create(planned("new"))
    for call in (filled.get("start-1"), filled.check(), filled.due(NOW), filled.orphans()):
        with pytest.raises(StoreError, match=r"while it was in use.*close the store and enter it again, or restart"):
            await call


@pytest.mark.parametrize("how", WAYS)
async def test_that_a_file_vanished_is_noticed_without_a_call(
    filled: SQLiteStore, path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = asyncio.create_task(filled.watch("start-1", version=0))
    await filled.get("start-1")
    disturb(path, how)
    with pytest.raises(StoreError, match="while it was in use"):
        await asyncio.wait_for(watcher, 10)
    for _ in range(3):
        with pytest.raises(StoreError):
            await filled.get("start-1")
    [line] = caplog.records
    assert (line.levelname, line.exc_info) == ("ERROR", None)
    assert "while it was in use" in line.message


async def test_nobody_has_to_call_or_watch_for_a_file_to_be_missed(
    filled: SQLiteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    async with asyncio.timeout(10):
        while not caplog.records:
            await asyncio.sleep(0.01)
    assert filled._file.patience <= 0.5  # pyright: ignore[reportPrivateUsage]


async def test_a_file_that_comes_back_is_used_again(
    filled: SQLiteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = path.rename(path.with_name("away.db"))
    with pytest.raises(StoreError, match="deleted or moved"):
        await filled.create(planned("refused"))
    with pytest.raises(StoreError, match="deleted or moved"):
        await filled.create(planned("refused too"))
    away.rename(path)
    assert await filled.create(planned("new")) == planned("new")
    assert await filled.get("refused too") is None, "it is not even tried once that is known"
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


@pytest.mark.parametrize("how", WAYS)
async def test_entered_again_it_begins_with_what_is_there(filled: SQLiteStore, path: Path, how: str) -> None:
    disturb(path, how)
    with pytest.raises(StoreError):
        await filled.check()
    await filled.aclose()
    await filled.open()
    match how:
        case "moved":
            with pytest.raises(StoreError, match="does its directory exist"):
                await filled.check()
        case "truncated":
            with pytest.raises(StoreError, match="it is damaged"):
                await asyncio.gather(*(filled.get(f"start-{number}") for number in range(200)))
        case _:
            await filled.create(planned("start-1"))
            kept = await filled.get("start-2")
            assert (kept is None) == (how in {"deleted", "replaced by nothing", "emptied"})


async def test_a_vacuum_is_no_damage(filled: SQLiteStore, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = path.stat().st_size
    await execute_sql(filled, "DELETE FROM recording WHERE start_id > 'start-1'", writes=True)
    with other_connection(path) as other:
        other.execute("VACUUM")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < before
    assert await filled.get("start-1") == planned("start-1")
    await filled.check()
    assert caplog.records == []


async def test_a_connection_that_is_lost_is_not_made_anew_to_another_file(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create(planned())
    with pytest.raises(StoreError, match="closed database"):
        await store._rounds.ask(lambda c: c.close(), writes=True)  # pyright: ignore[reportPrivateUsage]
    path.unlink()
    for _ in range(2):
        with pytest.raises(StoreError, match="was deleted or moved while it was in use"):
            await store.create(planned("start-2"))
    assert not path.exists()
    await store.aclose()


async def test_a_file_that_vanishes_while_it_is_opened_is_missed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: str) -> SameFile:
        Path(path).unlink()
        return SameFile(path)

    store = SQLiteStore(path)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file, "SameFile", gone)
        with pytest.raises(StoreError, match="was deleted or moved while it was being opened"):
            await store.create(planned())
    await store.create(planned())
    await store.aclose()


async def test_checking_really_commits(path: Path) -> None:
    store = SQLiteStore(path, busy_timeout=0.05)
    await store.check()
    log = path.with_name("recordings.db-wal")
    size = log.stat().st_size
    await store.check()
    assert log.stat().st_size > size
    [(before,)] = await execute_sql(store, "PRAGMA user_version")
    with other_connection(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process keeps it locked"):
            await store.check()
        other.execute("ROLLBACK")
    await execute_sql(store, "PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="it may only be read"):
        await store.check()
    assert await execute_sql(store, "PRAGMA user_version") == [(before,)]
    await store.aclose()


# The schema

STEPS = (("CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"), ("ALTER TABLE a ADD COLUMN y DEFAULT 2",))


def test_a_new_file_gets_every_step_and_an_old_one_what_it_lacks(path: Path) -> None:
    with other_connection(path) as connection:
        migrate(connection, STEPS[:1], "path")
        assert connection.execute("SELECT * FROM a").fetchall() == [(1,)]
        migrate(connection, STEPS, "path")
        migrate(connection, STEPS, "path")
        assert connection.execute("SELECT * FROM a").fetchall() == [(1, 2)]
        assert connection.execute("PRAGMA user_version").fetchall() == [(2,)]


def test_a_step_that_fails_leaves_the_schema_as_it_was(path: Path) -> None:
    with other_connection(path) as connection:
        migrate(connection, STEPS[:1], "path")
        with pytest.raises(sqlite3.OperationalError, match="no such table: b"):
            migrate(connection, (*STEPS, ("INSERT INTO b VALUES (1)",)), "path")
    with other_connection(path) as connection:
        assert connection.execute("SELECT * FROM a").fetchall() == [(1,)]
        assert connection.execute("PRAGMA user_version").fetchall() == [(1,)]


@pytest.fixture
def schema_1(path: Path) -> Path:
    """A copy of a file of schema version 1: a record in each state, one with every field, and five orphans."""
    shutil.copy(Path(__file__).with_name("schemas") / "1.sqlite", path)
    return path


async def test_file_of_the_first_schema_is_read_and_written_on(schema_1: Path) -> None:
    store = SQLiteStore(schema_1)
    for state in STATES:
        record = await store.get(f"start-{state}")
        assert record is not None
        assert record.state == state
        assert await store.create(planned("another", dedupe_key=f"key-{state}")) == record
        assert await store.replace(next_version(record, gone_at=NOW))
    everything = await store.get("start-everything")
    assert everything is not None
    assert everything.unhandled == ("RecordingEnded",)
    assert everything.due_at == NOW + 60 * SECOND
    assert everything.ended == ENDED
    assert everything.transcription == UNTRANSCRIBED
    assert everything.candidates == (OTHER_ROW, ROW)
    found = await store.find("recording_id", "rec-1")
    assert found is not None
    assert found.start_id == "start-accepted"
    assert [record.start_id for record in await store.due(NOW + 15 * SECOND)] == [
        "start-planned", "start-sending", "start-unknown"
    ]  # fmt: skip
    unknown = UnknownCallback(raw={"a": "b", "name": "会议"})
    events = [orphan.event for orphan in await store.orphans()]
    assert events == [unknown, UNTRANSCRIBED, TRANSCRIBED, ENDED, CONFIRMED]
    assert events[0].raw == unknown.raw
    await store.keep_orphan(orphan(ENDED, received_at=NOW + 10 * SECOND))
    assert [orphan.event for orphan in await store.orphans(limit=1)] == [ENDED]
    assert await store.prune(NOW + SECOND) == 5
    await store.aclose()


async def test_orphans_of_the_first_schema_are_found_by_their_ids_and_one_that_is_damaged_stays(schema_1: Path) -> None:
    with other_connection(schema_1) as other:
        other.execute("UPDATE orphan SET value = 'damaged' WHERE id = 1")
    store = SQLiteStore(schema_1)
    kept = await store.orphans()
    assert len(kept) == 4
    assert {orphan.reason for orphan in kept} == {
        "an earlier version of this package kept it, which did not write down why"
    }
    assert len({orphan.digest for orphan in kept}) == 4
    assert await store.forget("start-everything", now=NOW)
    assert [orphan.event.raw for orphan in await store.orphans()] == [{"a": "b", "name": "会议"}]
    await store.aclose()


# What other people may read


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
async def test_the_file_and_its_journal_are_the_owner_s_alone(path: Path, umask: int) -> None:
    store = SQLiteStore(path)
    before = os.umask(umask)
    try:
        await store.create(planned())
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {"recordings.db": 0o600, "recordings.db-wal": 0o600, "recordings.db-shm": 0o600}
    await store.aclose()


async def test_a_file_that_is_there_keeps_its_permissions(path: Path) -> None:
    path.touch()
    path.chmod(0o640)
    store = SQLiteStore(path)
    await store.create(planned())
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o640}
    await store.aclose()


SPOKEN = "what was said in confidence "


def bytes_beside(path: Path) -> bytes:
    """Everything that the store has written to the disk."""
    return b"".join(each.read_bytes() for each in path.parent.iterdir())


async def test_no_byte_of_what_was_forgotten_stays_on_the_disk(path: Path) -> None:
    store = SQLiteStore(path)
    for number in range(20):
        record = await store.create(record_after(recording("accepted", f"start-{number}"), ENDED))
        text = f"{SPOKEN}{number:02} " * 500  # longer than a page
        assert await store.replace(record := record_after(record, attrs.evolve(TRANSCRIBED, transcription=text)))
        assert await store.replace(next_version(record, gone_at=NOW))  # what it replaces must not be left either
        await store.keep_orphan(orphan(UnknownCallback(raw={"text": text}), start_id=f"start-{number}"))
    before = bytes_beside(path)
    assert all(f"{SPOKEN}{number:02}".encode() in before for number in range(20))
    for number in range(0, 20, 2):
        assert await store.forget(f"start-{number}", now=NOW)
    left = bytes_beside(path)
    assert [f"{SPOKEN}{number:02}".encode() in left for number in range(20)] == [False, True] * 10
    assert b"start-4" not in left
    await store.aclose()


async def test_a_journal_that_another_process_reads_is_reported_and_can_be_emptied_later(path: Path) -> None:
    store = SQLiteStore(path, busy_timeout=0.05)
    await store.create(attrs.evolve(planned(), dedupe_key=SPOKEN))
    with other_connection(path) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM recording").fetchall()
        with pytest.raises(StoreError, match="still in its journal, because another process reads it"):
            await store.forget("start-1", now=NOW)
        assert await store.get("start-1") is None
        assert SPOKEN.encode() in bytes_beside(path)
        other.execute("ROLLBACK")
    assert await store.forget("start-1", now=NOW)
    assert SPOKEN.encode() not in bytes_beside(path)
    await store.aclose()


NEWER = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1000"


async def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    with other_connection(path) as other:
        other.executescript(NEWER)
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match=r"recordings.db: its schema is version 1000, .* upgrade the package"):
        await store.create(planned())
    await store.aclose()
    with other_connection(path) as other:
        assert other.execute("SELECT * FROM sqlite_master").fetchall() == []


async def test_a_file_from_before_files_were_marked_is_told_what_to_do_with(path: Path) -> None:
    with other_connection(path) as other:
        for statement in MIGRATIONS[0]:
            other.execute(statement)
        other.execute("PRAGMA user_version = 1")
    before = path.read_bytes()
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match=r"development version of this package wrote it.*choose another file"):
        await store.create(planned())
    await store.aclose()
    assert path.read_bytes() == before


@pytest.mark.parametrize("mark", ["user_version = 0", "user_version = 1", "application_id = 1"])
async def test_the_database_of_another_program_is_left_alone(path: Path, mark: str) -> None:
    with other_connection(path) as other:
        other.execute("CREATE TABLE customers (name)")
        other.execute(f"PRAGMA {mark}")
    before = path.read_bytes()
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="it is the database of another program"):
        await store.create(planned())
    await store.aclose()
    assert path.read_bytes() == before


async def test_a_schema_that_appears_while_waiting_for_the_lock_is_taken_as_it_is(path: Path) -> None:
    store = SQLiteStore(path)
    with other_connection(path) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        for pragma in NEWER.split(";"):
            other.execute(pragma)
        writing = asyncio.create_task(store.create(planned()))
        await asyncio.sleep(0)
        other.execute("COMMIT")
        with pytest.raises(StoreError, match="its schema is version 1000"):
            await asyncio.wait_for(writing, 10)
    await store.aclose()
