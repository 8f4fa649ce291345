"""Reading Plivo's list of recordings, which shows the ends of many recordings with a single request.

The list contains a recording when it has ended. Each reading begins some time before the end of the one before it, so
that recordings which Plivo lists late are found too. While few recordings are open and the list is long, they are
requested one by one instead.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from math import inf
from typing import Final

import attrs

from plivo_record_async.errors import PlivoRecordError, StoreError, UnknownStartError
from plivo_record_async.protocol.api.listing import Listing
from plivo_record_async.protocol.models import Recording
from plivo_record_async.protocol.recording.evidence import Evidence, RecordingFound
from plivo_record_async.protocol.recording.reconcile import match_rows
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.recording.schedule import OPEN_STATES, needs_plivo
from plivo_record_async.stores.paging import list_records
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.reconciling.recent_ids import RecentIds
from plivo_record_async.tracking.reconciling.reconciler import Reconciler
from plivo_record_async.tracking.reconciling.reconciliation_queue import ReconciliationQueue

__all__ = ["ListReader"]

_MIN_OVERLAP: Final = timedelta(minutes=1)
"""The shortest time that two readings have in common. The clocks of this machine and of Plivo may differ."""

_MAX_CANDIDATES: Final = 20
"""The most open recordings of one conference that are compared with a row."""

log: logging.Logger = logging.getLogger("plivo_record_async")

Apply = Callable[[FollowedRecording, Evidence], Awaitable[FollowedRecording]]


class ListReader:
    """Reads the rows that Plivo has added to its list, in one event loop.

    Args:
        ledger: The records.
        reconciler: Sends the requests.
        queue: Asks Plivo about single recordings.
        apply: A function that stores evidence and acts on its effects.
    """

    def __init__(self, ledger: Ledger, reconciler: Reconciler, queue: ReconciliationQueue, apply: Apply) -> None:
        self._ledger = ledger
        self._reconciler = reconciler
        self._queue = queue
        self._apply = apply
        self._last_reading = -inf
        self._read_until: datetime | None = None
        self._reading: _Reading | None = None
        self._pages = 1
        self._finished = RecentIds()
        self._unmatched = RecentIds()

    async def read(self) -> None:
        """Find the open recordings that have ended, if the list interval has passed since this was last done.

        Raises:
            StoreError: The store could not be read or written.
        """
        clocks, tracking = self._ledger.read(), self._ledger.tracking
        if clocks.steady - self._last_reading < min(tracking.list_interval, tracking.idle_backoff).total_seconds():
            return
        self._last_reading = clocks.steady
        try:
            await self._find_ended(self._reconciler.plivo_time() or clocks.wall)
        except StoreError:
            self._reading = None  # the rows of the last page are read again
            raise
        except PlivoRecordError:
            log.exception("Plivo's list of recordings could not be read; it will be read again after the list interval")

    async def _find_ended(self, began: datetime) -> None:
        """Find the open recordings that have ended before a time, in the list or, if that is cheaper, one by one."""
        if self._reading is not None:
            await self._read_pages(self._reading)
            return
        few: list[FollowedRecording] = []
        async for record in self._open():
            few.append(record)
            if len(few) == self._pages:
                self._reading = await self._begin_reading(began)
                await self._read_pages(self._reading)
                return
        self._pages = max(1, self._pages - 1)
        if await self._queue.reconcile_all(record.start_id for record in few if record.recording_id):
            self._read_until = began

    async def _open(self) -> AsyncGenerator[FollowedRecording]:
        """Yield the records of the recordings that are still followed and may have ended."""
        updated_after = self._ledger.now() - 2 * self._ledger.tracking.give_up_after
        async for record in list_records(self._ledger.store, states=OPEN_STATES, updated_after=updated_after):
            if record.due_at is not None and self._reconciler.owns(record):
                yield record

    async def _begin_reading(self, began: datetime) -> _Reading:
        """Return a reading that begins where the last one has ended, or else before the oldest open recording."""
        overlap = max(_MIN_OVERLAP, self._ledger.tracking.absence_grace)
        added_after = None if self._read_until is None else self._read_until - overlap
        beginning = added_after or min([self._reconciler.window(record).added_after async for record in self._open()])
        listing = Listing(added_after=beginning, now=self._ledger.now())
        return _Reading(listing=listing, began=began, is_first=added_after is None)

    async def _read_pages(self, reading: _Reading) -> None:
        """Read the pages of a reading that were not read yet. If one cannot be read, the next call continues there."""
        while reading.listing.request is not None:
            rows = reading.listing.take(await self._reconciler.send(reading.listing.request))
            reading.pages += 1
            for row in rows:
                with suppress(UnknownStartError):  # the start was forgotten meanwhile
                    await self._take(row)
        self._reading = None
        if not reading.is_first:
            self._pages = reading.pages
        if reading.listing.complete:
            self._read_until = reading.began

    async def _take(self, row: Recording) -> None:
        """Apply a row to the record with its ID, or compare it with the open recordings of its conference."""
        if row.recording_id is None or row.recording_id in self._finished:
            return
        record = await self._ledger.store.find("recording_id", row.recording_id)
        if record is None:
            if row.recording_id not in self._unmatched:
                self._unmatched.add(row.recording_id)
                await self._match(row)
        elif not self._is_open(record) or not self._is_open(await self._apply(record, RecordingFound(recording=row))):
            self._finished.add(row.recording_id)

    async def _match(self, row: Recording) -> None:
        """Apply a row to the recording that has its URL, or ask Plivo about recordings that may be the row's."""
        candidates = await self._ledger.store.records(
            states=OPEN_STATES, conference_name=row.conference_name or "", limit=_MAX_CANDIDATES
        )
        for record in candidates:
            if not record.is_polled or not self._reconciler.owns(record):
                continue
            if match_rows(record, [row], self._reconciler.window(record)).certain:
                await self._apply(record, RecordingFound(recording=row))
            elif record.recording_id is None:
                self._queue.add(record.start_id)

    def _is_open(self, record: FollowedRecording) -> bool:
        return record.ended is None and needs_plivo(record) and self._reconciler.owns(record)


@attrs.define(kw_only=True)
class _Reading:
    """One reading of the list.

    Attributes:
        listing: The pages.
        began: When the reading began, by Plivo's clock.
        is_first: Whether the list was not read before.
        pages: The number of pages that were read.
    """

    listing: Listing
    began: datetime
    is_first: bool
    pages: int = 0
