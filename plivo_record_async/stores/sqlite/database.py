"""`Database`, which runs the jobs of an SQLite file in transactions and finds changes of watched records.

The result of a write is delivered only after its transaction is on the disk, and only if the path still leads to the
file that was opened. If it does not, every call fails until the file is back, or until the store is closed and entered
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from plivo_record_async.errors import ClosedError, StoreError
from plivo_record_async.stores.batching.worker import Job, JobResult
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.stores.sqlite import queries
from plivo_record_async.stores.sqlite import statements as sql
from plivo_record_async.stores.sqlite.connection import SQLiteError, connect, to_store_error
from plivo_record_async.stores.sqlite.file_monitor import FileMonitor
from plivo_record_async.stores.sqlite.watchers import FileWatchers

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Database"]

_WATCH_INTERVAL: Final = 0.2
"""The time between two searches for changes by other processes, in seconds, while records are watched."""

_CHECK_INTERVAL: Final = 0.25
"""The time between two checks of the files, in seconds, while nothing is written."""


class Database:
    """The backend for an SQLite file: its connection, its watchers, and the monitor of its files.

    Only the thread of a `BatchWorker` uses it.

    Args:
        path: The path of the file.
        busy_timeout: How long to wait while another process has the file locked, in seconds.
    """

    def __init__(self, path: str, busy_timeout: float) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._watchers = FileWatchers()
        self._monitor = FileMonitor(path, interval=_CHECK_INTERVAL)

    @property
    def poll_interval(self) -> float:
        """How long to wait for a job, in seconds, before `run` is called without one.

        Neither a change by another process nor the deletion of a file gives a signal, so `run` looks for both.
        """
        return _WATCH_INTERVAL if self._watchers else _CHECK_INTERVAL

    def run(self, jobs: list[Job]) -> list[JobResult]:
        """Run one batch of jobs. The reads are run first, because they do not wait for a lock.

        Args:
            jobs: The jobs.

        Returns:
            The results of the jobs, and of the calls of ``watch`` that have ended.
        """
        if self._monitor.problem or self._monitor.is_due:
            self._check_files()
        results = [] if self._monitor.problem else self._run(jobs)
        if self._monitor.problem:
            return self._failed([job.future for job in jobs], StoreError(self._monitor.problem))
        return results + self._watch_results()

    def close(self) -> list[JobResult]:
        """Close the file, and return an error for each call of ``watch``."""
        self._disconnect()
        self._monitor.reset()
        return self._failed([], ClosedError(f"{self._path} was closed during a call of watch()"))

    def _run(self, jobs: list[Job]) -> list[JobResult]:
        writes = [job for job in jobs if job.writes]
        results = [self._read(job) for job in jobs if not job.writes]
        if writes:
            results += self._write(writes)
            self._check_files()
        return results

    def _failed(self, futures: list[asyncio.Future[Any]], error: Exception) -> list[JobResult]:
        """Return the error for these futures and for all watchers."""
        return [JobResult(future, error=error) for future in (*futures, *self._watchers.clear())]

    # Jobs that change records or watch them

    def replace(self, row: sql.Row, connection: sqlite3.Connection) -> bool:
        """Update a record if its stored version is the one before the row's, and return whether it was updated."""
        self._watchers.may_have_changed(row.start_id)
        return queries.replace(row, connection)

    def replace_returning(self, row: sql.Row, connection: sqlite3.Connection) -> FollowedRecording | None:
        """Update a record as `replace` does, and return the previous version, or None if it was not updated."""
        self._watchers.may_have_changed(row.start_id)
        return queries.replace_returning(row, connection)

    def delete_old(self, statement: str, before: int, limit: int, connection: sqlite3.Connection) -> int:
        """Delete at most ``limit`` rows that are older than ``before``, and return how many were deleted."""
        self._watchers.all_may_have_changed()
        return queries.delete_old(statement, before, limit, connection)

    def forget(self, start_id: str, now: int, connection: sqlite3.Connection) -> queries.Erasure:
        """Erase a record and its orphans, and return when there was anything to erase."""
        self._watchers.may_have_changed(start_id)
        return queries.forget(start_id, now, connection)

    def watch(self, start_id: str, version: int, future: asyncio.Future[Any], _: sqlite3.Connection) -> None:
        """Deliver the record to the future as soon as it has another version, or None as soon as it is deleted."""
        self._watchers.add(start_id, version, future)

    def unwatch(self, start_id: str, future: asyncio.Future[Any], _: sqlite3.Connection) -> None:
        """Remove a future that was added by `watch`."""
        self._watchers.discard(start_id, future)

    # Running the jobs of one batch

    def _read(self, job: Job) -> JobResult:
        try:
            return JobResult(job.future, job.work(self._connected()), on_success=job.on_success)
        except Exception as error:  # noqa: BLE001 - every error goes to the caller
            return JobResult(job.future, error=to_store_error(self._path, error))

    def _write(self, jobs: list[Job]) -> list[JobResult]:
        """Run all jobs in one transaction. If it fails, run each job in a transaction of its own."""
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
        except Exception as error:  # noqa: BLE001 - every error goes to the callers
            return [JobResult(job.future, error=to_store_error(self._path, error)) for job in jobs]
        try:
            results = [JobResult(job.future, job.work(connection), on_success=job.on_success) for job in jobs]
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - every error goes to the caller
            self._roll_back(connection)
            if len(jobs) > 1:
                return [result for job in jobs for result in self._write([job])]
            return [JobResult(jobs[0].future, error=to_store_error(self._path, error))]
        return results

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except SQLiteError:
            self._disconnect()  # closing rolls back too; the next batch connects again

    def _watch_results(self) -> list[JobResult]:
        try:
            return list(self._changes(self._connected())) if self._watchers else []
        except (SQLiteError, StoreError, OSError) as error:
            return self._failed([], to_store_error(self._path, error))

    def _changes(self, connection: sqlite3.Connection) -> Iterator[JobResult]:
        for start_id, futures in self._watchers.changed(connection):
            result = self._read(Job(partial(queries.read_one, sql.GET, start_id), futures[0], writes=False))
            yield from (result._replace(future=future) for future in futures)

    # The connection

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._check_files()  # a connection that was lost must not be replaced by a connection to another file
            if self._monitor.problem:
                raise StoreError(self._monitor.problem)
            connection = connect(self._path, self._busy_timeout)
            try:
                self._monitor.start()
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _check_files(self) -> None:
        self._monitor.check(is_open=self._connection is not None)
