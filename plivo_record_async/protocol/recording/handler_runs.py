"""How the user's handlers of a recording's events stand, when they run again, and when they are given up.

Nothing is noted of an event whose handlers all run to their end the first time. As soon as one of them fails, or takes
too long, there is one `HandlerRun` for each handler of that event.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import attrs

from plivo_record_async.protocol.recording.evidence import EventName, HandlersEnded

__all__ = ["HandlerRun", "come_due", "described", "next_run", "noted", "unfinished", "without"]


@attrs.frozen(kw_only=True)
class HandlerRun:
    """How one handler of an event stands.

    Attributes:
        event: The event.
        handler: The handler's name.
        since: When it was first noted.
        failures: How often it has failed.
        error: What it raised last, in words; None if it has run to its end, or has not ended yet.
        due_at: When it has to be run again: after a pause, or because nobody has told of its end by then. None if it
            has run to its end or was given up.
    """

    event: EventName
    handler: str
    since: datetime
    failures: int = 0
    error: str | None = None
    due_at: datetime | None = None

    @property
    def given_up(self) -> bool:
        """Whether it is not run again although it has not run to its end."""
        return self.due_at is None and self.error is not None

    def __str__(self) -> str:
        times = "once" if self.failures == 1 else f"{self.failures} times"
        what = f"failed {times}, the last time with {self.error}" if self.failures else "did not end"
        next_time = "was given up" if self.due_at is None else f"runs again at {self.due_at.isoformat()}"
        return f"handler {self.handler} of {self.event} {what}; it {next_time}"


Runs = tuple[HandlerRun, ...]


def noted(runs: Runs, ended: HandlersEnded, now: datetime, *, lease: timedelta, longest: timedelta) -> Runs:
    """Note how the handlers of an event stand.

    Args:
        runs: What was noted before.
        ended: How they stand.
        now: The time.
        lease: How long a handler may run before it counts as dead; also the pause after its first failure, which is
            doubled with each further one.
        longest: The longest pause.
    """
    by_handler = {run.handler: run for run in runs if run.event == ended.name}

    def note(handler: str) -> HandlerRun:
        return by_handler.get(handler) or HandlerRun(event=ended.name, handler=handler, since=now)

    for handler in sorted(ended.done):
        by_handler[handler] = attrs.evolve(note(handler), error=None, due_at=None)
    for handler in sorted(ended.running - by_handler.keys()):
        by_handler[handler] = attrs.evolve(note(handler), due_at=now + lease)
    for handler, error in ended.failed:
        failures = note(handler).failures + 1
        due_at = now + _pause_after(failures, lease, longest)
        by_handler[handler] = attrs.evolve(note(handler), failures=failures, error=error, due_at=due_at)
    return (*without(runs, ended.name), *by_handler.values())


def _pause_after(failures: int, first: timedelta, longest: timedelta) -> timedelta:
    pause = first
    for _ in range(failures - 1):
        if pause >= longest:
            break
        pause *= 2
    return max(first, min(pause, longest))


def come_due(runs: Runs, now: datetime, *, lease: timedelta, give_up_after: timedelta) -> Runs:
    """Let the handlers whose time has come count as running again, or give them up.

    Args:
        runs: What is noted.
        now: The time.
        lease: How long they may run before they count as dead.
        give_up_after: How long after its first failure a handler is run again.
    """

    def due(run: HandlerRun) -> HandlerRun:
        if run.due_at is None or run.due_at > now:
            return run
        if now - run.since > give_up_after:
            return attrs.evolve(run, due_at=None, error=run.error or "it did not end")
        return attrs.evolve(run, due_at=now + lease)

    return tuple([due(run) for run in runs])


def without(runs: Runs, event: EventName, *, but_given_up: bool = False) -> Runs:
    """Drop what is noted of an event, all or all but the handlers that were given up."""
    return tuple([run for run in runs if run.event != event or (but_given_up and run.given_up)])


def unfinished(unhandled: tuple[EventName, ...], runs: Runs) -> tuple[EventName, ...]:
    """Of the events that are unhandled, those of which a handler is still to run, or nothing is noted."""
    known = {run.event for run in runs}
    waiting = {run.event for run in runs if run.due_at is not None}
    return tuple([name for name in unhandled if name in waiting or name not in known])


def next_run(runs: Runs, event: EventName) -> datetime | None:
    """When the first of an event's handlers has to be run again. None if nothing is noted of them."""
    return min((run.due_at for run in runs if run.event == event and run.due_at is not None), default=None)


def described(runs: Iterable[HandlerRun]) -> str | None:
    """Which handlers have failed and what comes of it, in words. None if none has."""
    return "; ".join([str(run) for run in runs if run.error is not None]) or None
