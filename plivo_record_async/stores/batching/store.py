"""`BatchedStore`, the base class of the stores whose calls one thread runs in batches.

A subclass says what a call does in its database. This class submits the calls, reports their changes to the observer,
and leaves out what cannot be read.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

from plivo_record_async.errors import ClosedError, StoreError
from plivo_record_async.stores.batching.worker import Backend, BatchWorker
from plivo_record_async.stores.encoding import StoredT
from plivo_record_async.stores.interface import FollowedRecording, RecordReplaced, StoreChange, StoreObserver
from plivo_record_async.stores.observable import ObservableStore

__all__ = ["BatchedStore", "RecordDatabase"]

_PRUNED_AT_ONCE: Final = 500
"""The largest number of rows that one transaction deletes. Other writes wait for it, so it must be short."""

log: logging.Logger = logging.getLogger("plivo_record_async")


class RecordDatabase(Backend, Protocol):
    """The database of a store. The last argument of each method comes from the thread that runs it."""

    def replace(self, row: Any, context: Any, /) -> Any:
        """Replace a record by its next version. The result is whether it was replaced."""
        ...

    def replace_returning(self, row: Any, context: Any, /) -> Any:
        """Replace a record by its next version. The result is the record before, or None if it was not replaced."""
        ...

    def delete_old(self, statement: str, before: Any, limit: int, context: Any, /) -> Any:
        """Run a statement that deletes old rows. The result is their number, at most the limit."""
        ...

    def watch(self, start_id: str, version: int, future: asyncio.Future[Any], context: Any, /) -> None:
        """Set the future when a record has another version."""
        ...

    def unwatch(self, start_id: str, future: asyncio.Future[Any], context: Any, /) -> None:
        """End the watching of a future."""
        ...


class BatchedStore(ObservableStore):
    """A store whose calls one thread runs in batches.

    Args:
        database: The database.
        observer: A function that is called after each change. If None, no function is called.
    """

    def __init__(self, database: RecordDatabase, observer: StoreObserver | None) -> None:
        super().__init__(observer)
        self._record_database = database
        self._worker = BatchWorker(database, repr(self))
        self._unreadable: set[int] = set()

    @staticmethod
    @abstractmethod
    def _row(record: FollowedRecording) -> Any:
        """Return the row in which a record is stored."""

    @staticmethod
    @abstractmethod
    def _column(text: str) -> str:
        """Return a text as it is stored in a column."""

    async def open(self) -> None:
        """Accept calls again after `aclose`. The next call opens the database."""
        self._worker.open()

    async def replace(self, record: FollowedRecording) -> bool:
        """Replace a record by its next version, if no other change has been made in the meantime.

        Args:
            record: The next version. Its ``version`` must be greater by one than that of the record that is kept.

        Returns:
            Whether the record was replaced.

        Raises:
            StoreError: The record could not be kept.
        """
        if self._observer is None:
            replaced: bool = await self._worker.submit(
                partial(self._record_database.replace, self._row(record)), writes=True
            )
            return replaced
        before: FollowedRecording | None = await self._write(
            partial(self._record_database.replace_returning, self._row(record)),
            lambda before: before and RecordReplaced(before=before, after=record),
        )
        return before is not None

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        """Wait until the version of a record differs from ``version``, and return the record.

        A change by another process is noticed within half a second. A `PostgresStore` goes on waiting while its
        database cannot be reached.

        Args:
            start_id: The tracker's ID of the start.
            version: The version that the caller knows.

        Returns:
            The record. If None, there is no such record, or it was deleted during the wait.

        Raises:
            ClosedError: The store is closed, or was closed during the wait.
            StoreError: The record cannot be read.
        """
        changed: asyncio.Future[FollowedRecording | None] = asyncio.get_running_loop().create_future()
        key = self._column(start_id)
        try:
            await self._worker.submit(partial(self._record_database.watch, key, version, changed))
            return await changed
        except asyncio.CancelledError:
            with suppress(ClosedError):  # closing has removed the future already
                # The job runs although its future is cancelled, and its result is not needed.
                self._worker.submit(partial(self._record_database.unwatch, key, changed)).cancel()
            raise

    async def aclose(self) -> None:
        """Finish the calls that were begun, end all calls of `watch` with ``ClosedError``, and close the database."""
        await self._worker.aclose()

    def _without_unreadable(self, values: Iterable[StoredT | StoreError]) -> Iterator[StoredT]:
        for value in values:
            if not isinstance(value, StoreError):
                yield value
            elif (known := hash(str(value))) not in self._unreadable:  # each later call finds the same value again
                self._unreadable.add(known)
                log.warning("%r: a value that cannot be read was left out: %s", self, value)

    async def _write(self, work: Callable[[Any], Any], change: Callable[[Any], StoreChange | None]) -> Any:
        """Run a job that writes, and report its change to the observer, also if the caller is cancelled."""

        def report(value: Any) -> None:
            self._report(change(value))

        return await self._worker.submit(work, writes=True, on_success=None if self._observer is None else report)

    async def _prune(self, statement: str, before: object, change: Callable[[Any], StoreChange | None]) -> int:
        work = partial(self._record_database.delete_old, statement, before, _PRUNED_AT_ONCE)
        pruned, count = 0, _PRUNED_AT_ONCE
        while count == _PRUNED_AT_ONCE:
            count = await self._write(work, change)
            pruned += count
        return pruned
