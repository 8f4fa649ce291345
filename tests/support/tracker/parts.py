"""The parts of a tracker, put together for one test, with intervals so short that nothing takes minutes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import attrs

from plivo_record_async import CallbackPolicy
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.tracking_policy import TrackingPolicy
from plivo_record_async.stores.interface import FollowedRecording, Store
from plivo_record_async.tracking.follower import Follower
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.reconciling.reconciler import Reconciler
from plivo_record_async.tracking.starter import Starter
from tests.support.tracker.flaky_store import FlakyStore
from tests.support.tracker.scripted_plivo import TOKEN, ScriptedPlivo

__all__ = ["PUBLIC_URL", "SHORT_INTERVALS", "TrackerParts", "other_tasks", "tracker_parts", "wait_for_state"]

PUBLIC_URL = "https://me.example/plivo"

SHORT_INTERVALS = TrackingPolicy(
    poll_interval=timedelta(milliseconds=10),
    lease=timedelta(milliseconds=200),
    confirm_within=timedelta(milliseconds=100),
    initial_backoff=timedelta(milliseconds=30),
    idle_backoff=timedelta(milliseconds=30),
    max_backoff=timedelta(milliseconds=100),
    absence_grace=timedelta(milliseconds=50),
    handler_lease=timedelta(milliseconds=100),
    give_up_after=timedelta(seconds=30),
)
"""A tracking policy whose intervals are fractions of a second instead of minutes."""


async def wait_for_state(store: Store, start_id: str, *states: RecordingState) -> FollowedRecording:
    """Wait, at most a minute, until a recording is in one of these states; return it."""
    async with asyncio.timeout(60):
        record = await store.get(start_id)
        while record is not None and record.state not in states:
            record = await store.watch(start_id, version=record.version)
    assert record is not None
    return record


@attrs.frozen(kw_only=True)
class TrackerParts:
    """The parts of a tracker, around a store that fails when the test says so."""

    store: FlakyStore
    ledger: Ledger
    follower: Follower
    starter: Starter


@asynccontextmanager
async def tracker_parts(
    plivo: ScriptedPlivo, *, tracking: TrackingPolicy = SHORT_INTERVALS, store: FlakyStore | None = None, **options: Any
) -> AsyncGenerator[TrackerParts]:
    """Make the parts of a tracker and close them at the end of the block; the test itself calls `Follower.enter`."""
    async with plivo.client(**options) as client:
        store = store or FlakyStore()
        ledger = Ledger(store=store, tracking=tracking)
        follower = Follower(ledger, Reconciler(client, store))
        starter = Starter(
            client=client,
            ledger=ledger,
            follower=follower,
            public_url=PUBLIC_URL,
            fragment=CallbackPolicy().fragment,
            auth_token=TOKEN,
            plivo_clock=client.plivo_clock,
        )
        try:
            yield TrackerParts(store=store, ledger=ledger, follower=follower, starter=starter)
        finally:
            await follower.aclose(grace=2)


def other_tasks() -> set[asyncio.Task[Any]]:
    """Return the running tasks, without that of the test itself."""
    return asyncio.all_tasks() - {task for task in [asyncio.current_task()] if task}
