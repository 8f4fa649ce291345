"""Polling the store for due records, and renewing the leases of the starts that are being sent.

A record is due when its ``due_at`` has passed. It is read from the store only then, so memory contains few records,
however many there are. If several processes try to process a due record, one of them succeeds. Silent records, for
which asking Plivo is all that is left to do, are processed separately, as fast as the quota permits. They do not delay
others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress

from plivo_record_async.errors import UnknownStartError
from plivo_record_async.protocol.recording.evidence import Evidence, SendingContinued
from plivo_record_async.protocol.recording.lifecycle import Effect, Reconcile
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.recording.schedule import is_due
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.tracking.active_recordings import ActiveRecordings
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.reconciling.list_reader import ListReader
from plivo_record_async.tracking.reconciling.reconciliation_queue import MAX_CONCURRENT, ReconciliationQueue
from plivo_record_async.tracking.tasks import BackgroundTasks

__all__ = ["BATCH_SIZE", "Scheduler", "SendLeases"]

BATCH_SIZE = 25
"""How many records are processed together. A larger batch would keep the event loop from serving callbacks."""

log: logging.Logger = logging.getLogger("plivo_record_async")

Changed = tuple[FollowedRecording, Sequence[Effect]]
Act = Callable[[FollowedRecording, Sequence[Effect]], None]


class SendLeases:
    """The leases of the starts that this process is sending."""

    def __init__(self) -> None:
        self._records: dict[str, FollowedRecording] = {}
        self._none_held = asyncio.Event()
        self._none_held.set()

    def __bool__(self) -> bool:
        """Return whether a start is being sent."""
        return bool(self._records)

    @contextmanager
    def hold(self, record: FollowedRecording) -> Generator[None]:
        """Renew the lease of a start while the context is entered.

        Args:
            record: The record of the start.
        """
        self._records[record.start_id] = record
        self._none_held.clear()
        try:
            yield
        finally:
            del self._records[record.start_id]
            if not self._records:
                self._none_held.set()

    async def wait_until_none_is_held(self) -> None:
        """Wait until no start is being sent."""
        await self._none_held.wait()

    async def renew(
        self, ledger: Ledger, apply: Callable[[FollowedRecording, Evidence], Awaitable[FollowedRecording]]
    ) -> None:
        """Renew the leases that would expire within half of their duration.

        Args:
            ledger: The records.
            apply: A function that stores evidence and acts on its effects.

        Raises:
            StoreError: A renewal could not be stored.
        """
        half_time = ledger.now() + ledger.tracking.lease / 2
        for start_id, record in tuple(self._records.items()):
            if is_due(record, half_time):
                with suppress(UnknownStartError):  # the start was forgotten, so its outcome will not be stored either
                    renewed = await apply(record, SendingContinued())
                    if start_id in self._records:
                        self._records[start_id] = renewed


class Scheduler:
    """Polls the store and processes the due records.

    Args:
        ledger: The records.
        leases: The leases of the starts that are being sent.
        queue: The queue that asks Plivo.
        apply: A function that stores evidence and acts on its effects.
        act: A function that acts on the effects of a due record. It may do nothing, because the record becomes due
            again.
        list_reader: Reads Plivo's list. If None, the list is not read.
    """

    def __init__(
        self,
        ledger: Ledger,
        leases: SendLeases,
        queue: ReconciliationQueue,
        apply: Callable[[FollowedRecording, Evidence], Awaitable[FollowedRecording]],
        act: Act,
        *,
        list_reader: ListReader | None = None,
    ) -> None:
        self._ledger = ledger
        self._leases = leases
        self._queue = queue
        self._apply = apply
        self._act = act
        self._list_reader = list_reader

    def start(self, tasks: BackgroundTasks) -> None:
        """Begin to poll, in tasks that delay each other as little as possible.

        Args:
            tasks: The owner of the tasks.
        """
        for action in (self._renew_leases, self._process_due, self._reconcile_silent):
            tasks.spawn(self._repeat(action), droppable=True)
        if self._list_reader is not None:
            tasks.spawn(self._repeat(self._list_reader.read), droppable=True)
        if telemetry().is_recording:
            tasks.spawn(self._observe_active(), droppable=True)

    async def _observe_active(self) -> None:
        """Observe the number of active recordings while the tracker is open."""
        active = ActiveRecordings(self._ledger.store)
        with telemetry().observing_active(active.read):
            await self._repeat(active.count)

    async def _repeat(self, action: Callable[[], Awaitable[None]]) -> None:
        """Perform an action at every poll interval, even if it fails. A repeated error is logged once."""
        last_error = ""
        while True:
            try:
                with telemetry().without_span():  # the tracker may have been entered in a span
                    await action()
            except Exception as error:
                if repr(error) != last_error:
                    log.exception("polling the store failed; it will be polled again after the poll interval")
                last_error = repr(error)
            else:
                last_error = ""
            await self._ledger.sleep(self._ledger.tracking.poll_interval.total_seconds())

    async def _renew_leases(self) -> None:
        await self._leases.renew(self._ledger, self._apply)

    async def _process_due(self) -> None:
        async def act(changes: Sequence[Changed]) -> None:
            for record, effects in changes:
                self._act(record, effects)

        await self._apply_due(act, silent=False, batch_size=BATCH_SIZE)

    async def _reconcile_silent(self) -> None:
        async def reconcile(changes: Sequence[Changed]) -> None:
            await self._queue.reconcile_all([record.start_id for record, effects in changes if Reconcile() in effects])

        await self._apply_due(reconcile, silent=True, batch_size=MAX_CONCURRENT)

    async def _apply_due(
        self, act: Callable[[Sequence[Changed]], Awaitable[None]], *, silent: bool, batch_size: int
    ) -> None:
        """Process the due records in batches, until no record is due or other processes are processing them."""
        errors: dict[str, Exception] = {}
        while True:
            due = await self._ledger.store.due(self._ledger.due_time(), limit=batch_size + len(errors), silent=silent)
            batch = [record for record in due if record.start_id not in errors]
            results = await asyncio.gather(*map(self._ledger.apply_due, batch), return_exceptions=True)
            errors |= {
                record.start_id: result
                for record, result in zip(batch, results, strict=True)
                if isinstance(result, Exception)
            }
            await act([result for result in results if isinstance(result, tuple)])
            processed_elsewhere = results.count(None)
            if len(batch) < batch_size or 2 * processed_elsewhere > len(batch):
                break
        if errors:
            raise ExceptionGroup("some due records could not be processed", list(errors.values()))
