"""Applies evidence to followed recordings and acts on what follows, in one event loop after another.

All that runs in the background belongs to the session of one event loop: the tasks, the handlers that are running, the
recordings that wait for Plivo to be asked, and the starts that are being sent. A new event loop gets a new session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any

from plivo_record_async import _clock
from plivo_record_async._event_loop import LoopBinding
from plivo_record_async.errors import ClosedError, StoreError, UnknownStartError
from plivo_record_async.protocol.recording.evidence import EventName, Evidence
from plivo_record_async.protocol.recording.lifecycle import Effect, GiveUpHandler, Reconcile, RunHandlers
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.tracking.dispatcher import HandlerDispatcher
from plivo_record_async.tracking.handlers import Handler, Handlers, label_of
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.reconciler import Reconciler
from plivo_record_async.tracking.reconciliation_queue import ReconciliationQueue
from plivo_record_async.tracking.scheduler import Scheduler, SendLeases
from plivo_record_async.tracking.tasks import BackgroundTasks

__all__ = ["Follower"]

MAX_PENDING = 1000
"""How many required tasks may be running, and recordings be waiting for Plivo to be asked, before the effects of due
records are left in the store, where they become due again."""

log = logging.getLogger("plivo_record_async")


class _Session:
    """What runs in one event loop.

    Attributes:
        entered: How many ``async with`` blocks have entered the tracker and not left it.
        tasks: The background tasks.
        leases: The starts that are being sent.
        dispatcher: Runs the handlers.
        queue: Asks Plivo.
        scheduler: Processes the records whose time has come.
    """

    def __init__(self, follower: Follower, ledger: Ledger, reconciler: Reconciler, handlers: Handlers) -> None:
        self.entered = 0
        self.tasks = BackgroundTasks()
        self.leases = SendLeases()
        self.dispatcher = HandlerDispatcher(handlers, ledger.tracking, self.tasks, follower.apply_with_retry)
        self.queue = ReconciliationQueue(ledger, reconciler, self.tasks, follower.apply, follower.request_again)
        self.scheduler = Scheduler(
            ledger, self.leases, self.queue, follower.apply, partial(follower.act, can_be_deferred=True)
        )

    async def close(self, *, grace: float) -> None:
        """Cancel the droppable tasks, wait up to ``grace`` seconds for starts and required tasks, and cancel the rest.

        What ends may start something else that must end too.
        """
        await self.tasks.cancel_droppable()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self.tasks.required or self.leases:
                    await self.leases.wait_until_none_is_held()
                    if required := self.tasks.required:
                        await asyncio.wait(required)
        await self.tasks.cancel_required()


class Follower:
    """Follows the recordings of one ledger.

    Args:
        ledger: The records.
        reconciler: Asks Plivo about one recording.
    """

    def __init__(self, ledger: Ledger, reconciler: Reconciler) -> None:
        self._ledger = ledger
        self._reconciler = reconciler
        self._handlers = Handlers()
        self._binding = LoopBinding("this tracker")
        self._session = self._new_session()
        self._closed = False

    # Opening and closing

    def ensure_open(self) -> None:
        """Refuse calls on a closed tracker, and from another event loop than the one in which it is in use.

        Raises:
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop, or was before this process was forked.
        """
        if self._closed:
            raise ClosedError("this tracker is closed; enter it again with `async with` to go on using it")
        self._current_session()

    async def open(self) -> None:
        """Start to process the records whose time has come.

        It may be called again after `aclose`, and in a new event loop once the old one has ended. It may also be called
        several times: the tracker closes when `leave` was called as often.

        Raises:
            StoreError: The store could not be read.
            ConfigurationError: The tracker is in use in another event loop, or was before this process was forked.
        """
        if self._binding.bind():
            self._session = self._new_session()
        session = self._session
        session.entered += 1
        if session.entered == 1:
            try:
                await self._ledger.store.open()
                await self._ledger.store.due(_clock.now(), limit=1, silent=False)
            except BaseException:
                session.entered = 0
                raise
            self._closed = False
            session.scheduler.start(session.tasks)

    async def leave(self, *, grace: float) -> None:
        """Close the tracker if this was called as often as `open`. A tracker that is closed already stays closed.

        Args:
            grace: As for `aclose`.
        """
        if self._closed:
            return
        session = self._current_session()
        session.entered -= 1
        if session.entered == 0:
            await self.aclose(grace=grace)

    async def aclose(self, *, grace: float) -> None:
        """Stop polling, wait for starts and handlers, and close the store. What is left to do stays in the store.

        Args:
            grace: The most seconds to wait.

        Raises:
            ConfigurationError: The tracker is in use in another event loop.
        """
        session = self._new_session() if self._binding.is_forked else self._current_session()
        try:
            await session.close(grace=grace)
        finally:
            self._closed = True
            await self._ledger.store.aclose()
            if not self._binding.is_forked:
                self._binding.unbind()

    def _new_session(self) -> _Session:
        return _Session(self, self._ledger, self._reconciler, self._handlers)

    def _current_session(self) -> _Session:
        """Return the session of the running event loop.

        Raises:
            ConfigurationError: The tracker is in use in another event loop, or was before this process was forked.
        """
        if not self._closed and self._binding.bind():
            self._session = self._new_session()
        return self._session

    # Applying evidence

    async def apply(self, record: FollowedRecording, evidence: Evidence) -> FollowedRecording:
        """Store one piece of evidence, and begin to act on its effects.

        Args:
            record: The record as it was last known. It need not be the newest.
            evidence: The evidence.

        Returns:
            The record as it is stored now.

        Raises:
            UnknownStartError: The store does not have the start any more.
            StoreError: The evidence could not be stored.
        """
        changed, effects = await self._ledger.apply(record, evidence)
        self.act(changed, effects)
        return changed

    async def apply_with_retry(self, record: FollowedRecording, evidence: Evidence) -> None:
        """Store evidence that nobody repeats: try again until the store takes it, is closed, or has lost the start.

        Args:
            record: The record as it was last known. It need not be the newest.
            evidence: The evidence.
        """
        while True:
            try:
                await self.apply(record, evidence)
            except UnknownStartError:
                return  # the start was deleted, or was never stored
            except ClosedError:
                log.exception(
                    "the outcome of start %s could not be stored, because the store is closed; Plivo is asked for it "
                    "when the store is open again",
                    record.start_id,
                )
                return
            except StoreError:
                log.exception(
                    "the outcome of start %s could not be stored; that is tried again in a moment", record.start_id
                )
            else:
                return
            await asyncio.sleep(self._ledger.tracking.poll_interval.total_seconds())

    def act(self, record: FollowedRecording, effects: Sequence[Effect], *, can_be_deferred: bool = False) -> None:
        """Begin to act on the effects of a change that is stored.

        Args:
            record: The record after the change.
            effects: What is to be done.
            can_be_deferred: Whether the record becomes due again if nothing is done now. If so, nothing is done while
                `MAX_PENDING` others are pending.
        """
        session = self._current_session()
        for effect in effects:
            match effect:
                case RunHandlers():
                    if not (can_be_deferred and session.tasks.required_count >= MAX_PENDING):
                        session.dispatcher.run(record, effect)
                case GiveUpHandler(run=run):
                    session.dispatcher.give_up(record, run)
                case Reconcile():
                    if not (can_be_deferred and session.queue.waiting_count >= MAX_PENDING):
                        session.queue.add(record.start_id)

    # What others ask for

    def add_handler(self, name: EventName, handler: Handler, label: str | None = None) -> None:
        """Run a handler for each event of a kind that is stored from now on.

        Args:
            name: The event.
            handler: The handler.
            label: The name of the handler in records and logs. If None, the name of its function or class.
        """
        self._handlers.add(name, handler, label or label_of(handler))
        self._ledger.events_with_handlers = self._handlers.events

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the background. Closing the tracker waits for it.

        Args:
            work: The coroutine.
        """
        self._current_session().tasks.spawn(work)

    def sending(self, record: FollowedRecording) -> AbstractContextManager[None]:
        """Keep the lease of a start alive while it is being sent. Closing the tracker waits for it.

        Args:
            record: The start.
        """
        return self._current_session().leases.hold(record)

    def request_reconciliation(self, start_id: str) -> None:
        """Ask Plivo about a recording because a callback about it was kept as an orphan, at most once a minute.

        Args:
            start_id: The start.
        """
        self._current_session().queue.request(start_id)

    def request_again(self, start_id: str) -> None:
        """Do what `request_reconciliation` does, unless the tracker was closed meanwhile.

        Args:
            start_id: The start.
        """
        if not self._closed:
            self.request_reconciliation(start_id)
