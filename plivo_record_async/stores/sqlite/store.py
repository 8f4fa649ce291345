"""`SQLiteStore`, which keeps followed recordings in an SQLite file.

One thread uses the file. All writes that are waiting when a batch begins share one transaction, which saves time at the
disk. Records are decoded in the thread too, which takes half as long as in the event loop between its other work.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.arguments import positive_number
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.stores.batching.store import BatchedStore
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
    StoreObserver,
)
from plivo_record_async.stores.sqlite import listing, queries
from plivo_record_async.stores.sqlite import statements as sql
from plivo_record_async.stores.sqlite.connection import absolute_path
from plivo_record_async.stores.sqlite.database import Database

__all__ = ["SQLiteStore"]


class SQLiteStore(BatchedStore):
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

    _row = staticmethod(sql.row)
    _column = staticmethod(sql.column)

    def __init__(
        self, path: str | os.PathLike[str], *, busy_timeout: float = 5.0, observer: StoreObserver | None = None
    ) -> None:
        self._path = absolute_path(path)
        self._database = Database(self._path, positive_number("busy_timeout", busy_timeout))
        super().__init__(self._database, observer)

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path!r})"

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
        oldest = to_microseconds(before)
        await self._prune(sql.PRUNE_ORPHANS, oldest, lambda count: Pruned(orphans=count) if count else None)
        await self._prune(sql.PRUNE_FORGOTTEN, oldest, lambda _: None)
        return await self._prune(sql.PRUNE, oldest, lambda count: Pruned(records=count) if count else None)

    async def check(self) -> None:
        """Commit a transaction that changes nothing, to prove that the store can commit.

        Raises:
            StoreError: The store cannot commit.
        """
        await self._worker.submit(queries.rewrite_version, writes=True)

    async def _record(self, query: str, key: str) -> FollowedRecording | None:
        record: FollowedRecording | None = await self._worker.submit(partial(queries.read_one, query, sql.column(key)))
        return record

    async def _values(self, cls: type[StoredT], query: str, *parameters: int) -> list[StoredT | StoreError]:
        work = partial(queries.read_each, cls, query, parameters)
        values: list[StoredT | StoreError] = await self._worker.submit(work)
        return values
