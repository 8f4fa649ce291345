"""`Database`, which runs the jobs of a PostgreSQL database in transactions and finds changes of watched records.

There is one connection, and only one thread uses it. All jobs that wait when a batch begins share the round trips and
one commit. The result of a job is delivered only after the commit was acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from plivo_record_async.errors import ClosedError, StoreError
from plivo_record_async.stores.batching.worker import Job, JobResult
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.stores.postgres import queries, schema
from plivo_record_async.stores.postgres.connection import (
    Address,
    Connection,
    PostgresError,
    is_read_only,
    to_store_error,
)
from plivo_record_async.stores.postgres.queries import Erasure, Work
from plivo_record_async.stores.postgres.rows import Row, column
from plivo_record_async.stores.postgres.statements import ROLLBACK, Statements
from plivo_record_async.stores.postgres.transaction import Transaction
from plivo_record_async.stores.postgres.watchers import POLL_INTERVAL, Change, DatabaseWatchers

__all__ = ["Database"]

log: logging.Logger = logging.getLogger("plivo_record_async")


class Database:
    """The backend for a database: its connection and its watchers.

    Only the thread of a `BatchWorker` uses it.

    Args:
        address: The address of the database.
        sql: The statements.
        migrate: Whether to create and migrate the tables. If not, they are only verified.

    Attributes:
        time_limit: How long a batch may take, in seconds, before its callers get an error and the connection is closed.
    """

    time_limit: float = 10.0

    def __init__(self, address: Address, sql: Statements, *, migrate: bool) -> None:
        self._address = address
        self._place = str(address)
        self._sql = sql
        self._prepare = schema.migrate if migrate else schema.verify
        self._connection: Connection | None = None
        self._was_opened = False
        self._deadline = 0.0
        self._watchers = DatabaseWatchers(self._sql)
        self._next_watch = 0.0

    @property
    def poll_interval(self) -> float:
        """How long to wait for a job, in seconds, before `run` is called without one."""
        return POLL_INTERVAL

    def run(self, jobs: list[Job]) -> list[JobResult]:
        """Run one batch of jobs.

        Args:
            jobs: The jobs.

        Returns:
            The results of the jobs, and of the calls of ``watch`` that have ended.
        """
        self._deadline = time.monotonic() + self.time_limit
        works = [(job, job.work(self._sql)) for job in jobs]
        results = [JobResult(job.future) for job, work in works if work is None]
        if with_statements := [job for job, work in works if work is not None]:
            results += self._run(with_statements)
        return results + self._watch_results()

    def close(self) -> list[JobResult]:
        """Close the connection, and return an error for each call of ``watch``."""
        self._disconnect()
        self._was_opened = False
        error = ClosedError(f"{self._place} was closed during a call of watch()")
        return [JobResult(future, error=error) for future in self._watchers.clear()]

    # Jobs that change records or watch them

    def replace(self, row: Row, sql: Statements) -> Work[bool]:
        """Update a record if its stored version is the one before the row's, and return whether it was updated."""
        self._watchers.may_have_changed(row.start_id)
        return queries.replace(row, sql)

    def replace_returning(self, row: Row, sql: Statements) -> Work[FollowedRecording | None]:
        """Update a record as `replace` does, and return the previous version, or None if it was not updated."""
        self._watchers.may_have_changed(row.start_id)
        return queries.replace_returning(row, sql)

    def delete_old(self, query: str, before: datetime, limit: int, _: Statements) -> Work[int]:
        """Delete at most ``limit`` rows that are older than ``before``, and return how many were deleted."""
        self._watchers.all_may_have_changed()
        return queries.delete_old(query, before, limit)

    def forget(self, start_id: str, now: datetime, sql: Statements) -> Work[Erasure]:
        """Erase a record and its orphans, and return when there was anything to erase."""
        self._watchers.may_have_changed(column(start_id))
        return queries.forget(start_id, now, sql)

    def watch(self, start_id: str, version: int, future: asyncio.Future[Any], _: Statements) -> None:
        """Deliver the record to the future as soon as it has another version, or None as soon as it is deleted.

        This job needs no statement, so it does not fail while the database cannot be reached.
        """
        self._watchers.add(start_id, version, future)

    def unwatch(self, start_id: str, future: asyncio.Future[Any], _: Statements) -> None:
        """Remove a future that was added by `watch`."""
        self._watchers.discard(start_id, future)

    def _watch_results(self) -> list[JobResult]:
        """Find the changes of watched records. While the database cannot be read, their futures go on waiting."""
        if not self._watchers or time.monotonic() < self._next_watch:
            return []
        try:
            changes = list(self._watchers.changes(self._connected()))
        except (PostgresError, StoreError) as error:
            self._disconnect()
            self._next_watch = time.monotonic() + 1
            log.warning(
                "the changes of the recordings that are waited for cannot be read; the next attempt is in a second: %s",
                to_store_error(self._place, error),
            )
            return []
        return [result for change in changes for result in _results(change)]

    # Running the jobs of one batch

    def _run(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Run all jobs in one transaction. If it fails, run each job in a transaction of its own."""
        was_connected = self._connection is not None
        transaction: Transaction | None = None
        try:
            transaction = Transaction(self._connected(), writes=any(job.writes for job in jobs))
            values = transaction.run([job.work(self._sql) for job in jobs])
        except Exception as error:  # noqa: BLE001 - every error goes to the callers
            is_connected = self._roll_back()
            if is_connected and len(jobs) > 1:
                return [result for job in jobs for result in self._run([job])]
            if was_connected and not is_connected and transaction and not transaction.is_committing:
                return self._run(jobs)  # nothing was committed on a connection that was lost, perhaps long ago
            if is_read_only(error):
                self._disconnect()  # the next connection may lead to the new primary server
            store_error = to_store_error(self._place, error)
            return [JobResult(job.future, error=store_error) for job in jobs]
        return [
            JobResult(job.future, value, on_success=job.on_success) for job, value in zip(jobs, values, strict=True)
        ]

    def _roll_back(self) -> bool:
        """Roll back, and return whether the connection can still be used."""
        if self._connection is not None:
            try:
                if self._connection.is_in_transaction:
                    self._connection.run(ROLLBACK)
            except PostgresError:
                self._disconnect()
        if self._connection is not None and self._connection.closed:
            self._disconnect()
        return self._connection is not None

    # The connection

    def _connected(self) -> Connection:
        if time.monotonic() > self._deadline:
            raise StoreError(f"{self._place}: the server did not answer within {self.time_limit:g} s")
        if self._connection is None:
            connection = self._address.connect()
            connection.deadline = self._deadline
            try:
                # If the tables disappear while the store is in use, they must not be replaced by empty ones.
                (schema.verify if self._was_opened else self._prepare)(connection, self._sql.schema, self._place)
            except BaseException:
                connection.close()
                raise
            self._was_opened = True
            self._connection = connection
        self._connection.deadline = self._deadline
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _results(change: Change) -> list[JobResult]:
    if isinstance(change.value, StoreError):
        return [JobResult(future, error=change.value) for future in change.futures]
    return [JobResult(future, change.value) for future in change.futures]
