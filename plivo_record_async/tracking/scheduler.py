"""Which records need attention now: leases to renew, records whose time has come, recordings to ask Plivo about.

A record stays in the store until its time has come, so memory holds few of them, however many there are. Of several
processes that try to apply the passing of time to a record, one succeeds. Records that only wait until Plivo is asked
about them are processed as fast as Plivo may be asked, and delay no others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress

from plivo_record_async import _clock
from plivo_record_async.errors import UnknownStartError
from plivo_record_async.protocol.recording.evidence import Evidence, SendingContinued
from plivo_record_async.protocol.recording.lifecycle import Effect, Reconcile
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.recording.schedule import is_due
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.reconciliation_queue import MAX_CONCURRENT, ReconciliationQueue
from plivo_record_async.tracking.tasks import BackgroundTasks

__all__ = ["BATCH_SIZE", "Scheduler", "SendLeases"]

BATCH_SIZE = 25
"""How many records are processed together. With more, the event loop would not serve callbacks for milliseconds."""

log = logging.getLogger("plivo_record_async")

Changed = tuple[FollowedRecording, Sequence[Effect]]
Act = Callable[[FollowedRecording, Sequence[Effect]], None]


class SendLeases:
    """The starts that this process is sending, and whose leases it renews."""

    def __init__(self) -> None:
        self._records: dict[str, FollowedRecording] = {}
        self._none_held = asyncio.Event()
        self._none_held.set()

    def __bool__(self) -> bool:
        """Return whether a start is being sent."""
        return bool(self._records)

    @contextmanager
    def hold(self, record: FollowedRecording) -> Generator[None]:
        """Keep the lease of a start alive while it is being sent.

        Args:
            record: The start.
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
        """Renew the leases of which half the time is over.

        Args:
            ledger: The records.
            apply: Stores evidence and acts on its effects.

        Raises:
            StoreError: A renewal could not be stored.
        """
        half_time = _clock.now() + ledger.tracking.lease / 2
        for start_id, record in tuple(self._records.items()):
            if is_due(record, half_time):
                with suppress(UnknownStartError):  # the start was forgotten, and so will be its outcome
                    renewed = await apply(record, SendingContinued())
                    if start_id in self._records:
                        self._records[start_id] = renewed


class Scheduler:
    """Reads the store at every poll interval and processes the records whose time has come.

    Args:
        ledger: The records.
        leases: The starts that are being sent.
        queue: Asks Plivo.
        apply: Stores evidence and acts on its effects.
        act: Acts on the effects of a change that comes again if nothing is done.
    """

    def __init__(
        self,
        ledger: Ledger,
        leases: SendLeases,
        queue: ReconciliationQueue,
        apply: Callable[[FollowedRecording, Evidence], Awaitable[FollowedRecording]],
        act: Act,
    ) -> None:
        self._ledger = ledger
        self._leases = leases
        self._queue = queue
        self._apply = apply
        self._act = act

    def start(self, tasks: BackgroundTasks) -> None:
        """Begin to poll, in three tasks that delay each other as little as possible.

        Args:
            tasks: What owns the tasks.
        """
        for action in (self._renew_leases, self._process_due, self._reconcile_due):
            tasks.spawn(self._repeat(action), droppable=True)

    async def _repeat(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do something at every poll interval, whatever it raises. An error that stays the same is logged once."""
        last_error = ""
        while True:
            try:
                await action()
            except Exception as error:
                if repr(error) != last_error:
                    log.exception("following the recordings failed; it is tried again in a moment")
                last_error = repr(error)
            else:
                last_error = ""
            await asyncio.sleep(self._ledger.tracking.poll_interval.total_seconds())

    async def _renew_leases(self) -> None:
        await self._leases.renew(self._ledger, self._apply)

    async def _process_due(self) -> None:
        async def act(changes: Sequence[Changed]) -> None:
            for record, effects in changes:
                self._act(record, effects)

        await self._apply_due(act, silent=False, batch_size=BATCH_SIZE)

    async def _reconcile_due(self) -> None:
        async def reconcile(changes: Sequence[Changed]) -> None:
            await self._queue.reconcile_all([record.start_id for record, effects in changes if Reconcile() in effects])

        await self._apply_due(reconcile, silent=True, batch_size=MAX_CONCURRENT)

    async def _apply_due(
        self, act: Callable[[Sequence[Changed]], Awaitable[None]], *, silent: bool, batch_size: int
    ) -> None:
        """Process the due records in batches until none is left that this process can process."""
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
            others = results.count(None)  # records that another process has processed
            if len(batch) < batch_size or 2 * others > len(batch):
                break
        if errors:
            raise ExceptionGroup("some records whose time has come could not be processed", list(errors.values()))
