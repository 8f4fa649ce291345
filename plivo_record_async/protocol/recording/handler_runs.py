"""The runs of the user's handlers: which have succeeded, when the others run again, and when they are given up.

If all handlers of an event succeed the first time, nothing is stored about them. As soon as one of them fails or takes
too long, the record contains a `HandlerRun` for each handler of the event.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import attrs

from plivo_record_async.protocol.recording.evidence import EventName, HandlerProgress

__all__ = ["HandlerRun", "describe_failures", "drop_runs", "next_run", "next_runs", "unfinished_events", "update_runs"]


@attrs.frozen(kw_only=True)
class HandlerRun:
    """The runs of one handler for one event.

    Attributes:
        event: The name of the event.
        handler: The label of the handler.
        since: When this was first stored.
        failures: How often the handler has failed.
        error: A description of the last error. If None, the handler has succeeded or has not ended yet.
        due_at: When the handler runs again, unless its success is stored before. If None, the handler has succeeded or
            was given up.
    """

    event: EventName
    handler: str
    since: datetime
    failures: int = 0
    error: str | None = None
    due_at: datetime | None = None

    @property
    def given_up(self) -> bool:
        """Whether the handler has not succeeded and will not run again."""
        return self.due_at is None and self.error is not None

    def __str__(self) -> str:
        times = "once" if self.failures == 1 else f"{self.failures} times"
        what = f"failed {times}, the last time with {self.error}" if self.failures else "did not end"
        next_time = "was given up" if self.due_at is None else f"runs again at {self.due_at.isoformat()}"
        return f"handler {self.handler} of {self.event} {what}; it {next_time}"


Runs = tuple[HandlerRun, ...]


def update_runs(
    runs: Runs,
    progress: HandlerProgress,
    now: datetime,
    *,
    lease: timedelta,
    first_pause: timedelta,
    max_backoff: timedelta,
) -> Runs:
    """Return the runs after handlers of an event have succeeded, failed or begun.

    Args:
        runs: The runs before.
        progress: The progress of the handlers.
        now: The time (aware).
        lease: How long a handler may run before it is assumed to have died with its process.
        first_pause: The pause after the first failure. It doubles with each further failure.
        max_backoff: The longest pause.
    """
    by_handler = {run.handler: run for run in runs if run.event == progress.name}

    def run_of(handler: str) -> HandlerRun:
        return by_handler.get(handler) or HandlerRun(event=progress.name, handler=handler, since=now)

    for handler in sorted(progress.succeeded):
        by_handler[handler] = attrs.evolve(run_of(handler), error=None, due_at=None)
    for handler in sorted(progress.running - by_handler.keys()):
        by_handler[handler] = attrs.evolve(run_of(handler), due_at=now + lease)
    for handler, error in progress.failed:
        failures = run_of(handler).failures + 1
        due_at = now + _pause_after(failures, first_pause, max_backoff)
        by_handler[handler] = attrs.evolve(run_of(handler), failures=failures, error=error, due_at=due_at)
    return (*drop_runs(runs, progress.name), *by_handler.values())


def _pause_after(failures: int, first: timedelta, longest: timedelta) -> timedelta:
    pause = first
    for _ in range(failures - 1):
        if pause >= longest:
            break
        pause *= 2
    return max(first, min(pause, longest))


def next_runs(runs: Runs, now: datetime, *, lease: timedelta, give_up_after: timedelta) -> Runs:
    """Return the runs after the due handlers have been started again or given up.

    Args:
        runs: The runs before.
        now: The time (aware).
        lease: How long a handler may run before it is assumed to have died with its process.
        give_up_after: How long after its first failure a handler is given up.
    """

    def next_of(run: HandlerRun) -> HandlerRun:
        if run.due_at is None or run.due_at > now:
            return run
        if now - run.since > give_up_after:
            return attrs.evolve(run, due_at=None, error=run.error or "it did not end")
        return attrs.evolve(run, due_at=now + lease)

    return tuple([next_of(run) for run in runs])


def drop_runs(runs: Runs, event: EventName, *, except_given_up: bool = False) -> Runs:
    """Return the runs without those of an event.

    Args:
        runs: The runs before.
        event: The name of the event.
        except_given_up: Whether to keep the runs of handlers that were given up.
    """
    return tuple([run for run in runs if run.event != event or (except_given_up and run.given_up)])


def unfinished_events(unhandled: tuple[EventName, ...], runs: Runs) -> tuple[EventName, ...]:
    """Return the unhandled events that have a handler which runs again, or about whose handlers nothing is stored.

    Args:
        unhandled: The names of the unhandled events.
        runs: The runs.
    """
    stored = {run.event for run in runs}
    waiting = {run.event for run in runs if run.due_at is not None}
    return tuple([name for name in unhandled if name in waiting or name not in stored])


def next_run(runs: Runs, event: EventName) -> datetime | None:
    """Return when the first handler of an event runs again. If None, nothing is stored about its handlers.

    Args:
        runs: The runs.
        event: The name of the event.
    """
    return min((run.due_at for run in runs if run.event == event and run.due_at is not None), default=None)


def describe_failures(runs: Iterable[HandlerRun]) -> str | None:
    """Return which handlers have failed, and when they run again or that they were given up. If None, none has failed.

    Args:
        runs: The runs.
    """
    return "; ".join([str(run) for run in runs if run.error is not None]) or None
