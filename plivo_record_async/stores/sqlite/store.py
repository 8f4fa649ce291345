"""`SQLiteStore`, which keeps followed recordings in an SQLite file.

One thread uses the file. All writes that are waiting when a batch begins share one transaction, which saves time at the
disk. Records are decoded in the thread too, which takes half as long as in the event loop between its other work.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final

from plivo_record_async.errors import ClosedError, StoreError
from plivo_record_async.protocol.arguments import positive_number
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.stores.batching.worker import BatchWorker
from plivo_record_async.stores.encoding import StoredT, to_microseconds
from plivo_record_async.stores.interface import (
    MAX_ORPHANS_PER_START,
    MAX_ORPHANS_WITHOUT_START,
    FollowedRecording,
    Orphan,
    OrphanKept,
    PlivoId,
    Pruned,
    RecordCreated,
    RecordForgotten,
    RecordReplaced,
    StoreChange,
    StoreObserver,
)
from plivo_record_async.stores.observable import ObservableStore
from plivo_record_async.stores.sqlite import listing, queries
from plivo_record_async.stores.sqlite import statements as sql
from plivo_record_async.stores.sqlite.connection import absolute_path
from plivo_record_async.stores.sqlite.database import Database

__all__ = ["SQLiteStore"]

_PRUNED_AT_ONCE: Final = 500
"""The largest number of rows that one transaction deletes. Other writers wait for it, so it must be short."""

log: logging.Logger = logging.getLogger("plivo_record_async")


class SQLiteStore(ObservableStore):
    """A ``Store`` that keeps followed recordings in an SQLite file.

    What a method stored is durable. All processes of one machine may share the file, each with a store object of its
    own. The file must be on a local disk, not on a network file system. The first call opens the file, and creates it
    for its owner only if it does not exist. If the file is deleted or replaced while it is in use, the store logs an
    ERROR within a second, and all calls raise ``StoreError`` until the file is back, or until the store is closed and
    entered again.

    A store object may be used in one event loop after another. The end of an event loop closes the file.

    Args:
        path: The path of the file. Its directory must exist. If the path is relative, it is relative to the directory
            that is the current directory when the object is created.
        busy_timeout: How long a call waits for a file that another process has locked, in seconds, before it raises
            ``StoreError``.
        observer: A function that is called after each change (``StoreObserver``). If None, no function is called.

    Raises:
        ValueError: The path does not name a file, or the timeout is not positive.
        TypeError: The path or the timeout has the wrong type.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, busy_timeout: float = 5.0, observer: StoreObserver | None = None
    ) -> None:
        super().__init__(observer)
        self._path = absolute_path(path)
        self._database = Database(self._path, positive_number("busy_timeout", busy_timeout))
        self._worker = BatchWorker(self._database, repr(self))
        self._unreadable: set[int] = set()

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path!r})"

    async def open(self) -> None:
        """Accept calls again after `aclose`. The next call opens the file."""
        self._worker.open()

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        """Keep a new record, unless a record with the same ``start_id`` or ``dedupe_key`` is kept already.

        Args:
            record: The record.

        Returns:
            ``record`` if it was kept, otherwise the record that was kept before.
        """
        work = partial(queries.create, record, sql.row(record))
        kept: FollowedRecording = await self._write(
            work, lambda kept: RecordCreated(record=record) if kept is record else None
        )
        return kept

    async def get(self, start_id: str) -> FollowedRecording | None:
        """Return the current record of a start.

        Args:
            start_id: The tracker's ID of the start.

        Returns:
            The record. If None, there is no such record.
        """
        return await self._record(sql.GET, start_id)

    async def replace(self, record: FollowedRecording) -> bool:
        """Replace a record by its next version, if no other change has been made in the meantime.

        Args:
            record: The next version. Its ``version`` must be greater by one than that of the record that is kept.

        Returns:
            Whether the record was replaced.
        """
        if self._observer is None:
            replaced: bool = await self._worker.submit(partial(self._database.replace, sql.row(record)), writes=True)
            return replaced
        before: FollowedRecording | None = await self._write(
            partial(self._database.replace_returning, sql.row(record)),
            lambda before: before and RecordReplaced(before=before, after=record),
        )
        return before is not None

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        """Return the record with an ID of Plivo's.

        Args:
            kind: The attribute of the record: ``"api_id"`` or ``"recording_id"``.
            value: The ID.

        Returns:
            The record that was created first. If None, there is no such record.
        """
        return await self._record(sql.BY_PLIVO_ID[kind], value)

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        """Return the records whose ``due_at`` is not later than ``now``, the earliest ``due_at`` first.

        A record that cannot be read is left out. A WARNING is logged the first time.

        Args:
            now: The current time.
            limit: The largest number of records to return.
            silent: If True, return only the records for which ``is_silent`` is true. If False, return only the others.
                If None, return both.

        Returns:
            The records.
        """
        found: list[FollowedRecording] = []
        for offset in itertools.count(step=limit):
            page = await self._values(FollowedRecording, sql.DUE[silent], to_microseconds(now), limit, offset)
            found += self._without_unreadable(page)
            if len(page) < limit or len(found) >= limit:
                break
        return found[:limit]

    async def records(
        self,
        *,
        states: Collection[RecordingState] | None = None,
        conference_name: str | None = None,
        updated_after: datetime | None = None,
        older_than: FollowedRecording | None = None,
        limit: int = 100,
    ) -> Sequence[FollowedRecording]:
        """Return one page of the records that all filters select, the latest ``updated_at`` first.

        A record that cannot be read is left out. A WARNING is logged the first time.

        Args:
            states: Return only the records in one of these states. If None, the state does not matter.
            conference_name: Return only the records of this conference. If None, the name does not matter.
            updated_after: Return only the records that were last updated at this time or later. If None, the time does
                not matter.
            older_than: The last record of the previous page. If None, the page is the first one.
            limit: The largest number of records to return.

        Returns:
            The records. If there are fewer than ``limit``, the page is the last one.
        """
        page = listing.page_of(
            states=states,
            conference_name=conference_name,
            updated_after=updated_after,
            older_than=older_than,
            limit=limit,
        )
        found: list[FollowedRecording] = []
        while True:
            rows: list[listing.ListedRow] = await self._worker.submit(page.read)
            found += self._without_unreadable(row.value for row in rows)
            if len(rows) < limit or len(found) >= limit:
                return found[:limit]
            page = page.following(rows[-1])

    async def counts(self) -> Mapping[RecordingState, int]:
        """Return how many records are in each state.

        Returns:
            The number of records in each state that occurs.
        """
        numbers: dict[RecordingState, int] = await self._worker.submit(queries.count_by_state)
        return numbers

    async def first_dedupe_key(self, prefix: str) -> str | None:
        """Return the smallest dedupe key that begins with a prefix.

        Args:
            prefix: The beginning of the key, in ASCII.

        Returns:
            The key. If None, no record has such a key.
        """
        key: str | None = await self._worker.submit(partial(queries.first_dedupe_key, prefix))
        return key

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        """Wait until the version of a record differs from ``version``, and return the record.

        A change by another process is noticed within half a second.

        Args:
            start_id: The tracker's ID of the start.
            version: The version that the caller knows.

        Returns:
            The record. If None, there is no such record, or it was deleted during the wait.

        Raises:
            ClosedError: The store is closed, or was closed during the wait.
        """
        changed: asyncio.Future[FollowedRecording | None] = asyncio.get_running_loop().create_future()
        key = sql.column(start_id)
        try:
            await self._worker.submit(partial(self._database.watch, key, version, changed))
            return await changed
        except asyncio.CancelledError:
            with suppress(ClosedError):  # closing has removed the future already
                # The job runs although its future is cancelled; nobody needs the result.
                self._worker.submit(partial(self._database.unwatch, key, changed)).cancel()
            raise

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep an orphan, unless one with the same digest is kept already, or it belongs to a start that was forgotten.

        Args:
            orphan: The orphan.

        Returns:
            Whether the orphan was kept.
        """
        limit = MAX_ORPHANS_WITHOUT_START if orphan.start_id is None else MAX_ORPHANS_PER_START
        work = partial(queries.keep_orphan, sql.orphan_row(orphan), limit)
        kept: bool = await self._write(work, lambda kept: OrphanKept(orphan=orphan) if kept else None)
        return kept

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the orphans, the latest one first.

        An orphan that cannot be read is left out. A WARNING is logged the first time.

        Args:
            limit: The largest number of orphans to return.

        Returns:
            The orphans.
        """
        return list(self._without_unreadable(await self._values(Orphan, sql.LATEST_ORPHANS, limit)))

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        """Erase a record and its orphans from the file and its journal, and remember that the start was forgotten.

        Args:
            start_id: The tracker's ID of the start.
            now: The current time.

        Returns:
            Whether a record or an orphan was erased, or the start had been forgotten before.

        Raises:
            StoreError: Another process is reading the journal, so the journal still contains the erased data. Call the
                method again when that process has finished reading.
        """
        erased: queries.Erasure = await self._write(
            partial(self._database.forget, sql.column(start_id), to_microseconds(now)),
            lambda erased: RecordForgotten(start_id=start_id) if erased == "now" else None,
        )
        if erased == "never":
            return False
        await self._worker.submit(partial(queries.empty_journal, self._path))
        return True

    async def prune(self, before: datetime) -> int:
        """Delete the inactive records that were last updated before a time, and the orphans received before it.

        The deletion is divided into several transactions, so that no other write waits long.

        Args:
            before: The time.

        Returns:
            The number of deleted records.
        """
        await self._prune(sql.PRUNE_ORPHANS, before, lambda count: Pruned(orphans=count) if count else None)
        await self._prune(sql.PRUNE_FORGOTTEN, before, lambda _: None)
        return await self._prune(sql.PRUNE, before, lambda count: Pruned(records=count) if count else None)

    async def check(self) -> None:
        """Commit a transaction that changes nothing, to prove that the store can commit.

        Raises:
            StoreError: The store cannot commit.
        """
        await self._worker.submit(queries.rewrite_version, writes=True)

    async def aclose(self) -> None:
        """Finish the calls that were begun, end all calls of `watch` with ``ClosedError``, and close the file."""
        await self._worker.aclose()

    async def _record(self, query: str, key: str) -> FollowedRecording | None:
        record: FollowedRecording | None = await self._worker.submit(partial(queries.read_one, query, sql.column(key)))
        return record

    async def _values(self, cls: type[StoredT], query: str, *parameters: int) -> list[StoredT | StoreError]:
        work = partial(queries.read_each, cls, query, parameters)
        values: list[StoredT | StoreError] = await self._worker.submit(work)
        return values

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

    async def _prune(self, statement: str, before: datetime, change: Callable[[Any], StoreChange | None]) -> int:
        work = partial(self._database.delete_old, statement, to_microseconds(before), _PRUNED_AT_ONCE)
        pruned, count = 0, _PRUNED_AT_ONCE
        while count == _PRUNED_AT_ONCE:
            count = await self._write(work, change)
            pruned += count
        return pruned
