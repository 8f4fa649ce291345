"""What is due is looked after, what is silent is asked about, and whoever wants to know is told."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import cast

import attrs
import httpx
import pytest

from plivo_record_async import ClosedError, StoreError, _clock
from plivo_record_async._follower import ASK_PAUSE, LOOKERS, HandledEvent
from plivo_record_async.interfaces import FollowedRecording
from plivo_record_async.protocol.evidence import SendingBegan, StartAccepted, StartUnanswered
from plivo_record_async.protocol.followed import Terms
from plivo_record_async.protocol.lifecycle import Reconcile, apply, plan
from plivo_record_async.protocol.models import StartRequest
from tests.following import SHORT, Parts, ScriptedPlivo, others, parts, until
from tests.protocol.lives import ENDED, FAILED, TRANSCRIBED
from tests.virtual_time import run

ANSWERED = StartAccepted(words="202", api_id="api-1")
DOUBTFUL = StartUnanswered(words="read timeout")
HANDLED = attrs.evolve(SHORT, handled=frozenset({"RecordingEnded"}))
PATIENT = attrs.evolve(SHORT, first_look=timedelta(hours=1), quiet_look=timedelta(hours=1))
"""Nothing silent comes due by itself."""


def sending(start_id: str = "start-1", *, terms: Terms = SHORT) -> FollowedRecording:
    record = plan(start_id, StartRequest("standup", callback_url="https://me.example/"), _clock.now(), terms=terms)
    return apply(record, SendingBegan(), _clock.now(), terms)[0]


def unknown(start_id: str = "start-1", *, terms: Terms = SHORT) -> FollowedRecording:
    return apply(sending(start_id, terms=terms), DOUBTFUL, _clock.now(), terms)[0]


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


async def handled(its: Parts, start_id: str = "start-1") -> FollowedRecording:
    """The record, once no event of it is unhandled."""
    async with asyncio.timeout(10):
        record = await its.ledger.get(start_id)
        while record.unhandled:
            record = await its.store.watch(start_id, version=record.version) or record
    return record


# Time


async def test_a_start_that_nobody_sends_any_more_is_unknown_after_its_lease() -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        await its.store.create(sending(terms=PATIENT))
        await its.follower.open()
        record = await until(its.store, "start-1", "unknown")
        assert record.since - record.created_at >= SHORT.lease


async def test_a_start_that_is_being_sent_keeps_its_lease() -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        record = await its.store.create(sending(terms=PATIENT))
        await its.follower.open()
        with its.follower.sending(record):
            while _clock.now() < record.created_at + 2.5 * SHORT.lease:
                kept = await its.ledger.get("start-1")
                assert kept.state == "sending"
                async with asyncio.timeout(1):
                    await its.store.watch("start-1", version=kept.version)
        await until(its.store, "start-1", "unknown")


async def test_a_start_may_end_while_its_lease_is_renewed() -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        record = await its.store.create(sending(terms=PATIENT))
        await its.follower.open()
        hold = its.store.hold("replaced")
        with its.follower.sending(record):
            await its.store.called("replaced")
        hold.set()
        await until(its.store, "start-1", "unknown")


async def test_a_start_whose_callback_was_faster_needs_no_lease() -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        record = await its.store.create(sending(terms=PATIENT))
        await its.follower.open()
        with its.follower.sending(record):
            recorded = await its.follower.learn(record, ENDED)
            while _clock.now() < record.created_at + SHORT.lease:
                await asyncio.sleep(SHORT.tick.total_seconds())
        assert await its.ledger.get("start-1") == recorded


async def test_a_start_that_no_callback_confirms_is_unconfirmed() -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        await its.follower.learn(await its.store.create(sending(terms=PATIENT)), ANSWERED)
        await its.follower.open()
        await until(its.store, "start-1", "unconfirmed")


async def test_what_fails_once_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        await its.store.create(sending(terms=PATIENT))
        await its.follower.open()
        its.store.broken = {"due"}
        await its.store.called("due", times=4)
        its.store.broken = set()
        await until(its.store, "start-1", "unknown")
    assert "it is tried again" in caplog.text


async def test_what_is_pruned_meanwhile_harms_nobody() -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        for start_id in ("start-1", "start-2"):
            await its.follower.learn(await its.store.create(sending(start_id, terms=PATIENT)), ANSWERED)
        hold = its.store.hold("replace")
        await its.follower.open()
        await its.store.called("replace", times=4)
        await its.store.prune_one("start-1")
        hold.set()
        await until(its.store, "start-2", "unconfirmed")


async def test_a_start_that_is_forgotten_meanwhile_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        one, other = [await its.store.create(sending(start_id, terms=PATIENT)) for start_id in ("start-1", "start-2")]
        with its.follower.sending(one), its.follower.sending(other):
            await its.store.forget("start-1", now=_clock.now())
            its.follower.ask("start-1")
            await its.follower.open()
            renewed = await its.store.watch("start-2", version=other.version)
            assert renewed is not None
    assert caplog.text == ""


# Silence


async def test_a_silent_recording_is_asked_about_until_there_is_evidence() -> None:
    plivo = ScriptedPlivo()
    plivo.broken = True
    async with parts(plivo) as its:
        await its.store.create(unknown())
        await its.follower.open()
        while len(plivo.looks) < 2:
            await asyncio.sleep(SHORT.tick.total_seconds())
        plivo.broken, plivo.live = False, False
        record = await until(its.store, "start-1", "absent")
        assert record.gone_at is not None
        assert record.since - record.gone_at >= SHORT.grace


def test_a_recording_is_asked_about_at_most_once_a_minute() -> None:
    async def main() -> None:
        plivo = ScriptedPlivo()
        async with parts(plivo, terms=PATIENT) as its:
            for start_id in ("start-1", "start-2"):
                await its.store.create(apply(sending(start_id), ANSWERED, _clock.now(), PATIENT)[0])
            for _ in range(100):
                its.follower.ask("start-1")
                await asyncio.sleep(0.01)
            assert plivo.looks.count("Recording/") == 1
            its.follower.ask("start-2")
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
        async with parts(plivo, terms=PATIENT) as its:
            await its.store.create(unknown(terms=PATIENT))
            for _ in range(2):
                its.follower.ask("start-1")
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
    async with parts(plivo) as its:
        handler = Told()
        its.follower.add_handler("RecordingEnded", handler)
        await its.store.create(unknown())
        await its.follower.open()
        assert (await until(its.store, "start-1", "recorded")).recording_id == "rec-1"
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
    async with parts(plivo, terms=PATIENT, transport=transport) as its:
        records = [await its.store.create(unknown(f"start-{number}", terms=PATIENT)) for number in range(50)]
        for record in records * 3:
            its.follower.act(record, [Reconcile()])
        while waiting[0] < LOOKERS:
            await asyncio.sleep(0)
        assert len(others()) == 2 * LOOKERS  # each looker, and its request
        go.set()
        while others():
            await asyncio.wait(others())
        assert plivo.looks.count("Recording/") == len(records)


async def test_who_has_come_to_an_end_while_it_waited_is_not_asked_about() -> None:
    plivo = ScriptedPlivo()
    async with parts(plivo, terms=PATIENT) as its:
        record = await its.store.create(unknown(terms=PATIENT))
        its.follower.act(record, [Reconcile()])
        await its.follower.learn(record, ENDED)
        while others():
            await asyncio.wait(others())
    assert plivo.requests == []


# Handlers


async def test_a_handler_runs_for_each_event_and_that_is_kept() -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        ends, failures = Told(), Told()
        its.follower.add_handler("RecordingEnded", ends)
        its.follower.add_handler("ApiResponse", failures)
        record = await its.store.create(sending(terms=PATIENT))
        await its.follower.learn(record, FAILED)
        await its.follower.learn(record, ENDED)
        await its.follower.learn(record, ENDED)
        await its.follower.learn(record, TRANSCRIBED)
        assert (await told(ends), await told(failures)) == (ENDED, FAILED)
        assert (await handled(its)).state == "transcribed"
        assert (ends.times, failures.times) == (1, 1)


@pytest.mark.parametrize("order", [1, -1])
async def test_a_handler_that_failed_runs_again_and_the_others_with_it(
    order: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with parts(ScriptedPlivo(), terms=HANDLED) as its:
        good, bad = Told(), Told(ValueError("not yet"), KeyError("nor now"))
        for handler in (good, bad)[::order]:
            its.follower.add_handler("RecordingEnded", handler)
        await its.follower.open()
        await its.follower.learn(await its.store.create(sending()), ENDED)
        await handled(its)
        assert (good.times, bad.times) == (3, 3)
    assert "a handler of RecordingEnded failed for start start-1; it is run again" in caplog.text
    assert "not yet" in caplog.text


async def test_what_a_crash_left_unhandled_is_handled_after_it() -> None:
    crashed = apply(sending(), ENDED, _clock.now(), HANDLED)[0]
    assert crashed.unhandled == ("RecordingEnded",)
    async with parts(ScriptedPlivo()) as its:
        handler = Told()
        its.follower.add_handler("RecordingEnded", handler)
        await its.store.create(crashed)
        await its.follower.open()
        assert await told(handler) == ENDED
        await handled(its)
        assert handler.times == 1


async def test_a_handler_that_takes_long_is_not_run_a_second_time_beside_itself() -> None:
    async with parts(ScriptedPlivo()) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        await its.follower.open()
        record = await its.follower.learn(await its.store.create(sending()), ENDED)
        for _ in range(3):  # it comes due, again and again
            changed = await its.store.watch("start-1", version=record.version)
            assert changed is not None
            record = changed
        handler.go.set()
        await handled(its)
        assert handler.times == 1


async def test_that_it_ran_is_kept_even_if_the_store_fails_at_that_moment() -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        await its.follower.learn(await its.store.create(sending(terms=PATIENT)), ENDED)
        await told(handler)
        its.store.broken = {"replace"}
        handler.go.set()
        await its.store.called("replace", times=4)
        its.store.broken = set()
        await handled(its)
        assert handler.times == 1


async def test_a_handler_may_close_what_runs_it_and_is_run_again_when_it_is_opened_next() -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        kept: list[FollowedRecording | None] = []

        async def close(record: FollowedRecording, _: HandledEvent) -> None:
            await its.follower.aclose(grace=5)
            kept.append(record)

        its.follower.add_handler("RecordingEnded", close)
        record = await its.store.create(sending(terms=PATIENT))
        learned = await its.follower.learn(record, ENDED)
        while others():
            await asyncio.wait(others())
        assert kept == [learned]
        assert learned.unhandled == ("RecordingEnded",)


async def test_without_handlers_it_is_left_to_a_process_that_has_them() -> None:
    crashed = apply(sending(), ENDED, _clock.now(), HANDLED)[0]
    async with parts(ScriptedPlivo()) as without:
        await without.store.create(crashed)
        await without.follower.open()
        record = await without.store.watch("start-1", version=crashed.version)
        assert record is not None
        assert record.unhandled == ("RecordingEnded",)


async def test_what_nobody_handles_is_given_up_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    terms = attrs.evolve(HANDLED, follow=timedelta(milliseconds=150))
    async with parts(ScriptedPlivo(), terms=terms) as its:
        await its.store.create(apply(sending(), ENDED, _clock.now(), terms)[0])
        await its.follower.open()
        assert (await handled(its)).due_at is None
    assert "nobody has handled its RecordingEnded" in caplog.text


# Beginning and end


async def test_of_several_that_cannot_be_looked_after_each_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with parts(ScriptedPlivo(), terms=SHORT) as its:
        for number in range(3):
            await its.store.create(attrs.evolve(sending(f"start-{number}"), due_at=_clock.now()))
        its.store.broken = {"replace"}
        await its.follower.open()
        await its.store.called("replace", times=6)
        [first, *_] = [record for record in caplog.records if "it is tried again" in record.message]
        assert first.exc_info is not None
        failed = cast("ExceptionGroup[Exception]", first.exc_info[1])
        assert [type(error) for error in failed.exceptions] == [StoreError] * 3
        its.store.broken = set()


async def test_a_store_that_cannot_be_read_is_told_at_once() -> None:
    async with parts(ScriptedPlivo()) as its:
        its.store.broken = {"due"}
        with pytest.raises(StoreError):
            await its.follower.open()
        assert others() == set()


async def test_what_was_closed_can_be_opened_again() -> None:
    async with parts(ScriptedPlivo(), terms=PATIENT) as its:
        await its.store.create(sending(terms=PATIENT))
        for _ in range(2):
            await its.follower.aclose(grace=0)
            with pytest.raises(ClosedError):
                its.follower.ensure_open()
        await its.follower.open()
        its.follower.ensure_open()
        await until(its.store, "start-1", "unknown")


async def test_a_store_that_cannot_be_read_when_it_is_opened_again_leaves_it_closed() -> None:
    async with parts(ScriptedPlivo()) as its:
        await its.follower.aclose(grace=0)
        its.store.broken = {"due"}
        with pytest.raises(StoreError):
            await its.follower.open()
        with pytest.raises(ClosedError):
            its.follower.ensure_open()


async def test_closing_waits_for_handlers_and_for_what_follows_from_them() -> None:
    async with parts(ScriptedPlivo()) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        await its.follower.open()
        await its.follower.learn(await its.store.create(sending()), ENDED)
        await told(handler)
        closing = asyncio.create_task(its.follower.aclose(grace=10))
        await asyncio.sleep(0.05)
        assert not closing.done()
        its.store.calls.clear()
        handler.go.set()
        await closing
        assert "replaced" in its.store.calls
        assert others() == set()


async def test_closing_waits_for_starts() -> None:
    async with parts(ScriptedPlivo()) as its:
        record = await its.store.create(sending())

        async def sent() -> None:
            with its.follower.sending(record):
                await asyncio.sleep(0.1)
                await its.follower.learn(record, ANSWERED)

        task = asyncio.create_task(sent())
        await asyncio.sleep(0)
        await its.follower.aclose(grace=10)
        assert task.done()
        await task


async def test_closing_does_not_wait_for_ever() -> None:
    async with parts(ScriptedPlivo()) as its:
        handler = Told()
        handler.go.clear()
        its.follower.add_handler("RecordingEnded", handler)
        record = await its.store.create(sending())
        await its.follower.learn(record, ENDED)
        await told(handler)
        with its.follower.sending(record):
            await its.follower.aclose(grace=0.05)
        assert others() == set()


async def test_closing_drops_what_can_be_done_again() -> None:
    plivo, go = ScriptedPlivo(), asyncio.Event()
    waiting, transport = gated(plivo, go)
    async with parts(plivo, transport=transport) as its:
        await its.store.create(unknown())
        await its.follower.open()
        while not waiting[0]:
            await asyncio.sleep(SHORT.tick.total_seconds())
        async with asyncio.timeout(1):
            await its.follower.aclose(grace=10)
        go.set()


async def test_what_is_learned_too_late_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with parts(ScriptedPlivo()) as its:
        record = await its.store.create(sending())
        await its.follower.aclose(grace=0)
        await its.follower.learn_surely(record, ANSWERED)
    assert "what became of start start-1 could not be stored" in caplog.text


async def test_nothing_is_learned_of_what_was_never_stored() -> None:
    async with parts(ScriptedPlivo()) as its:
        await its.follower.learn_surely(sending(), ANSWERED)
        assert its.store.calls == ["replace", "replaced", "get"]
