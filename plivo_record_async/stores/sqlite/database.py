"""The SQLite file: its connection, what is done in a round, and those who watch. Only one thread touches it.

Nobody is told that a write is done before its transaction is on the disk: the journal is a WAL with
``synchronous=FULL``, so what was acknowledged survives ``kill -9`` and, if the disk keeps its promises, power loss.
https://www.sqlite.org/pragma.html#pragma_synchronous

Nor is anybody told so if the path no longer leads to the file that was opened. Then every call fails until the file is
back in its place, or the store was closed and opens what is there by then.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from plivo_record_async.errors import ClosedError, StoreError
from plivo_record_async.stores.encoding import T, decode
from plivo_record_async.stores.forgotten import marks
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.stores.sqlite import statements as sql
from plivo_record_async.stores.sqlite.same_file import SameFile
from plivo_record_async.stores.sqlite.worker import Answer, Job

__all__ = ["File", "create", "keep_orphan", "migrate", "read_each", "read_one", "rewrite"]

_POLL: Final = 0.2
"""Seconds between two looks for what other processes wrote, while somebody watches."""

_LOOK: Final = 0.25
"""Seconds between two looks whether the file is still in its place, where nothing is written."""

_PAUSE: Final = 0.02
"""Seconds between two tries to open a file that another process is making."""

log = logging.getLogger("plivo_record_async")


class File:
    """The connection and those who watch; only the thread of `Rounds` touches either."""

    def __init__(self, path: str, busy_timeout: float) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._watchers: defaultdict[str, dict[asyncio.Future[Any], int]] = defaultdict(dict)
        self._touched: set[str] = set()
        self._data_version = 0
        self._files: SameFile | None = None
        self._damage: str | None = None
        self._misplaced: str | None = None
        self._look_at = 0.0

    @property
    def patience(self) -> float:
        """Neither other processes nor a file that is deleted give a sign, so somebody has to look."""
        return _POLL if self._watchers else _LOOK

    def do(self, jobs: list[Job]) -> list[Answer]:
        """Reads first: they wait for no lock, but for one that the round before them waits for."""
        if self._misplaced or time.monotonic() >= self._look_at:
            self._look()
        answers = [] if self._misplaced else self._done(jobs)
        if self._misplaced:
            return self._refused([job.future for job in jobs], StoreError(self._misplaced))
        return answers + self._news()

    def close(self) -> list[Answer]:
        """Close the file; nobody will tell the watchers any more."""
        self._drop()
        self._files = self._damage = self._misplaced = None
        return self._refused([], ClosedError(f"{self._path} was closed while it was watched"))

    def _done(self, jobs: list[Job]) -> list[Answer]:
        writes = [job for job in jobs if job.writes]
        answers = [self._read(job) for job in jobs if not job.writes]
        if writes:
            answers += self._write(writes)
            self._look()
        return answers

    def _refused(self, asking: list[asyncio.Future[Any]], error: Exception) -> list[Answer]:
        """The error for those who ask, and for all who watch."""
        watching = [future for watchers in self._watchers.values() for future in watchers]
        self._watchers.clear()
        self._touched.clear()
        return [Answer(future, error=error) for future in (*asking, *watching)]

    # Jobs that touch what is watched

    def replace(self, row: sql.Row, connection: sqlite3.Connection) -> bool:
        """Keep a changed record, unless it was changed or forgotten in between."""
        done = connection.execute(sql.REPLACE, row).rowcount == 1
        self._touched.add(row.start_id)
        return done

    def prune(self, statement: str, before: int, most: int, connection: sqlite3.Connection) -> int:
        """Forget so many at most of what is older; how many were forgotten."""
        self._touched.update(self._watchers)
        return connection.execute(statement, (before, most)).rowcount

    def forget(self, start_id: str, now: int, connection: sqlite3.Connection) -> bool:
        """Erase a record and its orphans; whether there was anything, or the start had been forgotten before."""
        record = connection.execute(sql.PLIVO_IDS, (start_id,)).fetchone()
        api_id, recording_id = record or (None, None)
        erased = connection.execute(sql.FORGET, (start_id,)).rowcount
        erased += connection.execute(sql.FORGET_ORPHANS, (start_id, api_id, recording_id)).rowcount
        known = marks(start_id=start_id, api_id=api_id, recording_id=recording_id)
        if not erased:
            return connection.execute(sql.FORGOTTEN, known[:1]).fetchone() is not None
        connection.executemany(sql.REMEMBER_FORGOTTEN, [(mark, now) for mark in known])
        self._touched.add(start_id)
        return True

    def empty_journal(self, connection: sqlite3.Connection) -> None:
        """Leave nothing in the journal.

        Raises:
            StoreError: Another process keeps it in use.
        """
        [(is_busy, *_)] = connection.execute(sql.EMPTY_JOURNAL)
        if is_busy:
            raise StoreError(
                f"{self._path}: what was erased is still in its journal, because another process reads it; do the "
                "same again when that has ended"
            )

    def watch(self, start_id: str, version: int, future: asyncio.Future[Any], _: sqlite3.Connection) -> None:
        """Let the future have the record once it is another version, or gone."""
        self._watchers[start_id][future] = version
        self._touched.add(start_id)

    def unwatch(self, start_id: str, future: asyncio.Future[Any], _: sqlite3.Connection) -> None:
        """Nobody waits for that future any more."""
        self._watchers[start_id].pop(future, None)
        if not self._watchers[start_id]:
            del self._watchers[start_id]

    # One round

    def _read(self, job: Job) -> Answer:
        try:
            return Answer(job.future, job.work(self._opened()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes to the caller
            return Answer(job.future, error=self._explained(error))

    def _write(self, jobs: list[Job]) -> list[Answer]:
        """All in one transaction; if that fails, each in its own, so that one cannot spoil the others."""
        try:
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes to the callers
            return [Answer(job.future, error=self._explained(error)) for job in jobs]
        try:
            answers = [Answer(job.future, job.work(connection)) for job in jobs]
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes to the caller
            self._roll_back(connection)
            if len(jobs) > 1:
                return [answer for job in jobs for answer in self._write([job])]
            return [Answer(jobs[0].future, error=self._explained(error))]
        return answers

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._drop()  # closing it rolls back too; the next round opens it anew

    def _news(self) -> list[Answer]:
        """Whoever watches a record that is another version now, or gone."""
        try:
            return list(self._changes(self._opened())) if self._watchers else []
        except (sqlite3.Error, StoreError, OSError) as error:
            return self._refused([], self._explained(error))
        finally:
            self._touched.clear()

    def _changes(self, connection: sqlite3.Connection) -> Iterable[Answer]:
        # Changes with every transaction of any other connection: https://www.sqlite.org/pragma.html#pragma_data_version
        [(data_version,)] = connection.execute("PRAGMA data_version")
        candidates = self._touched & self._watchers.keys() if data_version == self._data_version else self._watchers
        self._data_version = data_version
        start_ids = list(candidates)
        versions = dict(connection.execute(sql.VERSIONS, (json.dumps(start_ids),))) if start_ids else {}
        for start_id in start_ids:
            watchers = self._watchers[start_id]
            changed = [future for future, version in watchers.items() if versions.get(start_id) != version]
            if changed:
                now = self._read(Job(partial(read_one, sql.GET, start_id), changed[0], writes=False))
                yield from (now._replace(future=future) for future in changed)
            for future in changed:
                del watchers[future]
            if not watchers:
                del self._watchers[start_id]

    # The connection

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._look()  # a connection that was lost is not made anew to another file
            if self._misplaced:
                raise StoreError(self._misplaced)
            _create_private(self._path)
            connection = sqlite3.connect(self._path, timeout=_PAUSE, isolation_level=None)
            try:
                _use_wal(connection, self._path, until=time.monotonic() + self._busy_timeout)
                connection.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout * 1000)}")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA fullfsync = ON")
                connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
                migrate(connection, sql.MIGRATIONS, self._path)
                self._files = SameFile(self._path)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _look(self) -> None:
        """Find out whether the path still leads to the file that was opened, and say so once if it does not."""
        self._look_at = time.monotonic() + _LOOK
        problem = self._problem()
        if problem and not self._misplaced:
            self._misplaced = (
                f"{problem}. Nothing is read or stored until that file is back, so that nothing gets lost unnoticed. "
                "To begin with what is there now, close the store and enter it again, or restart the program"
            )
            log.error(self._misplaced)
        elif self._misplaced and not problem:
            self._misplaced = None
            log.warning("%s is back where it was opened and is used again", self._path)

    def _problem(self) -> str | None:
        if self._files is None or self._damage:
            return self._damage
        problem = self._files.problem(is_open=self._connection is not None)
        if problem is None and self._files.has_shrunk():
            self._damage = problem = _damage(self._path)
        return problem

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, OSError):
            return StoreError(f"{self._path} was deleted or moved while it was being opened ({error})")
        if not isinstance(error, sqlite3.Error):
            return error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        words = sql.TROUBLES.get(code, "SQLite failed")
        comfort = "" if code in sql.NOT_OPENED else "; what was acknowledged before is not affected"
        explained = StoreError(f"{self._path}: {words} ({error}){comfort}")
        explained.__cause__ = error
        return explained


def _create_private(path: str) -> None:
    """Create the file for its owner alone; SQLite gives the journal the permissions of the file.

    A file that is there already keeps its own.
    """
    with suppress(OSError):  # SQLite meets the same trouble next, and explains it
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        os.chmod(path, 0o600)  # whatever the umask has taken away  # noqa: PTH101


def _damage(path: str) -> str | None:
    """What is wrong with a file that became smaller. A vacuum leaves it whole.

    It is read over another connection, because one that is in use remembers pages.
    """
    try:
        with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as other:
            [(found,)] = other.execute("PRAGMA quick_check(1)")
    except sqlite3.Error as error:
        found = str(error)
    return None if found == "ok" else f"{path} was truncated while it was in use ({' '.join(found.split())})"


def _use_wal(connection: sqlite3.Connection, path: str, *, until: float) -> None:
    """The switch needs the file for itself, and gives up at once where a statement would wait.

    It changes the file for good, so it is first seen whose that is.
    """
    while True:
        try:
            _version(connection, len(sql.MIGRATIONS), path)
            [(mode,)] = connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if time.monotonic() > until or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_PAUSE)
        else:
            if mode != "wal":
                raise StoreError(f"{path}: where it lies SQLite can keep no WAL, only {mode!r}; choose a local disk")
            return


def migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]], path: str) -> None:
    """Lead the schema from its version to the latest, all in one transaction.

    Raises:
        StoreError: A newer version of this package wrote the file, or it is another program's database.
    """
    if _version(connection, len(migrations), path) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection, len(migrations), path)  # another process may have been faster
    for statements in migrations[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {sql.APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(migrations)}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, latest: int, path: str) -> int:
    """The version of the file's schema, 0 if it is new; errors as with `migrate`."""
    [(application, version, tables, has_our_table)] = connection.execute(sql.MARKS)
    if application == 0 and has_our_table:
        raise StoreError(
            f"{path}: a development version of this package wrote it, before its files were marked; this version does "
            "not read such files. Follow its recordings to their end with the version that wrote it, and choose "
            "another file for this one"
        )
    if application != sql.APPLICATION_ID and (application, version, tables) != (0, 0, 0):
        raise StoreError(f"{path}: it is the database of another program; choose another file")
    if version > latest:
        raise StoreError(
            f"{path}: its schema is version {version}, and this version of the package knows only {latest}: "
            "a newer one wrote it; upgrade the package"
        )
    return int(version)


