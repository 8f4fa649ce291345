"""A store that lives outside the package and was written from the documentation of its interface alone.

It keeps the JSON of records and orphans in dictionaries and looks at all of them to find one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from plivo_record_async import ClosedError, ConfigurationError
from plivo_record_async.protocol.callbacks.fields import named_ids
from plivo_record_async.protocol.recording.schedule import is_silent
from plivo_record_async.stores.encoding import decode, encode
from plivo_record_async.stores.interface import (
    MAX_ORPHANS_PER_START,
    MAX_ORPHANS_WITHOUT_START,
    FollowedRecording,
    Orphan,
    PlivoId,
)


class JsonStore:
    def __init__(self) -> None:
        self.records: dict[str, str] = {}
        self.kept_orphans: dict[str, str] = {}
        self.forgotten: dict[tuple[str, str | None], datetime] = {}
        self.waiting: set[asyncio.Future[None]] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.is_open = True

    async def open(self) -> None:
        self.is_open = True

    async def aclose(self) -> None:
        self.is_open = False
        self.end_watching()
        self.loop = None

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        self.enter()
        for kept in self.all_records():
            same_key = record.dedupe_key is not None and kept.dedupe_key == record.dedupe_key
            if kept.start_id == record.start_id or same_key:
                return kept
        self.records[record.start_id] = encode(record)
        return record

    async def get(self, start_id: str) -> FollowedRecording | None:
        self.enter()
        text = self.records.get(start_id)
        return None if text is None else decode(text, FollowedRecording)

    async def replace(self, record: FollowedRecording) -> bool:
        self.enter()
        kept = await self.get(record.start_id)
        if kept is None or kept.version != record.version - 1:
            return False
        self.records[record.start_id] = encode(record)
        self.wake()
        return True

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        self.enter()
        found = [record for record in self.all_records() if getattr(record, kind) == value]
        return min(found, key=lambda record: record.created_at, default=None)

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        self.enter()
        due = [(record.due_at, record) for record in self.all_records() if silent in {None, is_silent(record)}]
        times = [(at, record) for at, record in due if at is not None and at <= now]
        return [record for _, record in sorted(times, key=lambda each: each[0])[:limit]]

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        while (record := await self.get(start_id)) is not None and record.version == version:
            changed = asyncio.get_running_loop().create_future()
            self.waiting.add(changed)
            try:
                await changed
            finally:
                self.waiting.discard(changed)
        return record

    async def keep_orphan(self, orphan: Orphan) -> bool:
        self.enter()
        if orphan.digest in self.kept_orphans or not self.forgotten.keys().isdisjoint(ids_of(orphan)):
            return False
        self.kept_orphans[orphan.digest] = encode(orphan)
        same_start = [each for each in self.all_orphans() if each.start_id == orphan.start_id]
        most = MAX_ORPHANS_WITHOUT_START if orphan.start_id is None else MAX_ORPHANS_PER_START
        for oldest in same_start[:-most]:
            del self.kept_orphans[oldest.digest]
        return True

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        self.enter()
        return self.all_orphans()[::-1][:limit]

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        record = await self.get(start_id)
        ids = {("start_id", start_id)}
        if record is not None:
            found = {("api_id", record.api_id), ("recording_id", record.recording_id)}
            ids |= {(kind, value) for kind, value in found if value is not None}
        orphans = [orphan for orphan in self.all_orphans() if not ids.isdisjoint(ids_of(orphan))]
        if record is None and not orphans:
            return ("start_id", start_id) in self.forgotten
        self.delete([] if record is None else [record], orphans)
        self.forgotten |= dict.fromkeys(ids, now)
        return True

    async def prune(self, before: datetime) -> int:
        self.enter()
        records = [each for each in self.all_records() if each.due_at is None and each.updated_at < before]
        self.delete(records, [each for each in self.all_orphans() if each.received_at < before])
        self.forgotten = {key: at for key, at in self.forgotten.items() if at >= before}
        return len(records)

    async def check(self) -> None:
        self.enter()

    def enter(self) -> None:
        """Do what every call begins with."""
        if not self.is_open:
            raise ClosedError("the store is closed")
        loop = asyncio.get_running_loop()
        if self.loop is not loop:
            if self.loop is not None and self.loop.is_running():
                raise ConfigurationError("the store is in use in another event loop")
            self.end_watching()
            self.loop = loop

    def end_watching(self) -> None:
        self.resolve(lambda future: future.set_exception(ClosedError("the store was closed")))

    def wake(self) -> None:
        self.resolve(lambda future: future.set_result(None))

    def resolve(self, how: Callable[[asyncio.Future[Any]], None]) -> None:
        waiting, self.waiting = self.waiting, set()
        for future in waiting:
            if not future.done() and not future.get_loop().is_closed():
                how(future)

    def delete(self, records: Sequence[FollowedRecording], orphans: Sequence[Orphan]) -> None:
        for record in records:
            del self.records[record.start_id]
        for orphan in orphans:
            del self.kept_orphans[orphan.digest]
        self.wake()

    def all_records(self) -> list[FollowedRecording]:
        return [decode(text, FollowedRecording) for text in self.records.values()]

    def all_orphans(self) -> list[Orphan]:
        return [decode(text, Orphan) for text in self.kept_orphans.values()]


def ids_of(orphan: Orphan) -> set[tuple[str, str | None]]:
    return {("start_id", orphan.start_id), *named_ids(orphan.event.raw).items()}
