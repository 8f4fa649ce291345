"""Followed recordings in an SQLite file: durable, and shared by the processes of one machine.

One thread has the file. All writes that wait when a round begins share one transaction, so the more callers write at
once, the less each pays for the disk. What is read is decoded there too: one record after another costs half of what
each costs among everything else that an event loop does.
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
from plivo_record_async.stores.encoding import T, micros
from plivo_record_async.stores.interface import (
    ORPHANS_OF_A_START,
    ORPHANS_OF_NO_START,
    FollowedRecording,
    Orphan,
    PlivoId,
)
from plivo_record_async.stores.sqlite import statements as sql
from plivo_record_async.stores.sqlite.database import File, create, keep_orphan, read_each, read_one, rewrite
from plivo_record_async.stores.sqlite.worker import Rounds

__all__ = ["SQLiteStore"]

_SLICE: Final = 500
"""What is pruned in one round, at most: a transaction keeps the file from all other writers."""

log = logging.getLogger("plivo_record_async")


class SQLiteStore:
    """A `Store` in a file. Processes of one machine may share it; a network file system is no place for it.

    The file is opened, and made if need be, with the first call. If it is deleted or replaced while it is in use, that
    is noticed within a second: an ERROR is logged, and all calls raise `StoreError` until the file is back or the store
    was closed and entered again.

    One instance serves one event loop after another, and each process needs its own. A loop that ends (``asyncio.run``)
    closes the file; the next call in another loop opens it again.

    Args:
        path: The file; its directory must exist. A relative path is meant from the directory that is current now.
        busy_timeout: Seconds to wait while another process has the file locked, before `StoreError`.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = 5.0) -> None:
        self._path = os.fsdecode(path)
        if self._path in {"", ":memory:"} or "\0" in self._path:
            raise ValueError(f"path must name a file, not {path!r}; MemoryStore() keeps recordings in memory")
        if not Path(self._path).is_absolute():
            # As bytes, because tools that look for blocking calls take `os.getcwd` for one.
            self._path = str(Path(os.fsdecode(os.getcwdb()), self._path))  # noqa: PTH109
        self._file = File(self._path, positive("busy_timeout", busy_timeout))
        self._rounds = Rounds(self._file, repr(self))
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
        self._rounds.open()

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        """Keep a new record, or return the kept one with its ``start_id`` or ``dedupe_key``."""
        kept: FollowedRecording = await self._rounds.ask(partial(create, record, sql.row(record)), writes=True)
        return kept

    async def get(self, start_id: str) -> FollowedRecording | None:
        """The record as it is now."""
        return await self._record(sql.GET, start_id)

    async def replace(self, record: FollowedRecording) -> bool:
        """Keep a changed record, unless it was changed or forgotten in between."""
        replaced: bool = await self._rounds.ask(partial(self._file.replace, sql.row(record)), writes=True)
        return replaced

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        """The record with that id of Plivo's."""
        return await self._record(sql.BY_PLIVO_ID[kind], value)

    async def _record(self, query: str, key: str) -> FollowedRecording | None:
        record: FollowedRecording | None = await self._rounds.ask(partial(read_one, query, sql.column(key)))
        return record

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        """Return the records that are due by now; those that cannot be read are left to whoever can."""
        found: list[FollowedRecording] = []
        for offset in itertools.count(step=limit):
            page = await self._read(FollowedRecording, sql.DUE[silent], micros(now), limit, offset)
            found += self._readable(page)
            if len(page) < limit or len(found) >= limit:
                break
        return found[:limit]

    async def _read(self, cls: type[T], query: str, *parameters: int) -> list[T | StoreError]:
        values: list[T | StoreError] = await self._rounds.ask(partial(read_each, cls, query, parameters))
        return values

    def _readable(self, values: Iterable[T | StoreError]) -> Iterator[T]:
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
            await self._rounds.ask(partial(self._file.watch, key, version, changed))
            return await changed
        except asyncio.CancelledError:
            with suppress(ClosedError):  # nobody watches any more
                self._rounds.ask(partial(self._file.unwatch, key, changed)).cancel()  # done, but not waited for
            raise

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep a callback that was not believed, once for each digest."""
        most = ORPHANS_OF_NO_START if orphan.start_id is None else ORPHANS_OF_A_START
        work = partial(keep_orphan, sql.orphan_row(orphan), most)
        kept: bool = await self._rounds.ask(work, writes=True)
        return kept

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the orphans, the latest first."""
        return list(self._readable(await self._read(Orphan, sql.LATEST_ORPHANS, limit)))

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        """Erase a record and its orphans, in the file and in its journal, and remember that the start was forgotten."""
        work = partial(self._file.forget, sql.column(start_id), micros(now))
        known: bool = await self._rounds.ask(work, writes=True)
        if known:
            await self._rounds.ask(self._file.empty_journal)
        return known

    async def prune(self, before: datetime) -> int:
        """Delete records at rest and orphans that are older than ``before``."""
        await self._prune(sql.PRUNE_ORPHANS, before)
        await self._prune(sql.PRUNE_FORGOTTEN, before)
        return await self._prune(sql.PRUNE, before)

    async def _prune(self, statement: str, before: datetime) -> int:
        """In slices, between which others have their turn."""
        pruned, count = 0, _SLICE
        while count == _SLICE:
            count = await self._rounds.ask(partial(self._file.prune, statement, micros(before), _SLICE), writes=True)
            pruned += count
        return pruned

    async def check(self) -> None:
        """Commit something that changes nothing."""
        await self._rounds.ask(rewrite, writes=True)

    async def aclose(self) -> None:
        """Finish what was begun, end all watching with `ClosedError`, close the file."""
        await self._rounds.aclose()
