"""The dispatcher: which handlers run, when they run again, and what is stored of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import attrs
import pytest

from plivo_record_async import _clock
from plivo_record_async.protocol.recording.evidence import EventHandled, HandlerProgress
from plivo_record_async.protocol.recording.handler_runs import HandlerRun
from plivo_record_async.protocol.recording.lifecycle import apply
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.tracking.handling.dispatcher import LocalRuns
from plivo_record_async.tracking.handling.handlers import HandleableEvent, Handler
from tests.support.samples.recordings import ENDED, FAILED, TRANSCRIBED
from tests.support.tracker.flaky_store import FlakyStore
from tests.support.tracker.handlers import RecordingHandler, next_event, wait_until_handled
from tests.support.tracker.parts import SHORT_INTERVALS, other_tasks, tracker_parts
from tests.support.tracker.records import PATIENT, sending, unhandled
from tests.support.tracker.scripted_plivo import ScriptedPlivo


async def test_handler_runs_once_for_each_event() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        ends, failures = RecordingHandler(), RecordingHandler()
        its.follower.add_handler("RecordingEnded", ends)
        its.follower.add_handler("ApiResponse", failures)
        record = await its.store.create(sending(tracking=PATIENT))
        await its.follower.apply(record, FAILED)
        await its.follower.apply(record, ENDED)
        await its.follower.apply(record, ENDED)
        await its.follower.apply(record, TRANSCRIBED)
        assert (await next_event(ends), await next_event(failures)) == (ENDED, FAILED)
        assert (await wait_until_handled(its)).state == "transcribed"
        assert (ends.times, failures.times) == (1, 1)


@pytest.mark.parametrize("order", [1, -1])
async def test_only_the_handler_that_failed_runs_again(order: int, caplog: pytest.LogCaptureFixture) -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        good, bad = RecordingHandler(), RecordingHandler(ValueError("not yet"), KeyError("nor now"))
        its.follower.add_handler("RecordingEnded", *((good, "good"), (bad, "bad"))[order < 0])
        its.follower.add_handler("RecordingEnded", *((good, "good"), (bad, "bad"))[order > 0])
        await its.follower.enter()
        await its.follower.apply(await its.store.create(sending()), ENDED)
        record = await wait_until_handled(its)
        assert (good.times, bad.times) == (1, 3)
        assert (record.handler_runs, record.status.handler_error) == ((), None)
    assert "start start-1: handler bad of RecordingEnded failed; it runs again after a pause" in caplog.text
    assert "not yet" in caplog.text


class NoExceptionError(BaseException):
    """An exception that is not an `Exception`."""


async def cancelled_task() -> None:
    """Wait for a task of its own that was cancelled."""
    task = asyncio.create_task(asyncio.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    await task


async def several() -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(2):
            group.create_task(fail(ValueError(str(number))))


async def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("raise_it", "description"),
    [
        (cancelled_task, "CancelledError"),
        (partial(fail, asyncio.CancelledError("mine")), "CancelledError: mine"),
        (partial(fail, NoExceptionError("odd")), "NoExceptionError: odd"),
        (several, "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)"),
        (partial(fail, TimeoutError()), "TimeoutError"),
        (partial(fail, GeneratorExit()), "GeneratorExit"),
    ],
)
async def test_handler_runs_again_whatever_it_raises_and_the_others_run_once(
    raise_it: Callable[[], Awaitable[None]], description: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        before, after, times = RecordingHandler(), RecordingHandler(), list[int]()

        async def bad(_: FollowedRecording, __: HandleableEvent) -> None:
            times.append(1)
            if len(times) < 3:
                await raise_it()

        for handler, label in ((before, "before"), (bad, "bad"), (after, "after")):
            its.follower.add_handler("RecordingEnded", handler, label)
        await its.follower.enter()
        record = await its.follower.apply(await its.store.create(sending()), ENDED)
        noted = await its.store.watch("start-1", version=record.version)
        assert noted is not None
        assert description in str(noted.status.handler_error)
        assert {run.handler: run.failures for run in noted.handler_runs if run.error} == {"bad": 1}
        await wait_until_handled(its)
        assert (before.times, len(times), after.times) == (1, 3, 1)
    assert caplog.text.count("handler bad of RecordingEnded failed") == 2


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_handler_may_end_the_program(error: BaseException) -> None:
    async def end(_: FollowedRecording, __: HandleableEvent) -> None:
        raise error

    async def program() -> None:
        async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
            its.follower.add_handler("RecordingEnded", end)
            await its.follower.apply(await its.store.create(sending(tracking=PATIENT)), ENDED)
            await asyncio.sleep(10)

    with pytest.raises(type(error)):
        asyncio.run(program())


async def test_handler_that_never_ends_delays_no_other_and_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    tracking = attrs.evolve(SHORT_INTERVALS, give_up_after=timedelta(milliseconds=300))
    async with tracker_parts(ScriptedPlivo(), tracking=tracking) as its:
        endless, good, bad = (
            RecordingHandler(),
            RecordingHandler(),
            RecordingHandler(ValueError("not yet"), ValueError("nor now")),
        )
        endless.go.clear()
        for handler, label in ((endless, "endless"), (good, "good"), (bad, "bad")):
            its.follower.add_handler("RecordingEnded", handler, label)
        await its.follower.enter()
        await its.follower.apply(await its.store.create(sending(tracking=tracking)), ENDED)
        record = await wait_until_handled(its)
        assert (endless.times, good.times, bad.times) == (1, 1, 3)
        assert record.status.handler_error == "handler endless of RecordingEnded did not end; it was given up"
        assert record.due_at is None
        while its.follower._session.tasks.required_count:  # pyright: ignore[reportPrivateUsage]
            await asyncio.sleep(0)
    assert "start start-1: handler endless of RecordingEnded did not end; it was given up" in caplog.text


async def test_handler_that_closing_cancels_has_not_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = RecordingHandler()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        record = await its.follower.apply(await its.store.create(sending()), ENDED)
        await next_event(handler)
        await its.follower.aclose(grace=0)
        await its.store.open()
        assert await its.ledger.get("start-1") == record
        assert other_tasks() == set()
    assert caplog.text == ""


async def test_only_the_handlers_that_failed_run_again_after_a_restart() -> None:
    store = FlakyStore()
    async with tracker_parts(ScriptedPlivo(), store=store) as before:
        for handler, label in ((RecordingHandler(), "good"), (RecordingHandler(ValueError("no")), "bad")):
            before.follower.add_handler("RecordingEnded", handler, label)
        record = await before.follower.apply(await store.create(sending()), ENDED)
        assert await store.watch("start-1", version=record.version)
    async with tracker_parts(ScriptedPlivo(), store=store) as its:
        good, bad = RecordingHandler(), RecordingHandler()
        for handler, label in ((good, "good"), (bad, "bad")):
            its.follower.add_handler("RecordingEnded", handler, label)
        await its.follower.enter()
        assert (await wait_until_handled(its)).handler_runs == ()
        assert (good.times, bad.times) == (0, 1)


async def test_handler_of_an_earlier_version_of_the_program_is_not_waited_for() -> None:
    failed = unhandled()
    old = HandlerProgress(name="RecordingEnded", succeeded=frozenset({"kept"}), failed=(("old", "no"),))
    async with tracker_parts(ScriptedPlivo()) as its:
        kept = RecordingHandler()
        its.follower.add_handler("RecordingEnded", kept, "kept")
        await its.store.create(apply(failed, old, _clock.now(), SHORT_INTERVALS)[0])
        await its.follower.enter()
        await wait_until_handled(its)
        assert kept.times == 0


async def test_handler_that_was_given_up_stays_given_up_when_another_one_fails_and_succeeds() -> None:
    failed = unhandled()
    given_up = HandlerRun(event="RecordingEnded", handler="given up", since=failed.updated_at, failures=3, error="no")
    waiting = HandlerRun(event="RecordingEnded", handler="bad", since=failed.updated_at, due_at=failed.updated_at)
    async with tracker_parts(ScriptedPlivo()) as its:
        idle, bad = RecordingHandler(), RecordingHandler(ValueError("not yet"))
        its.follower.add_handler("RecordingEnded", idle, "given up")
        its.follower.add_handler("RecordingEnded", bad, "bad")
        await its.store.create(attrs.evolve(failed, handler_runs=(given_up, waiting)))
        await its.follower.enter()
        record = await wait_until_handled(its)
        assert (idle.times, bad.times) == (0, 2)
        assert record.handler_runs == (given_up,)
        assert record.status.handler_error == str(given_up)


async def test_event_that_a_crash_left_unhandled_is_handled() -> None:
    crashed = unhandled()
    assert crashed.unhandled == ("RecordingEnded",)
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = RecordingHandler()
        its.follower.add_handler("RecordingEnded", handler)
        await its.store.create(crashed)
        await its.follower.enter()
        assert await next_event(handler) == ENDED
        await wait_until_handled(its)
        assert handler.times == 1


async def test_slow_handler_does_not_run_twice_at_the_same_time() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = RecordingHandler()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        await its.follower.enter()
        record = await its.follower.apply(await its.store.create(sending()), ENDED)
        for _ in range(3):  # it comes due, again and again
            changed = await its.store.watch("start-1", version=record.version)
            assert changed is not None
            record = changed
        handler.go.set()
        await wait_until_handled(its)
        assert handler.times == 1


async def test_slow_handler_is_noted_in_the_record() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = RecordingHandler()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler, "slow")
        await its.follower.enter()
        record = await its.follower.apply(await its.store.create(sending()), ENDED)
        while not record.handler_runs:
            changed = await its.store.watch("start-1", version=record.version)
            assert changed is not None
            record = changed
        [run] = record.handler_runs
        assert (run.handler, run.failures, run.error, record.status.handler_error) == ("slow", 0, None, None)
        handler.go.set()
        await wait_until_handled(its)


async def test_success_of_a_handler_is_stored_although_the_store_fails_at_first() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        handler = RecordingHandler()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        await its.follower.apply(await its.store.create(sending(tracking=PATIENT)), ENDED)
        await next_event(handler)
        its.store.broken = {"replace"}
        handler.go.set()
        await its.store.called("replace", times=4)
        its.store.broken = set()
        await wait_until_handled(its)
        assert handler.times == 1


async def test_event_without_handlers_is_left_to_another_process() -> None:
    crashed = unhandled()
    async with tracker_parts(ScriptedPlivo()) as without:
        await without.store.create(crashed)
        await without.follower.enter()
        record = await without.store.watch("start-1", version=crashed.version)
        assert record is not None
        assert record.unhandled == ("RecordingEnded",)


async def test_event_that_no_process_handles_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    tracking = attrs.evolve(SHORT_INTERVALS, give_up_after=timedelta(milliseconds=150))
    async with tracker_parts(ScriptedPlivo(), tracking=tracking) as its:
        await its.store.create(unhandled(tracking=tracking))
        await its.follower.enter()
        assert (await wait_until_handled(its)).due_at is None
    assert "no process has run the handlers of its RecordingEnded" in caplog.text


HANDLERS: dict[str, Handler] = dict.fromkeys(("a", "b", "c"), RecordingHandler())


def ended(runs: LocalRuns, label: str, error: BaseException | None = None) -> EventHandled | HandlerProgress | None:
    runs.running.pop(label, None)
    return runs.note_end("RecordingEnded", HANDLERS, label, error)


async def test_nothing_is_stored_until_all_have_run_or_one_has_failed() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    runs = LocalRuns(running=dict.fromkeys(HANDLERS, task))
    assert ended(runs, "a") is None
    assert ended(runs, "b") is None
    assert ended(runs, "c") == EventHandled(name="RecordingEnded")
    runs = LocalRuns(running=dict.fromkeys(HANDLERS, task))
    assert ended(runs, "a") is None
    assert ended(runs, "b", ValueError("no")) == HandlerProgress(
        name="RecordingEnded", succeeded=frozenset("a"), failed=(("b", "ValueError: no"),), running=frozenset("c")
    )
    assert ended(runs, "c") == HandlerProgress(name="RecordingEnded", succeeded=frozenset("ac"))
    assert ended(runs, "b") == EventHandled(name="RecordingEnded")
    await task
