"""A handler that records its events, and waiting for it."""

from __future__ import annotations

import asyncio

from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.tracking.handling.handlers import HandleableEvent
from tests.support.tracker.parts import TrackerParts

__all__ = ["RecordingHandler", "next_event", "wait_until_handled"]


class RecordingHandler:
    """A handler that keeps its events, raises the given errors first, and waits while ``go`` is not set."""

    def __init__(self, *failures: Exception) -> None:
        self.events: asyncio.Queue[HandleableEvent] = asyncio.Queue()
        self.failures = list(failures)
        self.times = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, record: FollowedRecording, event: HandleableEvent) -> None:
        self.times += 1
        await self.events.put(event)
        await self.go.wait()
        if self.failures:
            raise self.failures.pop(0)


async def next_event(handler: RecordingHandler) -> HandleableEvent:
    return await asyncio.wait_for(handler.events.get(), timeout=10)


async def wait_until_handled(its: TrackerParts, start_id: str = "start-1") -> FollowedRecording:
    """The record, once no event of it is unhandled."""
    async with asyncio.timeout(10):
        record = await its.ledger.get(start_id)
        while record.unhandled:
            record = await its.store.watch(start_id, version=record.version) or record
    return record
