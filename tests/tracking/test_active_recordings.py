"""The number of active recordings is counted only while somebody reads it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from plivo_record_async import MemoryStore
from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.testing.store_contract.samples import record_in
from plivo_record_async.tracking.active_recordings import ActiveRecordings
from tests.support.tracker.flaky_store import FlakyStore

NONE = {"planned": 0, "sending": 0, "accepted": 0, "started": 0, "unknown": 0, "unconfirmed": 0}


async def test_recordings_are_counted_after_each_reading() -> None:
    store = FlakyStore()
    active = ActiveRecordings(store)
    await active.count()
    assert active.read() == {}
    await store.create(record_in("unknown"))
    await active.count()
    assert active.read() == NONE | {"unknown": 1}


class UnreadableStore(MemoryStore):
    async def counts(self) -> Mapping[RecordingState, int]:
        raise StoreError("the disk is full")


async def test_store_is_not_read_unless_somebody_has_asked() -> None:
    active = ActiveRecordings(UnreadableStore())
    await active.count()
    active.read()
    with pytest.raises(StoreError):
        await active.count()


async def test_recordings_that_have_ended_are_not_active() -> None:
    store = FlakyStore()
    await store.create(record_in("recorded"))
    active = ActiveRecordings(store)
    active.read()
    await active.count()
    assert active.read() == NONE
