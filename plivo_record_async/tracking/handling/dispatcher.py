"""Running the user's handlers, each in a task of its own, and storing what became of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import attrs

from plivo_record_async import _clock
from plivo_record_async.protocol.recording.evidence import (
    EventHandled,
    EventName,
    Evidence,
    HandlerProgress,
    event_name,
)
from plivo_record_async.protocol.recording.handler_runs import HandlerRun
from plivo_record_async.protocol.recording.lifecycle import RunHandlers
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import TrackingPolicy
from plivo_record_async.tracking.handling.handlers import HandleableEvent, Handler, Handlers, describe_error, error_of
from plivo_record_async.tracking.tasks import BackgroundTasks

__all__ = ["EventRuns", "HandlerDispatcher"]

log = logging.getLogger("plivo_record_async")


@attrs.define(eq=False)
class EventRuns:
    """The handlers of one event of one recording, as they run in this process.

    Attributes:
        running: The tasks of the handlers that are running.
        succeeded: The handlers that have succeeded.
        given_up: The handlers that are not run again although they have not succeeded.
        noted: Whether the record already has runs for this event.
    """

    running: dict[str, asyncio.Task[None]] = attrs.field(factory=dict[str, "asyncio.Task[None]"])
    succeeded: set[str] = attrs.field(factory=set[str])
    given_up: set[str] = attrs.field(factory=set[str])
    noted: bool = False

    @property
    def finished(self) -> set[str]:
        """The handlers that are not to be run again."""
        return self.succeeded | self.given_up

    def ended(
        self, name: EventName, handlers: Mapping[str, Handler], label: str, error: BaseException | None
    ) -> EventHandled | HandlerProgress | None:
        """Note that a handler has ended.

        Args:
            name: The event.
            handlers: All handlers of the event.
            label: The handler that has ended.
            error: What the handler raised. If None, it succeeded.

        Returns:
            The evidence to store. If None, nothing has to be stored.
        """
        if error is None:
            self.succeeded.add(label)
        if handlers.keys() <= self.finished:
            return EventHandled(name=name)
        self.noted = self.noted or error is not None
        if not self.noted:
            return None
        failed = () if error is None else ((label, describe_error(error)),)
        return HandlerProgress(
            name=name, succeeded=frozenset(self.succeeded), failed=failed, running=frozenset(self.running)
        )


class HandlerDispatcher:
    """Runs the handlers of one process in one event loop.

    Args:
        handlers: The handlers that are registered.
        tracking: The intervals and timeouts.
        tasks: Owner of the tasks.
        apply_with_retry: Stores evidence, again and again until the store takes it.
    """

    def __init__(
        self,
        handlers: Handlers,
        tracking: TrackingPolicy,
        tasks: BackgroundTasks,
        apply_with_retry: Callable[[FollowedRecording, Evidence], Coroutine[Any, Any, None]],
    ) -> None:
        self._handlers = handlers
        self._tracking = tracking
        self._tasks = tasks
        self._apply_with_retry = apply_with_retry
        self._runs: dict[tuple[str, EventName], EventRuns] = {}

    def run(self, record: FollowedRecording, effect: RunHandlers) -> None:
        """Start those handlers of an event that are neither running nor to be skipped.

        Args:
            record: The recording.
            effect: The event, and the handlers to skip.
        """
        name = event_name(effect.event)
        handlers = self._handlers.of(name)
        if not handlers:
            self._leave_or_give_up(record, name)
            return
        runs = self._runs.setdefault((record.start_id, name), EventRuns())
        known = [run for run in record.handler_runs if run.event == name]
        runs.given_up.update(run.handler for run in known if run.given_up)
        runs.succeeded.update(run.handler for run in known if run.due_at is None and not run.given_up)
        runs.noted = bool(known)
        overdue = runs.running.keys() - effect.skip
        idle = handlers.keys() - runs.running.keys() - runs.finished - effect.skip
        for label in filter(idle.__contains__, handlers):  # in the order in which they were registered
            runs.running[label] = self._tasks.spawn(self._run(record, effect.event, label))
        if overdue and not known:
            runs.noted = True
            self._apply_later(record, HandlerProgress(name=name, running=frozenset(runs.running)))
        if not runs.running:
            del self._runs[record.start_id, name]
            if handlers.keys() <= runs.finished:  # the others belonged to an earlier version of the program
                self._apply_later(record, EventHandled(name=name))

    def give_up(self, record: FollowedRecording, run: HandlerRun) -> None:
        """Log that a handler is not run again, and cancel it if it is running.

        Args:
            record: The recording.
            run: How the handler stands.
        """
        log.error("start %s: %s", record.start_id, run)
        runs = self._runs.get((record.start_id, run.event))
        if runs is not None and run.handler in runs.running:
            runs.running[run.handler].cancel()

    async def _run(self, record: FollowedRecording, event: HandleableEvent, label: str) -> None:
        """Run one handler, and store how it ended if that has to be stored."""
        name = event_name(event)
        key: tuple[str, EventName] = (record.start_id, name)
        handlers, runs = self._handlers.of(name), self._runs[key]
        try:
            error = await error_of(handlers[label], record, event)
        finally:
            del runs.running[label]
            if not runs.running:
                del self._runs[key]
        if error is not None:
            text = "handler %s of %s failed for start %s; it is run again after a pause"
            log.error(text, label, name, record.start_id, exc_info=error)
        evidence = runs.ended(name, handlers, label, error)
        if evidence is not None:
            await self._apply_with_retry(record, evidence)

    def _leave_or_give_up(self, record: FollowedRecording, name: EventName) -> None:
        """Leave an event to a process that has handlers for it, and give the event up when that takes too long."""
        waited = _clock.now() - record.updated_at
        if waited > self._tracking.give_up_after:
            log.warning(
                "start %s: no process has run handlers for its %s for %s; the event is given up",
                record.start_id,
                name,
                waited,
            )
            self._apply_later(record, EventHandled(name=name))

    def _apply_later(self, record: FollowedRecording, evidence: Evidence) -> None:
        self._tasks.spawn(self._apply_with_retry(record, evidence))
