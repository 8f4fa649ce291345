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
    """A store that fails, or keeps its callers waiting, where it is told to.

    Attributes:
        broken: The verbs that raise: before anything is done; ``created`` and ``replaced`` after it was done.
        held: The verbs that wait, and for what.
        calls: The verbs that were called, in order.
        start_ids: The starts that were created, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.calls: list[str] = []
        self.start_ids: list[str] = []

    def hold(self, verb: str) -> asyncio.Event:
        """Keep callers of a verb waiting until the event is set."""
        self.held[verb] = asyncio.Event()
        return self.held[verb]

    async def prune_one(self, start_id: str) -> None:
        """Prune one record, whatever is left to do for it."""
        record = await super().get(start_id)
        assert record is not None
        await super().replace(with_last_step_at(next_version(record, due_at=None), EPOCH))
        assert await super().prune(EPOCH + timedelta(seconds=1)) == 1

    async def called(self, verb: str, times: int = 1) -> None:
        """Wait until a verb was called so often."""
        async with asyncio.timeout(10):
            while self.calls.count(verb) < times:
                await asyncio.sleep(0)

    async def _enter(self, verb: str) -> None:
        self.calls.append(verb)
        if verb in self.held:
            await self.held[verb].wait()
        if verb in self.broken:
            raise StoreError(f"{verb}: the disk is full")

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
