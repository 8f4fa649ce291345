"""Following recordings: evidence is applied to their records, and the effects are acted on.

Everything that runs in the background belongs to the session of one event loop: the tasks, the running handlers, the
queue of recordings that Plivo is asked about, and the leases of the starts that are being sent. Each event loop has its
own session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any

from plivo_record_async._event_loop import LoopBinding
from plivo_record_async.errors import ClosedError, StoreError, UnknownStartError
from plivo_record_async.protocol.recording.evidence import EventName, Evidence
from plivo_record_async.protocol.recording.lifecycle import Effect, GiveUpHandler, Reconcile, RunHandlers
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.tracking.handling.dispatcher import HandlerDispatcher
from plivo_record_async.tracking.handling.handlers import Handler, Handlers, label_of
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.reconciling.list_reader import ListReader
from plivo_record_async.tracking.reconciling.reconciler import Reconciler
from plivo_record_async.tracking.reconciling.reconciliation_queue import ReconciliationQueue
from plivo_record_async.tracking.scheduler import Scheduler, SendLeases
from plivo_record_async.tracking.tasks import BackgroundTasks

__all__ = ["Follower"]

MAX_PENDING = 1000
"""The most required tasks that may be running, and the most recordings that may be queued for reconciliation, before
the effects of due records are deferred. A deferred record becomes due again."""

log: logging.Logger = logging.getLogger("plivo_record_async")


class _Session:
    """Everything that belongs to one event loop.

    Attributes:
        entered: How many ``async with`` blocks have entered the tracker and not left it.
        tasks: The background tasks.
        leases: The leases of the starts that are being sent.
        dispatcher: Runs the handlers.
        queue: Asks Plivo about recordings.
        scheduler: Processes the due records.
    """

    def __init__(self, follower: Follower, ledger: Ledger, reconciler: Reconciler, handlers: Handlers) -> None:
        self.entered = 0
        self.tasks = BackgroundTasks()
        self.leases = SendLeases()
        self.dispatcher = HandlerDispatcher(
            handlers, ledger.tracking, self.tasks, follower.apply_with_retry, ledger.now
        )
        self.queue = ReconciliationQueue(ledger, reconciler, self.tasks, follower.apply, follower.request_again)
        self.scheduler = Scheduler(
            ledger,
            self.leases,
            self.queue,
            follower.apply,
            partial(follower.act, can_be_deferred=True),
            list_reader=ListReader(ledger, reconciler, self.queue, follower.apply) if follower.polls else None,
        )

    async def close(self, *, grace: float) -> None:
        """Cancel the droppable tasks, wait up to ``grace`` seconds for starts and required tasks, and cancel the rest.

        The wait is repeated, because a task that ends may have started another one.
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
    """Applies evidence to the records of one ledger and acts on the effects.

    Args:
        ledger: The records.
        reconciler: Asks Plivo about one recording.
        polls: Whether Plivo's list is read while recordings are open.
    """

    def __init__(self, ledger: Ledger, reconciler: Reconciler, *, polls: bool = False) -> None:
        self.polls = polls
        self._ledger = ledger
        self._reconciler = reconciler
        self._handlers = Handlers()
        self._binding = LoopBinding("this tracker")
        self._session = self._new_session()
        self._closed = False

    # Opening and closing

    def ensure_open(self) -> None:
        """Raise an error if the tracker is closed or belongs to another event loop.

        Raises:
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop, or was in use before this process was
                forked.
        """
        if self._closed:
            raise ClosedError("this tracker is closed. Enter it again with 'async with tracker:', and then call again.")
        self._current_session()

    async def enter(self) -> None:
        """Open the store and begin to process due records, unless the tracker was entered before.

        The tracker closes when `leave` has been called as often as this. It may be entered again after `aclose`, and in
        a new event loop after the previous one has ended.

        Raises:
            StoreError: The store could not be read.
            ConfigurationError: The tracker is in use in another event loop, or was in use before this process was
                forked.
        """
        if self._binding.bind():
            self._session = self._new_session()
        session = self._session
        session.entered += 1
        if session.entered == 1:
            try:
                await self._ledger.store.open()
                await self._ledger.store.due(self._ledger.now(), limit=1, silent=False)
            except BaseException:
                session.entered = 0
                raise
            self._closed = False
            session.scheduler.start(session.tasks)

    async def leave(self, *, grace: float) -> None:
        """Close the tracker if this has been called as often as `enter`. If the tracker is closed, do nothing.

        Args:
            grace: The maximum time to wait for handlers and starts, in seconds.

        Raises:
            ConfigurationError: The tracker is in use in another event loop.
        """
        if self._closed:
            return
        session = self._current_session()
        session.entered -= 1
        if session.entered == 0:
            await self.aclose(grace=grace)

    async def aclose(self, *, grace: float) -> None:
        """Stop polling, wait for starts and handlers, and close the store. Unfinished work is continued later.

        Args:
            grace: The maximum time to wait for handlers and starts, in seconds.

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
            ConfigurationError: The tracker is in use in another event loop, or was in use before this process was
                forked.
        """
        if not self._closed and self._binding.bind():
            self._session = self._new_session()
        return self._session

    # Applying evidence

    async def apply(self, record: FollowedRecording, evidence: Evidence) -> FollowedRecording:
        """Store one piece of evidence, and begin to act on its effects.

        Args:
            record: The record, which need not be the newest version.
            evidence: The evidence.

        Returns:
            The record as it is stored now.

        Raises:
            UnknownStartError: The record was pruned or forgotten meanwhile.
            StoreError: The evidence could not be stored.
        """
        changed, effects = await self._ledger.apply(record, evidence)
        self.act(changed, effects)
        return changed

    async def apply_with_retry(self, record: FollowedRecording, evidence: Evidence) -> None:
        """Store evidence that cannot be obtained again, and retry until it is stored.

        The retries end if the store is closed, or if the record was pruned or forgotten.

        Args:
            record: The record, which need not be the newest version.
            evidence: The evidence.
        """
        while True:
            try:
                await self.apply(record, evidence)
            except UnknownStartError:
                return  # the start was pruned or forgotten, or was never stored
            except ClosedError:
                log.exception(
                    "start %s: a change could not be stored, because the store is closed; the tracker continues to "
                    "follow it when it is entered again",
                    record.start_id,
                )
                return
            except StoreError:
                log.exception(
                    "start %s: a change could not be stored; the tracker retries after the poll interval",
                    record.start_id,
                )
            else:
                return
            await self._ledger.sleep(self._ledger.tracking.poll_interval.total_seconds())

    def act(self, record: FollowedRecording, effects: Sequence[Effect], *, can_be_deferred: bool = False) -> None:
        """Begin to act on the effects of a change that was stored.

        Args:
            record: The record after the change.
            effects: The effects.
            can_be_deferred: Whether the record becomes due again if nothing is done now. If so, an effect is deferred
                while `MAX_PENDING` others are pending.
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

    # Used by the other parts of the tracker

    def add_handler(self, name: EventName, handler: Handler, label: str | None = None) -> None:
        """Run a handler for each event with this name that is stored from now on.

        Args:
            name: The name of the event.
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
        """Renew the lease of a start while the context is entered. Closing the tracker waits for its end.

        Args:
            record: The record of the start.
        """
        return self._current_session().leases.hold(record)

    def request_reconciliation(self, start_id: str) -> None:
        """Reconcile a recording because a callback about it was kept as an orphan, at most once a minute.

        Args:
            start_id: The ID of the start.
        """
        self._current_session().queue.request(start_id)

    def reconcile_unresolved(self) -> AsyncGenerator[FollowedRecording]:
        """Ask Plivo once about every recording that is not resolved, and yield each record as it is afterwards."""
        return self._current_session().queue.reconcile_unresolved()

    def request_again(self, start_id: str) -> None:
        """Call `request_reconciliation`, unless the tracker was closed meanwhile.

        Args:
            start_id: The ID of the start.
        """
        if not self._closed:
            self.request_reconciliation(start_id)
