"""The state of the user's handlers: when they run again, and when they are given up."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.recording.evidence import EventName, HandlerProgress
from plivo_record_async.protocol.recording.handler_runs import (
    HandlerRun,
    Runs,
    describe_failures,
    drop_runs,
    next_run,
    next_runs,
    unfinished_events,
    update_runs,
)
from tests.support.samples.recordings import NOW, SECOND

A = frozenset({"a"})
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def note(
    runs: Runs,
    now: datetime = NOW,
    *,
    done: frozenset[str] = frozenset(),
    failed: tuple[tuple[str, str], ...] = (),
    running: frozenset[str] = frozenset(),
) -> Runs:
    evidence = HandlerProgress(name="RecordingEnded", succeeded=done, failed=failed, running=running)
    return update_runs(runs, evidence, now, lease=MINUTE, first_pause=MINUTE, max_backoff=HOUR)


def due(runs: Runs, now: datetime) -> Runs:
    return next_runs(runs, now, lease=MINUTE, give_up_after=2 * DAY)


def by_name(runs: Runs) -> dict[str, HandlerRun]:
    return {run.handler: run for run in runs}


def test_failure_is_stored_with_the_state_of_the_other_handlers() -> None:
    runs = note((), done=A, failed=(("b", "ValueError: no"),), running=frozenset({"c"}))
    assert by_name(runs) == {
        "a": HandlerRun(event="RecordingEnded", handler="a", since=NOW),
        "b": HandlerRun(
            event="RecordingEnded", handler="b", since=NOW, failures=1, error="ValueError: no", due_at=NOW + MINUTE
        ),
        "c": HandlerRun(event="RecordingEnded", handler="c", since=NOW, due_at=NOW + MINUTE),
    }


def test_pauses_grow_from_the_first_to_the_longest() -> None:
    run, now, pauses = HandlerRun(event="RecordingEnded", handler="a", since=NOW), NOW, list[timedelta]()
    for _ in range(9):
        [run] = note((run,), now, failed=(("a", "no"),))
        assert run.due_at is not None
        pauses.append(run.due_at - now)
        now = run.due_at
    assert pauses == [1 * MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 16 * MINUTE, 32 * MINUTE, HOUR, HOUR, HOUR]
    assert run.failures == 9
    assert run.since == NOW


def test_a_longest_pause_below_the_first_does_not_shorten_the_first() -> None:
    evidence = HandlerProgress(name="RecordingEnded", failed=(("a", "no"),))
    [run] = update_runs((), evidence, NOW, lease=HOUR, first_pause=HOUR, max_backoff=MINUTE)
    assert run.due_at == NOW + HOUR


def test_handler_that_succeeds_at_last_has_no_error() -> None:
    failed = note((), failed=(("a", "no"), ("b", "nor this")))
    [a, b] = note(failed, NOW + MINUTE, done=A)
    assert (a.error, a.due_at, a.failures, a.given_up) == (None, None, 1, False)
    assert b == failed[1]
    assert describe_failures([a]) is None
    assert describe_failures([a, b]) == (
        "handler b of RecordingEnded failed once, the last time with nor this; it runs again at "
        "2026-03-01T12:01:00+00:00"
    )


def test_handler_noted_as_running_keeps_its_lease() -> None:
    runs = note((), running=A)
    assert note(runs, NOW + 30 * SECOND, running=A) == runs


def test_events_are_handled_independently() -> None:
    other = HandlerRun(event="ApiResponse", handler="a", since=NOW, failures=1, error="no", due_at=NOW)
    runs = note((other,), failed=(("a", "no"),))
    assert runs[0] == other
    assert runs[1].failures == 1
    assert drop_runs(runs, "RecordingEnded") == (other,)
    assert next_run(runs, "ApiResponse") == NOW
    assert next_run(runs, "RecordingEnded") == NOW + MINUTE
    assert next_run(runs, "TranscriptionEnded") is None


def test_due_handler_counts_as_running_again() -> None:
    runs = note((), done=A, failed=(("b", "no"),))
    assert due(runs, NOW + 59 * SECOND) == runs
    [a, b] = due(runs, NOW + MINUTE)
    assert (a, b.due_at) == (runs[0], NOW + 2 * MINUTE)


@pytest.mark.parametrize("failures", [0, 1, 7])
def test_handler_that_fails_for_too_long_is_given_up(failures: int) -> None:
    error = "no" if failures else None
    waiting = HandlerRun(event="RecordingEnded", handler="a", since=NOW, failures=failures, error=error, due_at=NOW)
    [still] = due((waiting,), NOW + 2 * DAY)
    assert still.due_at is not None
    [run] = due((waiting,), NOW + 2 * DAY + SECOND)
    assert (run.due_at, run.given_up) == (None, True)
    descriptions = {
        0: "did not end",
        1: "failed once, the last time with no",
        7: "failed 7 times, the last time with no",
    }
    assert describe_failures([run]) == f"handler a of RecordingEnded {descriptions[failures]}; it was given up"
    assert due((run,), NOW + 9 * DAY) == (run,)
    assert drop_runs((run, waiting), "RecordingEnded", except_given_up=True) == (run,)


def test_an_event_is_finished_when_no_handler_of_it_waits() -> None:
    done = HandlerRun(event="RecordingEnded", handler="a", since=NOW)
    waiting = HandlerRun(event="ApiResponse", handler="a", since=NOW, due_at=NOW)
    unhandled: tuple[EventName, ...] = ("RecordingEnded", "ApiResponse", "TranscriptionEnded")
    assert unfinished_events(unhandled, (done, waiting)) == ("ApiResponse", "TranscriptionEnded")


@given(st.lists(st.sampled_from(["done", "failed", "due"]), max_size=30))
def test_every_unfinished_handler_runs_again_or_is_given_up(story: list[str]) -> None:
    runs, now, done = note((), failed=(("a", "no"),)), NOW, False
    for what in story:
        [run] = runs
        now = run.due_at or now
        if what == "done":
            runs, done = note(runs, now, done=A), True
        elif what == "failed":
            runs, done = note(runs, now, failed=(("a", "no"),)), False
        else:
            runs = due(runs, now)
        [run] = runs
        assert (run.due_at is None) == (done or run.given_up)