def keep_orphan(row: sql.OrphanRow, most: int, connection: sqlite3.Connection) -> bool:
    """Keep an orphan that is new, in the place of the oldest ones of its start; whether it was kept."""
    if connection.execute(sql.KEEP_ORPHAN, row).rowcount != 1:
        return False
    connection.execute(sql.DROP_OLDEST_ORPHANS, (row.start_id, most))
    return True


def create(record: FollowedRecording, row: sql.Row, connection: sqlite3.Connection) -> FollowedRecording:
    """Keep a new record, or find the one that is kept in its place."""
    if connection.execute(sql.INSERT, row).rowcount == 1:
        return record
    [kept] = read_all(sql.SAME, (row.start_id, row.dedupe_key), connection)
    return decode(kept, FollowedRecording)


def read_one(query: str, key: str, connection: sqlite3.Connection) -> FollowedRecording | None:
    """The first record that the query finds."""
    texts = read_all(query, (key,), connection)
    return decode(texts[0], FollowedRecording) if texts else None


def read_each(
    cls: type[T], query: str, parameters: tuple[Any, ...], connection: sqlite3.Connection
) -> list[T | StoreError]:
    """All values that the query finds; an error in the place of each that cannot be read."""
    values: list[T | StoreError] = []
    for text in read_all(query, parameters, connection):
        try:
            values.append(decode(text, cls))
        except StoreError as error:
            values.append(error)
    return values


def read_all(query: str, parameters: tuple[Any, ...], connection: sqlite3.Connection) -> list[str]:
    """All values that the query finds."""
    return [value for (value,) in connection.execute(query, parameters)]


def rewrite(connection: sqlite3.Connection) -> None:
    """Write the version of the schema again as it is: a change of the file like any other, which leaves it the same."""
    [(version,)] = connection.execute("PRAGMA user_version")
    connection.execute(f"PRAGMA user_version = {version}")
