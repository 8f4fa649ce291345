"""Running the user's handlers, each in a task of its own, and storing how they ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
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
from plivo_record_async.telemetry.interface import Span
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.telemetry.names import Attribute
from plivo_record_async.tracking.handling.handlers import HandleableEvent, Handler, Handlers, describe_error, error_of
from plivo_record_async.tracking.tasks import BackgroundTasks

__all__ = ["HandlerDispatcher", "LocalRuns"]

log: logging.Logger = logging.getLogger("plivo_record_async")


@attrs.define(eq=False)
class LocalRuns:
    """The handlers of one event of one recording, in this process.

    Attributes:
        running: The tasks of the handlers that are running.
        succeeded: The handlers that have succeeded.
        given_up: The handlers that have not succeeded and will not run again.
        is_recorded: Whether the record has a `HandlerRun` for each handler of the event.
    """

    running: dict[str, asyncio.Task[None]] = attrs.field(factory=dict[str, "asyncio.Task[None]"])
    succeeded: set[str] = attrs.field(factory=set[str])
    given_up: set[str] = attrs.field(factory=set[str])
    is_recorded: bool = False

    @property
    def finished(self) -> set[str]:
        """The handlers that will not run again."""
        return self.succeeded | self.given_up

    def note_end(
        self, name: EventName, handlers: Mapping[str, Handler], label: str, error: BaseException | None
    ) -> EventHandled | HandlerProgress | None:
        """Note that a handler has ended.

        Args:
            name: The name of the event.
            handlers: All handlers of the event, by label.
            label: The label of the handler that has ended.
            error: The exception that the handler raised. If None, it succeeded.

        Returns:
            The evidence to store. If None, nothing has to be stored.
        """
        if error is None:
            self.succeeded.add(label)
        if handlers.keys() <= self.finished:
            return EventHandled(name=name)
        self.is_recorded = self.is_recorded or error is not None
        if not self.is_recorded:
            return None
        failed = () if error is None else ((label, describe_error(error)),)
        return HandlerProgress(
            name=name, succeeded=frozenset(self.succeeded), failed=failed, running=frozenset(self.running)
        )


class HandlerDispatcher:
    """Runs the handlers of one process in one event loop.

    Args:
        handlers: The registered handlers.
        tracking: The intervals and timeouts.
        tasks: The owner of the tasks in which the handlers run.
        apply_with_retry: A function that stores evidence and retries until it is stored.
    """

    def __init__(
        self,
        handlers: Handlers,
        tracking: TrackingPolicy,
        tasks: BackgroundTasks,
        apply_with_retry: Callable[[FollowedRecording, Evidence], Coroutine[Any, Any, None]],
        now: Callable[[], datetime] = _clock.now,
    ) -> None:
        self._handlers = handlers
        self._tracking = tracking
        self._tasks = tasks
        self._apply_with_retry = apply_with_retry
        self._now = now
        self._runs: dict[tuple[str, EventName], LocalRuns] = {}

    def run(self, record: FollowedRecording, effect: RunHandlers) -> None:
        """Start the handlers of an event, except those that are running or have to be skipped.

        Args:
            record: The recording.
            effect: The event, and the handlers to skip.
        """
        name = event_name(effect.event)
        handlers = self._handlers.of(name)
        if not handlers:
            self._leave_or_give_up(record, name)
            return
        runs = self._runs.setdefault((record.start_id, name), LocalRuns())
        known = [run for run in record.handler_runs if run.event == name]
        runs.given_up.update(run.handler for run in known if run.given_up)
        runs.succeeded.update(run.handler for run in known if run.due_at is None and not run.given_up)
        runs.is_recorded = bool(known)
        overdue = runs.running.keys() - effect.skip  # they have run for longer than the handler lease
        idle = handlers.keys() - runs.running.keys() - runs.finished - effect.skip
        for label in filter(idle.__contains__, handlers):  # in the order in which they were registered
            runs.running[label] = self._tasks.spawn(self._run(record, effect.event, label))
        if overdue and not known:
            runs.is_recorded = True
            self._apply_later(record, HandlerProgress(name=name, running=frozenset(runs.running)))
        if not runs.running:
            del self._runs[record.start_id, name]
            if handlers.keys() <= runs.finished:  # any other runs belong to handlers that are no longer registered
                self._apply_later(record, EventHandled(name=name))

    def give_up(self, record: FollowedRecording, run: HandlerRun) -> None:
        """Log that a handler was given up, and cancel it if it is running.

        Args:
            record: The recording.
            run: The runs of the handler.
        """
        log.error("start %s: %s", record.start_id, run)
        runs = self._runs.get((record.start_id, run.event))
        if runs is not None and run.handler in runs.running:
            runs.running[run.handler].cancel()

    async def _run(self, record: FollowedRecording, event: HandleableEvent, label: str) -> None:
        """Run one handler, and store how it ended, if necessary."""
        name = event_name(event)
        key: tuple[str, EventName] = (record.start_id, name)
        handlers, runs = self._handlers.of(name), self._runs[key]
        try:
            with self._span(record, name, label) as span:
                error = await error_of(handlers[label], record, event)
                if error is not None:
                    span.fail(error)
        finally:
            del runs.running[label]
            if not runs.running:
                del self._runs[key]
        if error is not None:
            text = "start %s: handler %s of %s failed; it runs again after a pause"
            log.error(text, record.start_id, label, name, exc_info=error)
        evidence = runs.note_end(name, handlers, label, error)
        if evidence is not None:
            await self._apply_with_retry(record, evidence)

    @staticmethod
    def _span(record: FollowedRecording, name: EventName, label: str) -> Span:
        attributes = {
            Attribute.START_ID: record.start_id,
            Attribute.API_ID: record.api_id,
            Attribute.RECORDING_ID: record.recording_id,
            Attribute.CONFERENCE_NAME: record.conference_name,
            Attribute.EVENT: name,
            Attribute.FUNCTION: label,
        }
        return telemetry().span("plivo.recording.handle", attributes, link=record.traceparent)

    def _leave_or_give_up(self, record: FollowedRecording, name: EventName) -> None:
        """Leave an event to the processes that have handlers for it, but give it up when none has run them in time."""
        waited = self._now() - record.updated_at
        if waited > self._tracking.give_up_after:
            log.warning(
                "start %s: no process has run the handlers of its %s within %s; they were given up",
                record.start_id,
                name,
                waited,
            )
            self._apply_later(record, EventHandled(name=name))

    def _apply_later(self, record: FollowedRecording, evidence: Evidence) -> None:
        self._tasks.spawn(self._apply_with_retry(record, evidence))
