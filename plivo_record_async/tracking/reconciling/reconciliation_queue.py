"""The queue of recordings that Plivo is asked about.

A few are processed at a time. If callbacks cause the reconciliation of a recording, it happens at most once a minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Final

from plivo_record_async.errors import UnknownStartError
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.evidence import Evidence, RecordingFound
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.recording.schedule import (
    BEING_SENT,
    UNRESOLVED_STATES,
    is_due,
    lacks_end,
    lacks_transcript,
    needs_plivo,
)
from plivo_record_async.stores.paging import list_records
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.telemetry.names import Attribute
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.reconciling.recent_ids import RecentIds
from plivo_record_async.tracking.reconciling.reconciler import Reconciler
from plivo_record_async.tracking.reconciling.transcript_reader import TranscriptReader
from plivo_record_async.tracking.tasks import BackgroundTasks
from plivo_record_async.transport.batch import run_many

__all__ = ["MAX_CONCURRENT", "MIN_INTERVAL", "ReconciliationQueue"]

MAX_CONCURRENT = 4
"""How many recordings are reconciled at the same time."""

MIN_INTERVAL = 60.0
"""Seconds between two reconciliations of one recording that callbacks cause, because outsiders may send callbacks."""

_ENDED_STATES: Final[frozenset[RecordingState]] = frozenset({"recorded", "transcribed"})

log: logging.Logger = logging.getLogger("plivo_record_async")


class ReconciliationQueue:
    """The recordings that are to be reconciled, in one event loop.

    Args:
        ledger: The records.
        reconciler: Asks Plivo about one recording.
        tasks: The owner of the tasks that reconcile.
        apply: A function that stores evidence and acts on its effects.
        request_again: A function that repeats a request when its interval is over, perhaps in a later event loop.
    """

    def __init__(
        self,
        ledger: Ledger,
        reconciler: Reconciler,
        tasks: BackgroundTasks,
        apply: Callable[[FollowedRecording, Evidence], Awaitable[FollowedRecording]],
        request_again: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._reconciler = reconciler
        self._tasks = tasks
        self._apply = apply
        self._request_again = request_again
        self._waiting: dict[str, bool] = {}  # whether to reconcile even if the end is known
        self._recent: dict[str, bool] = {}  # whether to reconcile again when the interval is over
        self._transcripts = TranscriptReader(ledger, reconciler, tasks, apply)
        self._matched = RecentIds()  # the start to which each row was matched
        self._workers = 0

    @property
    def waiting_count(self) -> int:
        """The number of recordings in the queue."""
        return len(self._waiting)

    def add(self, start_id: str, *, although_ended: bool = False) -> None:
        """Reconcile a recording as soon as a worker is free.

        Args:
            start_id: The ID of the start.
            although_ended: Whether to ask Plivo even if the end of the recording is known.
        """
        self._waiting[start_id] = although_ended or self._waiting.get(start_id, False)
        if self._workers < MAX_CONCURRENT:
            self._workers += 1
            self._tasks.spawn(self._work(), droppable=True)

    def request(self, start_id: str) -> None:
        """Reconcile a recording because a callback about it was kept as an orphan.

        Each recording is reconciled at most once in `MIN_INTERVAL` seconds. All requests within that time cause one
        reconciliation when it is over.

        Args:
            start_id: The ID of the start.
        """
        if start_id in self._recent:
            self._recent[start_id] = True
            return
        self._recent[start_id] = False
        asyncio.get_running_loop().call_later(MIN_INTERVAL, self._end_interval, start_id)
        self.add(start_id, although_ended=True)

    async def reconcile_all(self, start_ids: Iterable[str]) -> bool:
        """Reconcile several recordings concurrently, without waiting in the queue.

        Args:
            start_ids: The IDs of the starts.

        Returns:
            Whether Plivo could be asked about all of them.
        """
        return all(await asyncio.gather(*(self._reconcile(start_id, although_ended=False) for start_id in start_ids)))

    def _may_apply(self, record: FollowedRecording, evidence: Evidence) -> bool:
        """Return whether a row is not being matched to another start of the conference at the same moment."""
        row_id = evidence.recording.recording_id if isinstance(evidence, RecordingFound) else None
        if row_id is None or record.recording_id is not None:
            return True
        return self._matched.add(row_id, record.start_id) == record.start_id

    async def reconcile_unresolved(self) -> AsyncGenerator[FollowedRecording]:
        """Ask Plivo once about every recording that is not resolved, a few at a time.

        Yields:
            Each of these records as it is stored afterwards.

        Raises:
            StoreError: The store could not be read.
        """
        async with aclosing(run_many(self._unresolved(), self._resolve, concurrency=MAX_CONCURRENT)) as outcomes:
            async for outcome in outcomes:
                if not isinstance(outcome.error, UnknownStartError):  # otherwise, the start was forgotten meanwhile
                    yield outcome.unwrap()

    async def _unresolved(self) -> AsyncGenerator[FollowedRecording]:
        """Yield the records that lack something. Those that have ended long ago are not searched for transcripts."""
        store, oldest = self._ledger.store, self._ledger.now() - 2 * self._ledger.tracking.give_up_after
        for states, updated_after in ((UNRESOLVED_STATES, None), (_ENDED_STATES, oldest)):
            async for record in list_records(store, states=states, updated_after=updated_after):
                if (record.state in BEING_SENT or needs_plivo(record)) and self._reconciler.owns(record):
                    yield record

    async def _resolve(self, record: FollowedRecording) -> FollowedRecording:
        """Ask Plivo about a recording, and return its record as it is stored afterwards."""
        if record.state in BEING_SENT and is_due(record, self._ledger.due_time()):
            await self._ledger.apply_due(record)  # the process that was sending it has ended
        await self._reconcile(record.start_id, although_ended=False)
        return await self._ledger.get(record.start_id)

    def _end_interval(self, start_id: str) -> None:
        if self._recent.pop(start_id):
            self._request_again(start_id)

    async def _work(self) -> None:
        try:
            with telemetry().without_span():  # the callback that has started this task is not about all recordings
                while self._waiting:
                    start_id = next(iter(self._waiting))
                    await self._reconcile(start_id, although_ended=self._waiting.pop(start_id))
        finally:
            self._workers -= 1

    async def _ask(self, record: FollowedRecording) -> FollowedRecording:
        """Ask Plivo about the end of a recording, and return its record as it is stored afterwards."""
        evidence = await self._reconciler.reconcile(record, self._ledger.tracking)
        if evidence is not None and self._may_apply(record, evidence):
            return await self._apply(record, evidence)
        return record

    async def _reconcile(self, start_id: str, *, although_ended: bool) -> bool:
        """Reconcile a recording, and return whether Plivo could be asked about it, as far as that was necessary."""
        try:
            record = await self._ledger.get(start_id)  # the recording may have ended while it was in the queue
            if not self._reconciler.owns(record):
                return True  # the tracker of its account asks about it
            about_end = although_ended or record.state == "accepted" or lacks_end(record)
            if about_end or lacks_transcript(record):
                attributes = {Attribute.START_ID: start_id, Attribute.CONFERENCE_NAME: record.conference_name}
                with telemetry().span("plivo.recording.reconcile", attributes, link=record.traceparent) as span:
                    record = await (self._ask(record) if about_end else self._transcripts.ask(record))
                    span.set({Attribute.STATE: record.state, Attribute.RECORDING_ID: record.recording_id})
        except UnknownStartError:
            pass  # the start was forgotten meanwhile
        except Exception:
            log.exception("start %s: Plivo could not be asked about it; it will be asked again later", start_id)
            return False
        return True
