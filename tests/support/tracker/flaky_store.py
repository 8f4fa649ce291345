"""A memory store whose methods fail or wait where the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from plivo_record_async import MemoryStore, StoreError
from plivo_record_async.stores.interface import FollowedRecording, Orphan, PlivoId
from tests.support.samples.recordings import next_version, with_last_step_at

__all__ = ["EPOCH", "FlakyStore"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FlakyStore(MemoryStore):
    """A store whose methods fail, or make their callers wait, as the test says.

    Attributes:
        broken: The methods that raise before they do anything; ``created`` and ``replaced`` raise after the change.
        held: The methods that wait, and their events.
        calls: The methods that were called, in order.
        start_ids: The ids of the created starts, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.calls: list[str] = []
        self.start_ids: list[str] = []

    def hold(self, method: str) -> asyncio.Event:
        """Make callers of a method wait until the returned event is set."""
        self.held[method] = asyncio.Event()
        return self.held[method]

    async def prune_one(self, start_id: str) -> None:
        """Delete one record, even if work on it is due."""
        record = await super().get(start_id)
        assert record is not None
        await super().replace(with_last_step_at(next_version(record, due_at=None), EPOCH))
        assert await super().prune(EPOCH + timedelta(seconds=1)) == 1

    async def called(self, method: str, times: int = 1) -> None:
        """Wait until a method was called this many times."""
        async with asyncio.timeout(10):
            while self.calls.count(method) < times:
                await asyncio.sleep(0)

    async def _enter(self, method: str) -> None:
        self.calls.append(method)
        if method in self.held:
            await self.held[method].wait()
        if method in self.broken:
            raise StoreError(f"{method}: the disk is full")

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        await self._enter("create")
        kept = await super().create(record)
        if kept is record:
            self.start_ids.append(record.start_id)
        await self._enter("created")
        return kept

    async def get(self, start_id: str) -> FollowedRecording | None:
        await self._enter("get")
        return await super().get(start_id)

    async def replace(self, record: FollowedRecording) -> bool:
        await self._enter("replace")
        replaced = await super().replace(record)
        await self._enter("replaced")
        return replaced

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        await self._enter("find")
        return await super().find(kind, value)

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        await self._enter("due")
        return await super().due(now, limit=limit, silent=silent)

    async def keep_orphan(self, orphan: Orphan) -> bool:
        await self._enter("keep_orphan")
        return await super().keep_orphan(orphan)
