"""Followed recordings in an SQLite file: durable, and shared by the processes of one machine.

One thread uses the file. All writes that are waiting when a batch begins share one transaction, so each pays less for
the disk the more of them there are. Records are also decoded in the thread, in a row, which takes half as long as
decoding them between the other work of an event loop.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from plivo_record_async.errors import ClosedError, StoreError
from plivo_record_async.protocol.arguments import positive_number
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
from plivo_record_async.stores.sqlite import queries
from plivo_record_async.stores.sqlite import statements as sql
from plivo_record_async.stores.sqlite.database import Database
from plivo_record_async.stores.sqlite.worker import BatchWorker

__all__ = ["SQLiteStore"]

_PRUNED_AT_ONCE: Final = 500
"""How many rows one transaction deletes at most, because other writers have to wait for it."""

log = logging.getLogger("plivo_record_async")


class SQLiteStore(ObservableStore):
    """A ``Store`` in a file that the processes of one machine may share. A network file system is not suitable.

    The first call opens the file, and creates it if it does not exist. If the file is deleted or replaced while it is
    in use, this is noticed within a second: an ERROR is logged, and all calls raise ``StoreError`` until the file is
    back or the store was closed and entered again.

    One instance serves one event loop after another, and each process needs an instance of its own. When an event loop
    ends (``asyncio.run``), the file is closed; the next call in another event loop opens it again.

    Args:
        path: The file. Its directory must exist. A relative path is relative to the current directory of this moment.
        busy_timeout: How many seconds to wait for a file that another process has locked, before ``StoreError`` is
            raised.
        observer: Is called after each change; see ``StoreObserver``. If None, nothing is reported.

    Raises:
        ValueError: The path names no file, or the timeout is not positive.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, busy_timeout: float = 5.0, observer: StoreObserver | None = None
    ) -> None:
        super().__init__(observer)
        self._path = os.fsdecode(path)
        if self._path in {"", ":memory:"} or "\0" in self._path:
            raise ValueError(f"path must name a file, not {path!r}; MemoryStore() keeps recordings in memory")
        if not Path(self._path).is_absolute():
            # As bytes, because tools that look for blocking calls take `os.getcwd` for one.
            self._path = str(Path(os.fsdecode(os.getcwdb()), self._path))  # noqa: PTH109
        self._database = Database(self._path, positive_number("busy_timeout", busy_timeout))
        self._worker = BatchWorker(self._database, repr(self))
        self._unreadable: set[int] = set()

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path!r})"

    async def open(self) -> None:
        """Accept calls again after `aclose`. The next call opens the file."""
        self._worker.open()

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        """Keep a new record, unless a record with the same ``start_id`` or ``dedupe_key`` is kept.

        Args:
            record: The record.

        Returns:
            ``record`` if it is kept now, otherwise the record that was kept before.
        """
        work = partial(queries.create, record, sql.row(record))
        kept: FollowedRecording = await self._write(
            work, lambda kept: RecordCreated(record=record) if kept is record else None
        )
        return kept

    async def get(self, start_id: str) -> FollowedRecording | None:
        """Return the record of a start. If None, there is no such record.

        Args:
            start_id: The tracker's ID of the start.
        """
        return await self._record(sql.GET, start_id)

    async def replace(self, record: FollowedRecording) -> bool:
        """Keep a changed record in place of its previous version.

        Args:
            record: The record, with a ``version`` that is greater by one than that of the record which is kept.

        Returns:
            Whether it was kept.
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
        """Return the record that has an ID of Plivo's. If None, there is no such record.

        Args:
            kind: ``"api_id"`` or ``"recording_id"``.
            value: The ID.
        """
        return await self._record(sql.BY_PLIVO_ID[kind], value)

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        """Return the records whose ``due_at`` is not after ``now``, in the order of ``due_at``.

        A record that cannot be read is left out, and a WARNING is logged once.

        Args:
            now: The time.
            limit: How many records to return at most.
            silent: Return only the silent records, or only the others. If None, return both.
        """
        found: list[FollowedRecording] = []
        for offset in itertools.count(step=limit):
            page = await self._values(FollowedRecording, sql.DUE[silent], to_microseconds(now), limit, offset)
            found += self._readable(page)
            if len(page) < limit or len(found) >= limit:
                break
        return found[:limit]

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        """Wait until a record has another version. Changes by other processes are noticed within half a second.

        Args:
            start_id: The tracker's ID of the start.
            version: The version that the caller knows.

        Returns:
            The record, or None as soon as there is no such record.

        Raises:
            ClosedError: The store is closed, or was closed during the wait.
        """
        changed: asyncio.Future[FollowedRecording | None] = asyncio.get_running_loop().create_future()
        key = sql.column(start_id)
        try:
            await self._worker.submit(partial(self._database.watch, key, version, changed))
            return await changed
        except asyncio.CancelledError:
            with suppress(ClosedError):  # closing has ended all watching already
                # The job runs; only its result is not awaited.
                self._worker.submit(partial(self._database.unwatch, key, changed)).cancel()
            raise

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep an orphan, unless one with the same digest is kept or it belongs to a start that was forgotten.

        Args:
            orphan: The callback.

        Returns:
            Whether the orphan was kept.
        """
        limit = MAX_ORPHANS_WITHOUT_START if orphan.start_id is None else MAX_ORPHANS_PER_START
        work = partial(queries.keep_orphan, sql.orphan_row(orphan), limit)
        kept: bool = await self._write(work, lambda kept: OrphanKept(orphan=orphan) if kept else None)
        return kept

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the orphans, the ones that were kept last first.

        An orphan that cannot be read is left out, and a WARNING is logged once.

        Args:
            limit: How many orphans to return at most.
        """
        return list(self._readable(await self._values(Orphan, sql.LATEST_ORPHANS, limit)))

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        """Erase a record and its orphans from the file and its journal, and remember that the start was forgotten.

        Args:
            start_id: The tracker's ID of the start.
            now: The time.

        Returns:
            Whether there was anything to erase, or the start had been forgotten before.

        Raises:
            StoreError: Another process is reading the journal, so the journal still holds what was erased. Call it
                again when that process has finished.
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
        """Delete the inactive records that were last updated before a time, and the orphans that are older.

        Other writes can be made between its transactions, so that no other write waits long.

        Args:
            before: The time.

        Returns:
            How many records were deleted.
        """
        await self._prune(sql.PRUNE_ORPHANS, before, lambda count: Pruned(orphans=count) if count else None)
        await self._prune(sql.PRUNE_FORGOTTEN, before, lambda _: None)
        return await self._prune(sql.PRUNE, before, lambda count: Pruned(records=count) if count else None)

    async def check(self) -> None:
        """Commit something that changes nothing, which proves that the store can commit.

        Raises:
            StoreError: The store cannot commit.
        """
        await self._worker.submit(queries.rewrite_version, writes=True)

    async def aclose(self) -> None:
        """Finish the calls that were begun, end all watching with ``ClosedError``, and close the file."""
        await self._worker.aclose()

    async def _record(self, query: str, key: str) -> FollowedRecording | None:
        record: FollowedRecording | None = await self._worker.submit(partial(queries.read_one, query, sql.column(key)))
        return record

    async def _values(self, cls: type[StoredT], query: str, *parameters: int) -> list[StoredT | StoreError]:
        work = partial(queries.read_each, cls, query, parameters)
        values: list[StoredT | StoreError] = await self._worker.submit(work)
        return values

    def _readable(self, values: Iterable[StoredT | StoreError]) -> Iterator[StoredT]:
        for value in values:
            if not isinstance(value, StoreError):
                yield value
            elif (known := hash(str(value))) not in self._unreadable:  # the same value is found again and again
                self._unreadable.add(known)
                log.warning("%r: what cannot be read is left alone: %s", self, value)

    async def _write(self, work: Callable[[Any], Any], change: Callable[[Any], StoreChange | None]) -> Any:
        """Run a job that writes, and report what it changed, even if the caller is cancelled."""

        def report(value: Any) -> None:
            if (changed := change(value)) is not None:
                self._report(changed)

        return await self._worker.submit(work, writes=True, on_success=None if self._observer is None else report)

    async def _prune(self, statement: str, before: datetime, change: Callable[[Any], StoreChange | None]) -> int:
        work = partial(self._database.delete_old, statement, to_microseconds(before), _PRUNED_AT_ONCE)
        pruned, count = 0, _PRUNED_AT_ONCE
        while count == _PRUNED_AT_ONCE:
            count = await self._write(work, change)
            pruned += count
        return pruned
