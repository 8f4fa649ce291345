"""Followed recordings in the memory of this process: for tests, and where a restart may forget."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from heapq import merge
from itertools import islice
from types import TracebackType
from typing import Self

from plivo_record_async._event_loop import LoopBinding
from plivo_record_async.errors import ClosedError
from plivo_record_async.protocol.callbacks.fields import named_ids
from plivo_record_async.protocol.recording.record import is_silent
from plivo_record_async.stores.id_hashes import id_hashes
from plivo_record_async.stores.interface import (
    ORPHANS_OF_A_START,
    ORPHANS_OF_NO_START,
    FollowedRecording,
    Orphan,
    PlivoId,
)

__all__ = ["MemoryStore"]

_PlivoIdValue = tuple[PlivoId, str]


class MemoryStore:
    """A ``Store`` that keeps everything in this process and loses it when the process ends.

    It serves one event loop after another, and keeps its recordings when it is closed and entered again.
    """

    def __init__(self) -> None:
        self._records: dict[str, FollowedRecording] = {}
        self._by_dedupe_key: dict[str, str] = {}
        self._by_plivo_id: defaultdict[_PlivoIdValue, set[str]] = defaultdict(set)
        self._plivo_ids: dict[str, tuple[_PlivoIdValue, ...]] = {}
        self._orphans: dict[str, Orphan] = {}
        self._digests: defaultdict[str | None, dict[str, None]] = defaultdict(dict)
        self._forgotten: dict[str, datetime] = {}
        self._due: dict[bool, list[tuple[datetime, str]]] = {True: [], False: []}
        self._watchers: dict[str, set[asyncio.Future[None]]] = {}
        self._binding = LoopBinding("MemoryStore()")
        self._closed = False

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Allow calls again after `aclose`; what was kept before is still there."""
        self._closed = False

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        """Keep a new record, or return the kept one with its ``start_id`` or ``dedupe_key``."""
        self._check_open()
        start_id = record.start_id
        if record.dedupe_key is not None:
            start_id = self._by_dedupe_key.get(record.dedupe_key, start_id)
        kept = self._records.get(start_id)
        return self._keep(record) if kept is None else kept

    async def get(self, start_id: str) -> FollowedRecording | None:
        """The record as it is now."""
        self._check_open()
        return self._records.get(start_id)

    async def replace(self, record: FollowedRecording) -> bool:
        """Keep a changed record, unless it was changed or forgotten in between."""
        self._check_open()
        kept = self._records.get(record.start_id)
        if kept is None or kept.version != record.version - 1:
            return False
        self._keep(record)
        return True

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        """The record with that id of Plivo's."""
        self._check_open()
        found = [self._records[start_id] for start_id in self._by_plivo_id.get((kind, value), ())]
        return min(found, key=lambda record: record.created_at, default=None)

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        """Return the records that are due by now."""
        self._check_open()
        kinds = (True, False) if silent is None else (silent,)
        due = [self._due[kind][: bisect_right(self._due[kind], now, key=_time)] for kind in kinds]
        return [self._records[start_id] for _, start_id in islice(merge(*due), limit)]

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        """Wait until the record is another version, or gone."""
        self._check_open()
        while (record := self._records.get(start_id)) is not None and record.version == version:
            changed = asyncio.get_running_loop().create_future()
            watchers = self._watchers.setdefault(start_id, set())
            watchers.add(changed)
            try:
                await changed
            finally:
                watchers.discard(changed)
                if not watchers and self._watchers.get(start_id) is watchers:
                    del self._watchers[start_id]
        return record

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep a callback that was not believed, once for each digest."""
        self._check_open()
        if orphan.digest in self._orphans or not self._forgotten.keys().isdisjoint(_id_hashes_of_orphan(orphan)):
            return False
        self._orphans[orphan.digest] = orphan
        digests = self._digests[orphan.start_id]
        digests[orphan.digest] = None
        if len(digests) > (ORPHANS_OF_NO_START if orphan.start_id is None else ORPHANS_OF_A_START):
            self._drop_orphan(self._orphans[next(iter(digests))])
        return True

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the orphans, the latest first."""
        self._check_open()
        return list(islice(reversed(self._orphans.values()), limit))

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        """Erase a record and its orphans, and remember that the start was forgotten."""
        self._check_open()
        record = self._records.get(start_id)
        hashes = id_hashes(
            start_id=start_id,
            api_id=None if record is None else record.api_id,
            recording_id=None if record is None else record.recording_id,
        )
        orphans = [
            orphan for orphan in self._orphans.values() if not set(hashes).isdisjoint(_id_hashes_of_orphan(orphan))
        ]
        if record is None and not orphans:
            return hashes[0] in self._forgotten
        for orphan in orphans:
            self._drop_orphan(orphan)
        if record is not None:
            self._forget(record)
            self._wake(start_id)
        self._forgotten |= dict.fromkeys(hashes, now)
        return True

    async def prune(self, before: datetime) -> int:
        """Delete records at rest and orphans that are older than ``before``."""
        self._check_open()
        old = [record for record in self._records.values() if record.due_at is None and record.updated_at < before]
        for record in old:
            self._forget(record)
            self._wake(record.start_id)
        for orphan in [orphan for orphan in self._orphans.values() if orphan.received_at < before]:
            self._drop_orphan(orphan)
        self._forgotten = {each: at for each, at in self._forgotten.items() if at >= before}
        return len(old)

    async def check(self) -> None:
        """Do nothing: memory can always be written."""
        self._check_open()

    async def aclose(self) -> None:
        """End all watching with `ClosedError`; nothing can be kept or read before it is entered again."""
        self._closed = True
        if not self._binding.is_forked:
            self._end_watching()
            self._binding.unbind()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("MemoryStore() is closed; enter it again with `async with` to go on using it")
        if self._binding.bind():
            self._end_watching()

    def _end_watching(self) -> None:
        watching, self._watchers = self._watchers, {}
        for changed in (future for futures in watching.values() for future in futures):
            with suppress(RuntimeError):  # the event loop is closed, and its waiters ended with it
                changed.get_loop().call_soon_threadsafe(_fail, changed)

    def _keep(self, record: FollowedRecording) -> FollowedRecording:
        self._schedule(record.start_id, record)
        self._records[record.start_id] = record
        if record.dedupe_key is not None:
            self._by_dedupe_key[record.dedupe_key] = record.start_id
        self._index(record.start_id, _plivo_ids(record))
        self._wake(record.start_id)
        return record

    def _forget(self, record: FollowedRecording) -> None:
        self._schedule(record.start_id, None)
        del self._records[record.start_id]
        if record.dedupe_key is not None:
            del self._by_dedupe_key[record.dedupe_key]
        self._index(record.start_id, ())

    def _drop_orphan(self, orphan: Orphan) -> None:
        del self._orphans[orphan.digest]
        digests = self._digests[orphan.start_id]
        del digests[orphan.digest]
        if not digests:
            del self._digests[orphan.start_id]

    def _schedule(self, start_id: str, record: FollowedRecording | None) -> None:
        """Let a record be due when it says so, and no longer when the kept one said."""
        kept = self._records.get(start_id)
        if kept is not None and kept.due_at is not None:
            entries = self._due[is_silent(kept)]
            del entries[bisect_left(entries, (kept.due_at, start_id))]
        if record is not None and record.due_at is not None:
            insort(self._due[is_silent(record)], (record.due_at, start_id))

    def _index(self, start_id: str, plivo_ids: tuple[_PlivoIdValue, ...]) -> None:
        """Let a record be found by these ids of Plivo's, and by no others."""
        before = self._plivo_ids.pop(start_id, ())
        if plivo_ids:
            self._plivo_ids[start_id] = plivo_ids
        if plivo_ids == before:
            return
        for key in before:
            self._by_plivo_id[key].discard(start_id)
            if not self._by_plivo_id[key]:
                del self._by_plivo_id[key]
        for key in plivo_ids:
            self._by_plivo_id[key].add(start_id)

    def _wake(self, start_id: str) -> None:
        for changed in self._watchers.get(start_id, ()):
            if not changed.done():
                changed.set_result(None)


def _time(entry: tuple[datetime, str]) -> datetime:
    return entry[0]


def _fail(changed: asyncio.Future[None]) -> None:
    if not changed.done():
        changed.set_exception(ClosedError("MemoryStore() was closed while it was watched"))


def _plivo_ids(record: FollowedRecording) -> tuple[_PlivoIdValue, ...]:
    ids: tuple[tuple[PlivoId, str | None], ...] = (("api_id", record.api_id), ("recording_id", record.recording_id))
    return tuple([(kind, value) for kind, value in ids if value is not None])


def _id_hashes_of_orphan(orphan: Orphan) -> tuple[str, ...]:
    ids = named_ids(orphan.event.raw)
    return id_hashes(start_id=orphan.start_id, api_id=ids.get("api_id"), recording_id=ids.get("recording_id"))
