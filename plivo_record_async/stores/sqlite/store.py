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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from plivo_record_async.errors import ClosedError, StoreError
from plivo_record_async.protocol.arguments import positive
from plivo_record_async.stores.encoding import StoredT, to_microseconds
from plivo_record_async.stores.interface import (
    ORPHANS_OF_A_START,
    ORPHANS_OF_NO_START,
    FollowedRecording,
    Orphan,
    PlivoId,
)
from plivo_record_async.stores.sqlite import queries
from plivo_record_async.stores.sqlite import statements as sql
from plivo_record_async.stores.sqlite.database import Database
from plivo_record_async.stores.sqlite.worker import BatchWorker

__all__ = ["SQLiteStore"]

_PRUNED_AT_ONCE: Final = 500
"""How many rows one transaction deletes at most, because other writers have to wait for it."""

log = logging.getLogger("plivo_record_async")


class SQLiteStore:
    """A ``Store`` in a file that the processes of one machine may share. A network file system is not suitable.

    The first call opens the file, and creates it if it does not exist. If the file is deleted or replaced while it is
    in use, this is noticed within a second: an ERROR is logged, and all calls raise `StoreError` until the file is back
    or the store was closed and entered again.

    One instance serves one event loop after another, and each process needs an instance of its own. When an event loop
    ends (``asyncio.run``), the file is closed; the next call in another event loop opens it again.

    Args:
        path: The file. Its directory must exist. A relative path is relative to the current directory of this moment.
        busy_timeout: How many seconds to wait while another process has the file locked, before `StoreError` is raised.

    Raises:
        ValueError: The path names no file, or the timeout is not positive.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = 5.0) -> None:
        self._path = os.fsdecode(path)
        if self._path in {"", ":memory:"} or "\0" in self._path:
            raise ValueError(f"path must name a file, not {path!r}; MemoryStore() keeps recordings in memory")
        if not Path(self._path).is_absolute():
            # As bytes, because tools that look for blocking calls take `os.getcwd` for one.
            self._path = str(Path(os.fsdecode(os.getcwdb()), self._path))  # noqa: PTH109
        self._database = Database(self._path, positive("busy_timeout", busy_timeout))
        self._worker = BatchWorker(self._database, repr(self))
        self._unreadable: set[int] = set()

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path!r})"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Allow calls again after `aclose`; the next one opens the file."""
        self._worker.open()

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        """Keep a new record, or return the kept one with its ``start_id`` or ``dedupe_key``."""
        kept: FollowedRecording = await self._worker.submit(
            partial(queries.create, record, sql.row(record)), writes=True
        )
        return kept

    async def get(self, start_id: str) -> FollowedRecording | None:
        """The record as it is now."""
        return await self._record(sql.GET, start_id)

    async def replace(self, record: FollowedRecording) -> bool:
        """Keep a changed record, unless it was changed or forgotten in between."""
        replaced: bool = await self._worker.submit(partial(self._database.replace, sql.row(record)), writes=True)
        return replaced

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        """The record with that id of Plivo's."""
        return await self._record(sql.BY_PLIVO_ID[kind], value)

    async def _record(self, query: str, key: str) -> FollowedRecording | None:
        record: FollowedRecording | None = await self._worker.submit(partial(queries.read_one, query, sql.column(key)))
        return record

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        """Return the records that are due by now; those that cannot be read are left to whoever can."""
        found: list[FollowedRecording] = []
        for offset in itertools.count(step=limit):
            page = await self._read(FollowedRecording, sql.DUE[silent], to_microseconds(now), limit, offset)
            found += self._readable(page)
            if len(page) < limit or len(found) >= limit:
                break
        return found[:limit]

    async def _read(self, cls: type[StoredT], query: str, *parameters: int) -> list[StoredT | StoreError]:
        values: list[StoredT | StoreError] = await self._worker.submit(
            partial(queries.read_each, cls, query, parameters)
        )
        return values

    def _readable(self, values: Iterable[StoredT | StoreError]) -> Iterator[StoredT]:
        for value in values:
            if not isinstance(value, StoreError):
                yield value
            elif (known := hash(str(value))) not in self._unreadable:  # it is met again and again
                self._unreadable.add(known)
                log.warning("%r: what cannot be read is left alone: %s", self, value)

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        """Wait until the record is another version, or gone."""
        changed: asyncio.Future[FollowedRecording | None] = asyncio.get_running_loop().create_future()
        key = sql.column(start_id)
        try:
            await self._worker.submit(partial(self._database.watch, key, version, changed))
            return await changed
        except asyncio.CancelledError:
            with suppress(ClosedError):  # nobody watches any more
                self._worker.submit(partial(self._database.unwatch, key, changed)).cancel()  # done, but not waited for
            raise

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep a callback that was not believed, once for each digest."""
        most = ORPHANS_OF_NO_START if orphan.start_id is None else ORPHANS_OF_A_START
        work = partial(queries.keep_orphan, sql.orphan_row(orphan), most)
        kept: bool = await self._worker.submit(work, writes=True)
        return kept

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the orphans, the latest first."""
        return list(self._readable(await self._read(Orphan, sql.LATEST_ORPHANS, limit)))

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        """Erase a record and its orphans, in the file and in its journal, and remember that the start was forgotten."""
        work = partial(self._database.forget, sql.column(start_id), to_microseconds(now))
        known: bool = await self._worker.submit(work, writes=True)
        if known:
            await self._worker.submit(partial(queries.empty_journal, self._path))
        return known

    async def prune(self, before: datetime) -> int:
        """Delete records at rest and orphans that are older than ``before``."""
        await self._prune(sql.PRUNE_ORPHANS, before)
        await self._prune(sql.PRUNE_FORGOTTEN, before)
        return await self._prune(sql.PRUNE, before)

    async def _prune(self, statement: str, before: datetime) -> int:
        """In slices, between which others have their turn."""
        pruned, count = 0, _PRUNED_AT_ONCE
        while count == _PRUNED_AT_ONCE:
            count = await self._worker.submit(
                partial(self._database.delete_old, statement, to_microseconds(before), _PRUNED_AT_ONCE), writes=True
            )
            pruned += count
        return pruned

    async def check(self) -> None:
        """Commit something that changes nothing."""
        await self._worker.submit(queries.rewrite_version, writes=True)

    async def aclose(self) -> None:
        """Finish what was begun, end all watching with `ClosedError`, close the file."""
        await self._worker.aclose()
