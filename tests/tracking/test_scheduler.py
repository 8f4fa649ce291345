"""What is due is looked after, what is silent is asked about, and whoever wants to know is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import cast

import attrs
import httpx
import pytest

from plivo_record_async import ClosedError, StoreError, _clock
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.protocol.recording.evidence import HandlersEnded, SendingBegan, StartAccepted, StartUnanswered
from plivo_record_async.protocol.recording.lifecycle import Reconcile, apply, plan
from plivo_record_async.protocol.recording.record import status_of
from plivo_record_async.protocol.recording.tracking_policy import TrackingPolicy
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.tracking import scheduler as follower
from plivo_record_async.tracking.handlers import HandledEvent
from plivo_record_async.tracking.scheduler import ASK_PAUSE, BATCH, LOOKERS
from tests.support.samples.recordings import ENDED, FAILED, TRANSCRIBED, recording
from tests.support.tracker.flaky_store import EPOCH, FlakyStore
from tests.support.tracker.parts import SHORT_INTERVALS, TrackerParts, other_tasks, tracker_parts, wait_for_state
from tests.support.tracker.scripted_plivo import ScriptedPlivo
from tests.support.virtual_time import run

ANSWERED = StartAccepted(words="202", api_id="api-1")
DOUBTFUL = StartUnanswered(words="read timeout")
PATIENT = attrs.evolve(SHORT_INTERVALS, initial_backoff=timedelta(hours=1), idle_backoff=timedelta(hours=1))
"""Nothing silent comes due by itself."""


def sending(start_id: str = "start-1", *, tracking: TrackingPolicy = SHORT_INTERVALS) -> FollowedRecording:
    record = plan(
        start_id, StartRequest("standup", callback_url="https://me.example/"), _clock.now(), tracking=tracking
    )
    return apply(record, SendingBegan(), _clock.now(), tracking)[0]


def unknown(start_id: str = "start-1", *, tracking: TrackingPolicy = SHORT_INTERVALS) -> FollowedRecording:
    return apply(sending(start_id, tracking=tracking), DOUBTFUL, _clock.now(), tracking)[0]


def unhandled(start_id: str = "start-1", *, tracking: TrackingPolicy = SHORT_INTERVALS) -> FollowedRecording:
    """A record whose handlers for its end have not run."""
    return apply(sending(start_id, tracking=tracking), ENDED, _clock.now(), tracking, handled={"RecordingEnded"})[0]


class Told:
    """A handler that keeps what it was told, and fails or waits as it is asked to."""

    def __init__(self, *failures: Exception) -> None:
        self.events: asyncio.Queue[HandledEvent] = asyncio.Queue()
        self.failures = list(failures)
        self.times = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, record: FollowedRecording, event: HandledEvent) -> None:
        self.times += 1
        await self.events.put(event)
        await self.go.wait()
        if self.failures:
            raise self.failures.pop(0)


async def told(handler: Told) -> HandledEvent:
    return await asyncio.wait_for(handler.events.get(), timeout=10)


async def handled(its: TrackerParts, start_id: str = "start-1") -> FollowedRecording:
    """The record, once no event of it is unhandled."""
    async with asyncio.timeout(10):
        record = await its.ledger.get(start_id)
        while record.unhandled:
            record = await its.store.watch(start_id, version=record.version) or record
    return record


# Time


async def test_a_start_that_nobody_sends_any_more_is_unknown_after_its_lease() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        await its.store.create(sending(tracking=PATIENT))
        await its.follower.open()
        record = await wait_for_state(its.store, "start-1", "unknown")
        assert record.since - record.created_at >= SHORT_INTERVALS.lease


async def test_a_start_that_is_being_sent_keeps_its_lease() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        record = await its.store.create(sending(tracking=PATIENT))
        await its.follower.open()
        with its.follower.sending(record):
            while _clock.now() < record.created_at + 2.5 * SHORT_INTERVALS.lease:
                kept = await its.ledger.get("start-1")
                assert kept.state == "sending"
                async with asyncio.timeout(1):
                    await its.store.watch("start-1", version=kept.version)
        await wait_for_state(its.store, "start-1", "unknown")


async def test_a_start_may_end_while_its_lease_is_renewed() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        record = await its.store.create(sending(tracking=PATIENT))
        await its.follower.open()
        hold = its.store.hold("replaced")
        with its.follower.sending(record):
            await its.store.called("replaced")
        hold.set()
        await wait_for_state(its.store, "start-1", "unknown")


async def test_a_start_whose_callback_was_faster_needs_no_lease() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        record = await its.store.create(sending(tracking=PATIENT))
        await its.follower.open()
        with its.follower.sending(record):
            recorded = await its.follower.apply(record, ENDED)
            while _clock.now() < record.created_at + SHORT_INTERVALS.lease:
                await asyncio.sleep(SHORT_INTERVALS.poll_interval.total_seconds())
        assert await its.ledger.get("start-1") == recorded


async def test_a_start_that_no_callback_confirms_is_unconfirmed() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        await its.follower.apply(await its.store.create(sending(tracking=PATIENT)), ANSWERED)
        await its.follower.open()
        await wait_for_state(its.store, "start-1", "unconfirmed")


async def test_what_fails_once_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        await its.store.create(sending(tracking=PATIENT))
        await its.follower.open()
        its.store.broken = {"due"}
        await its.store.called("due", times=4)
        its.store.broken = set()
        await wait_for_state(its.store, "start-1", "unknown")
    assert "it is tried again" in caplog.text


async def test_what_is_pruned_meanwhile_harms_nobody() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        for start_id in ("start-1", "start-2"):
            accepted, _ = apply(sending(start_id, tracking=PATIENT), ANSWERED, _clock.now(), PATIENT)
            await its.store.create(attrs.evolve(accepted, due_at=EPOCH))
        hold = its.store.hold("replace")
        await its.follower.open()
        await its.store.called("replace", times=2)
        await its.store.prune_one("start-1")
        hold.set()
        await wait_for_state(its.store, "start-2", "unconfirmed")


async def test_a_start_that_is_forgotten_meanwhile_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        one, other = [
            await its.store.create(sending(start_id, tracking=PATIENT)) for start_id in ("start-1", "start-2")
        ]
        with its.follower.sending(one), its.follower.sending(other):
            await its.store.forget("start-1", now=_clock.now())
            its.follower.request_reconciliation("start-1")
            await its.follower.open()
            renewed = await its.store.watch("start-2", version=other.version)
            assert renewed is not None
    assert caplog.text == ""


# Much at once


async def all_in(its: TrackerParts, state: str, start_ids: Sequence[str]) -> None:
    async with asyncio.timeout(20):
        for start_id in start_ids:
            record = await its.ledger.get(start_id)
            while record.state != state:
                changed = await its.store.watch(start_id, version=record.version)
                assert changed is not None
                record = changed


async def test_all_that_is_due_is_taken_up_at_once() -> None:
    tracking = attrs.evolve(PATIENT, poll_interval=timedelta(hours=1))
    async with tracker_parts(ScriptedPlivo(), tracking=tracking) as its:
        start_ids = [f"start-{number:04}" for number in range(10 * BATCH + 1)]
        for start_id in start_ids:
            await its.store.create(attrs.evolve(sending(start_id, tracking=tracking), due_at=_clock.now()))
        await its.follower.open()
        await all_in(its, "unknown", start_ids)


async def test_one_that_cannot_be_taken_up_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    tracking = attrs.evolve(PATIENT, poll_interval=timedelta(hours=1))
    async with tracker_parts(ScriptedPlivo(), tracking=tracking) as its:
        start_ids = [f"start-{number:04}" for number in range(3 * BATCH)]
        for number in range(BATCH + 1):
            await its.store.create(attrs.evolve(recording("rejected", f"odd-{number}"), due_at=EPOCH))
        for start_id in start_ids:
            await its.store.create(attrs.evolve(sending(start_id, tracking=tracking), due_at=_clock.now()))
        await its.follower.open()
        await all_in(its, "unknown", start_ids)
        while not caplog.records:
            await asyncio.sleep(0)
    assert f"({BATCH + 1} sub-exceptions)" in caplog.text
    assert "start odd-0 is rejected and due at" in caplog.text


async def test_silent_recordings_wait_in_the_store_and_hold_up_no_others() -> None:
    plivo, go = ScriptedPlivo(), asyncio.Event()
    waiting, transport = gated(plivo, go)
    async with tracker_parts(plivo, tracking=PATIENT, transport=transport) as its:
        for number in range(50):
            await its.store.create(attrs.evolve(unknown(f"silent-{number}", tracking=PATIENT), due_at=EPOCH))
        start_ids = [f"start-{number}" for number in range(50)]
        for start_id in start_ids:
            await its.store.create(attrs.evolve(sending(start_id, tracking=PATIENT), due_at=_clock.now()))
        await its.follower.open()
        await all_in(its, "unknown", start_ids)
        while waiting[0] < LOOKERS:
            await asyncio.sleep(0)
        left = await its.store.due(_clock.now(), limit=1000, silent=True)
        assert len(left) == 50 - LOOKERS
        assert its.follower._work.silent == {}  # pyright: ignore[reportPrivateUsage]
        go.set()
        while await its.store.due(_clock.now(), silent=True):
            await asyncio.sleep(0)
        assert {f"silent-{number}" for number in range(50)} <= set(its.store.start_ids)


async def test_when_much_goes_on_already_what_comes_due_again_is_left_to_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "MOST", 5)
    plivo, go = ScriptedPlivo(), asyncio.Event()
    _, transport = gated(plivo, go)
    async with tracker_parts(plivo, transport=transport) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        ended = [unhandled(f"start-{number}") for number in range(20)]
        for record in ended:
            await its.store.create(attrs.evolve(record, due_at=_clock.now()))
        await its.follower.open()
        for _ in range(3):
            await its.store.called("due", times=its.store.calls.count("due") + 2)
        assert handler.times == 5
        for record in ended:
            its.follower.act(record, [Reconcile()], again=True)
        assert len(its.follower._work.silent) <= 5  # pyright: ignore[reportPrivateUsage]
        handler.go.set()
        for record in ended:
            await handled(its, record.start_id)
        assert handler.times == 20


async def test_of_two_processes_each_record_is_taken_up_by_one() -> None:
    store, tracking = FlakyStore(), attrs.evolve(SHORT_INTERVALS, handler_lease=timedelta(hours=1))
    told = list[str]()

    async def tell(record: FollowedRecording, _: HandledEvent) -> None:
        told.append(record.start_id)

    for number in range(4 * BATCH):
        record = unhandled(f"start-{number}", tracking=tracking)
        await store.create(attrs.evolve(record, due_at=_clock.now()))
    async with (
        tracker_parts(ScriptedPlivo(), tracking=tracking, store=store) as one,
        tracker_parts(ScriptedPlivo(), tracking=tracking, store=store) as other,
    ):
        for its in (one, other):
            its.follower.add_handler("RecordingEnded", tell)
            await its.follower.open()
        for number in range(4 * BATCH):
            await handled(one, f"start-{number}")
        assert sorted(told) == sorted(f"start-{number}" for number in range(4 * BATCH))


# Silence


async def test_a_silent_recording_is_asked_about_until_there_is_evidence() -> None:
    plivo = ScriptedPlivo()
    plivo.broken = True
    async with tracker_parts(plivo) as its:
        await its.store.create(unknown())
        await its.follower.open()
        while len(plivo.looks) < 2:
            await asyncio.sleep(SHORT_INTERVALS.poll_interval.total_seconds())
        plivo.broken, plivo.live = False, False
        record = await wait_for_state(its.store, "start-1", "absent")
        assert record.gone_at is not None
        assert record.since - record.gone_at >= SHORT_INTERVALS.absence_grace


def test_a_recording_is_asked_about_at_most_once_a_minute() -> None:
    async def main() -> None:
        plivo = ScriptedPlivo()
        async with tracker_parts(plivo, tracking=PATIENT) as its:
            for start_id in ("start-1", "start-2"):
                await its.store.create(apply(sending(start_id), ANSWERED, _clock.now(), PATIENT)[0])
            for _ in range(100):
                its.follower.request_reconciliation("start-1")
                await asyncio.sleep(0.01)
            assert plivo.looks.count("Recording/") == 1
            its.follower.request_reconciliation("start-2")
            await asyncio.sleep(ASK_PAUSE - 2)
            assert plivo.looks.count("Recording/") == 2
            await asyncio.sleep(ASK_PAUSE)
            assert plivo.looks.count("Recording/") == 3  # what came within the minute is asked once it is over
            await asyncio.sleep(10 * ASK_PAUSE)
            assert plivo.looks.count("Recording/") == 3

    run(main())


def test_nothing_is_asked_any_more_once_it_is_closed() -> None:
    async def main() -> None:
        plivo = ScriptedPlivo()
        async with tracker_parts(plivo, tracking=PATIENT) as its:
            await its.store.create(unknown(tracking=PATIENT))
            for _ in range(2):
                its.follower.request_reconciliation("start-1")
        asked = len(plivo.looks)
        await asyncio.sleep(2 * ASK_PAUSE)
        assert len(plivo.looks) == asked

    run(main())


async def test_it_may_be_found() -> None:
    plivo = ScriptedPlivo()
    now = _clock.now().timestamp() * 1000
    plivo.rows = [
        {
            "recording_id": "rec-1",
            "conference_name": "standup",
            "recording_url": "https://f/rec-1.mp3",
            "recording_duration_ms": "61000.00000",
            "recording_start_ms": f"{now:.5f}",
            "recording_end_ms": f"{now + 61000:.5f}",
        }
    ]
    async with tracker_parts(plivo) as its:
        handler = Told()
        its.follower.add_handler("RecordingEnded", handler)
        await its.store.create(unknown())
        await its.follower.open()
        assert (await wait_for_state(its.store, "start-1", "recorded")).recording_id == "rec-1"
        assert (await told(handler)).raw["recording_id"] == "rec-1"


def gated(plivo: ScriptedPlivo, go: asyncio.Event) -> tuple[list[int], httpx.MockTransport]:
    """A transport behind which nobody is answered before ``go``; and how many wait there."""
    waiting = [0]

    async def answer(request: httpx.Request) -> httpx.Response:
        waiting[0] += 1
        await go.wait()
        return await plivo(request)

    return waiting, httpx.MockTransport(answer)


async def test_few_are_asked_about_at_once_and_each_waits_once() -> None:
    plivo, go = ScriptedPlivo(), asyncio.Event()
    waiting, transport = gated(plivo, go)
    async with tracker_parts(plivo, tracking=PATIENT, transport=transport) as its:
        records = [await its.store.create(unknown(f"start-{number}", tracking=PATIENT)) for number in range(50)]
        for record in records * 3:
            its.follower.act(record, [Reconcile()])
        while waiting[0] < LOOKERS:
            await asyncio.sleep(0)
        assert len(other_tasks()) == 2 * LOOKERS  # each looker, and its request
        go.set()
        while other_tasks():
            await asyncio.wait(other_tasks())
        assert plivo.looks.count("Recording/") == len(records)


async def test_who_has_come_to_an_end_while_it_waited_is_not_asked_about() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        record = await its.store.create(unknown(tracking=PATIENT))
        its.follower.act(record, [Reconcile()])
        await its.follower.apply(record, ENDED)
        while other_tasks():
            await asyncio.wait(other_tasks())
    assert plivo.requests == []


# Handlers


async def test_a_handler_runs_for_each_event_and_that_is_kept() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        ends, failures = Told(), Told()
        its.follower.add_handler("RecordingEnded", ends)
        its.follower.add_handler("ApiResponse", failures)
        record = await its.store.create(sending(tracking=PATIENT))
        await its.follower.apply(record, FAILED)
        await its.follower.apply(record, ENDED)
        await its.follower.apply(record, ENDED)
        await its.follower.apply(record, TRANSCRIBED)
        assert (await told(ends), await told(failures)) == (ENDED, FAILED)
        assert (await handled(its)).state == "transcribed"
        assert (ends.times, failures.times) == (1, 1)


@pytest.mark.parametrize("order", [1, -1])
async def test_a_handler_that_failed_runs_again_and_the_others_do_not(
    order: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        good, bad = Told(), Told(ValueError("not yet"), KeyError("nor now"))
        its.follower.add_handler("RecordingEnded", *((good, "good"), (bad, "bad"))[order < 0])
        its.follower.add_handler("RecordingEnded", *((good, "good"), (bad, "bad"))[order > 0])
        await its.follower.open()
        await its.follower.apply(await its.store.create(sending()), ENDED)
        record = await handled(its)
        assert (good.times, bad.times) == (1, 3)
        assert (record.handler_runs, status_of(record).handler_error) == ((), None)
    assert "handler bad of RecordingEnded failed for start start-1; it is run again after a pause" in caplog.text
    assert "not yet" in caplog.text


class Odd(BaseException):
    """No `Exception`."""


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
    ("raise_it", "said"),
    [
        (cancelled_task, "CancelledError"),
        (partial(fail, asyncio.CancelledError("mine")), "CancelledError: mine"),
        (partial(fail, Odd("odd")), "Odd: odd"),
        (several, "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)"),
        (partial(fail, TimeoutError()), "TimeoutError"),
        (partial(fail, GeneratorExit()), "GeneratorExit"),
    ],
)
async def test_whatever_a_handler_raises_the_others_run_and_it_is_run_again(
    raise_it: Callable[[], Awaitable[None]], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        before, after, times = Told(), Told(), list[int]()

        async def bad(_: FollowedRecording, __: HandledEvent) -> None:
            times.append(1)
            if len(times) < 3:
                await raise_it()

        for handler, label in ((before, "before"), (bad, "bad"), (after, "after")):
            its.follower.add_handler("RecordingEnded", handler, label)
        await its.follower.open()
        record = await its.follower.apply(await its.store.create(sending()), ENDED)
        noted = await its.store.watch("start-1", version=record.version)
        assert noted is not None
        assert said in str(status_of(noted).handler_error)
        assert {run.handler: run.failures for run in noted.handler_runs if run.error} == {"bad": 1}
        await handled(its)
        assert (before.times, len(times), after.times) == (1, 3, 1)
    assert caplog.text.count("handler bad of RecordingEnded failed") == 2


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_a_handler_may_end_the_program(error: BaseException) -> None:
    async def end(_: FollowedRecording, __: HandledEvent) -> None:
        raise error

    async def program() -> None:
        async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
            its.follower.add_handler("RecordingEnded", end)
            await its.follower.apply(await its.store.create(sending(tracking=PATIENT)), ENDED)
            await asyncio.sleep(10)

    with pytest.raises(type(error)):
        asyncio.run(program())


async def test_a_handler_that_never_ends_holds_up_no_other_and_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    tracking = attrs.evolve(SHORT_INTERVALS, give_up_after=timedelta(milliseconds=300))
    async with tracker_parts(ScriptedPlivo(), tracking=tracking) as its:
        endless, good, bad = Told(), Told(), Told(ValueError("not yet"), ValueError("nor now"))
        endless.go.clear()
        for handler, label in ((endless, "endless"), (good, "good"), (bad, "bad")):
            its.follower.add_handler("RecordingEnded", handler, label)
        await its.follower.open()
        await its.follower.apply(await its.store.create(sending(tracking=tracking)), ENDED)
        record = await handled(its)
        assert (endless.times, good.times, bad.times) == (1, 1, 3)
        assert status_of(record).handler_error == "handler endless of RecordingEnded did not end; it was given up"
        assert record.due_at is None
        while its.follower._work.to_finish:  # pyright: ignore[reportPrivateUsage]
            await asyncio.sleep(0)
    assert "start start-1: handler endless of RecordingEnded did not end; it was given up" in caplog.text


async def test_a_handler_that_is_cut_off_when_the_tracker_closes_has_not_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        record = await its.follower.apply(await its.store.create(sending()), ENDED)
        await told(handler)
        await its.follower.aclose(grace=0)
        await its.store.open()
        assert await its.ledger.get("start-1") == record
        assert other_tasks() == set()
    assert caplog.text == ""


async def test_after_a_restart_only_the_handlers_that_failed_run_again() -> None:
    store = FlakyStore()
    async with tracker_parts(ScriptedPlivo(), store=store) as before:
        for handler, label in ((Told(), "good"), (Told(ValueError("no")), "bad")):
            before.follower.add_handler("RecordingEnded", handler, label)
        record = await before.follower.apply(await store.create(sending()), ENDED)
        assert await store.watch("start-1", version=record.version)
    async with tracker_parts(ScriptedPlivo(), store=store) as its:
        good, bad = Told(), Told()
        for handler, label in ((good, "good"), (bad, "bad")):
            its.follower.add_handler("RecordingEnded", handler, label)
        await its.follower.open()
        assert (await handled(its)).handler_runs == ()
        assert (good.times, bad.times) == (0, 1)


async def test_a_handler_that_failed_under_a_name_that_is_no_more_is_not_waited_for() -> None:
    failed = unhandled()
    old = HandlersEnded(name="RecordingEnded", done=frozenset({"kept"}), failed=(("old", "no"),))
    async with tracker_parts(ScriptedPlivo()) as its:
        kept = Told()
        its.follower.add_handler("RecordingEnded", kept, "kept")
        await its.store.create(apply(failed, old, _clock.now(), SHORT_INTERVALS)[0])
        await its.follower.open()
        await handled(its)
        assert kept.times == 0


async def test_what_a_crash_left_unhandled_is_handled_after_it() -> None:
    crashed = unhandled()
    assert crashed.unhandled == ("RecordingEnded",)
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = Told()
        its.follower.add_handler("RecordingEnded", handler)
        await its.store.create(crashed)
        await its.follower.open()
        assert await told(handler) == ENDED
        await handled(its)
        assert handler.times == 1


async def test_a_handler_that_takes_long_is_not_run_a_second_time_beside_itself() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        await its.follower.open()
        record = await its.follower.apply(await its.store.create(sending()), ENDED)
        for _ in range(3):  # it comes due, again and again
            changed = await its.store.watch("start-1", version=record.version)
            assert changed is not None
            record = changed
        handler.go.set()
        await handled(its)
        assert handler.times == 1


async def test_that_handlers_take_long_is_noted() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler, "slow")
        await its.follower.open()
        record = await its.follower.apply(await its.store.create(sending()), ENDED)
        while not record.handler_runs:
            changed = await its.store.watch("start-1", version=record.version)
            assert changed is not None
            record = changed
        [run] = record.handler_runs
        assert (run.handler, run.failures, run.error, status_of(record).handler_error) == ("slow", 0, None, None)
        handler.go.set()
        await handled(its)


async def test_that_it_ran_is_kept_even_if_the_store_fails_at_that_moment() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        await its.follower.apply(await its.store.create(sending(tracking=PATIENT)), ENDED)
        await told(handler)
        its.store.broken = {"replace"}
        handler.go.set()
        await its.store.called("replace", times=4)
        its.store.broken = set()
        await handled(its)
        assert handler.times == 1


async def test_a_handler_may_close_what_runs_it_and_is_run_again_when_it_is_opened_next() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        kept: list[FollowedRecording | None] = []

        async def close(record: FollowedRecording, _: HandledEvent) -> None:
            await its.follower.aclose(grace=5)
            kept.append(record)

        its.follower.add_handler("RecordingEnded", close)
        record = await its.store.create(sending(tracking=PATIENT))
        learned = await its.follower.apply(record, ENDED)
        while other_tasks():
            await asyncio.wait(other_tasks())
        assert kept == [learned]
        assert learned.unhandled == ("RecordingEnded",)


async def test_without_handlers_it_is_left_to_a_process_that_has_them() -> None:
    crashed = unhandled()
    async with tracker_parts(ScriptedPlivo()) as without:
        await without.store.create(crashed)
        await without.follower.open()
        record = await without.store.watch("start-1", version=crashed.version)
        assert record is not None
        assert record.unhandled == ("RecordingEnded",)


async def test_what_nobody_handles_is_given_up_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    tracking = attrs.evolve(SHORT_INTERVALS, give_up_after=timedelta(milliseconds=150))
    async with tracker_parts(ScriptedPlivo(), tracking=tracking) as its:
        await its.store.create(unhandled(tracking=tracking))
        await its.follower.open()
        assert (await handled(its)).due_at is None
    assert "no process has run handlers for its RecordingEnded" in caplog.text


# Beginning and end


async def test_of_several_that_cannot_be_taken_up_each_is_told_and_once(caplog: pytest.LogCaptureFixture) -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=SHORT_INTERVALS) as its:
        for number in range(3):
            await its.store.create(attrs.evolve(sending(f"start-{number}"), due_at=_clock.now()))
        its.store.broken = {"replace"}
        await its.follower.open()
        await its.store.called("replace", times=12)
        [line] = [record for record in caplog.records if "it is tried again" in record.message]
        assert line.exc_info is not None
        failed = cast("ExceptionGroup[Exception]", line.exc_info[1])
        assert [type(error) for error in failed.exceptions] == [StoreError] * 3
        its.store.broken = set()
        await wait_for_state(its.store, "start-2", "unknown")
        its.store.broken = {"due"}
        while "due: the disk is full" not in caplog.text:
            await asyncio.sleep(0)
        its.store.broken = set()


async def test_a_store_that_cannot_be_read_is_told_at_once() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        its.store.broken = {"due"}
        with pytest.raises(StoreError):
            await its.follower.open()
        assert other_tasks() == set()


async def test_what_was_closed_can_be_opened_again() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        await its.store.create(sending(tracking=PATIENT))
        for _ in range(2):
            await its.follower.aclose(grace=0)
            with pytest.raises(ClosedError):
                its.follower.ensure_open()
        await its.follower.open()
        its.follower.ensure_open()
        await wait_for_state(its.store, "start-1", "unknown")


async def test_who_opens_it_while_it_is_being_opened_begins_nothing_twice() -> None:
    async with tracker_parts(ScriptedPlivo(), tracking=PATIENT) as its:
        hold = its.store.hold("due")
        opening = [asyncio.create_task(its.follower.open()) for _ in range(3)]
        await its.store.called("due")
        hold.set()
        await asyncio.gather(*opening)
        assert len(other_tasks()) == 3


async def test_a_store_that_cannot_be_read_when_it_is_opened_again_leaves_it_closed() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        await its.follower.aclose(grace=0)
        its.store.broken = {"due"}
        with pytest.raises(StoreError):
            await its.follower.open()
        with pytest.raises(ClosedError):
            its.follower.ensure_open()


async def test_closing_waits_for_handlers_and_for_what_follows_from_them() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        await its.follower.open()
        await its.follower.apply(await its.store.create(sending()), ENDED)
        await told(handler)
        closing = asyncio.create_task(its.follower.aclose(grace=10))
        await asyncio.sleep(0.05)
        assert not closing.done()
        its.store.calls.clear()
        handler.go.set()
        await closing
        assert "replaced" in its.store.calls
        assert other_tasks() == set()


async def test_closing_waits_for_starts() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        record = await its.store.create(sending())

        async def sent() -> None:
            with its.follower.sending(record):
                await asyncio.sleep(0.1)
                await its.follower.apply(record, ANSWERED)

        task = asyncio.create_task(sent())
        await asyncio.sleep(0)
        await its.follower.aclose(grace=10)
        assert task.done()
        await task


async def test_closing_does_not_wait_for_ever() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        record = await its.store.create(sending())
        await its.follower.apply(record, ENDED)
        await told(handler)
        with its.follower.sending(record):
            await its.follower.aclose(grace=0.05)
        assert other_tasks() == set()


async def test_closing_drops_what_can_be_done_again() -> None:
    plivo, go = ScriptedPlivo(), asyncio.Event()
    waiting, transport = gated(plivo, go)
    async with tracker_parts(plivo, transport=transport) as its:
        await its.store.create(unknown())
        await its.follower.open()
        while not waiting[0]:
            await asyncio.sleep(SHORT_INTERVALS.poll_interval.total_seconds())
        async with asyncio.timeout(1):
            await its.follower.aclose(grace=10)
        go.set()


async def test_what_is_learned_too_late_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        record = await its.store.create(sending())
        await its.follower.aclose(grace=0)
        await its.follower.apply_with_retry(record, ANSWERED)
    assert "the outcome of start start-1 could not be stored" in caplog.text


async def test_nothing_is_learned_of_what_was_never_stored() -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        await its.follower.apply_with_retry(sending(), ANSWERED)
        assert its.store.calls == ["replace", "replaced", "get"]
