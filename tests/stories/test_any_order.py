"""Property test: any failures of starts, any order, loss and repetition of callbacks, and restarts.

Whatever happens, no start is executed twice, states only move forward, and in the end everything is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any, Literal, TypeVar, get_args

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plivo_record_async import (
    MemoryStore,
    PlivoRecordError,
    RecordClient,
    RecordingEnded,
    RecordingTracker,
    TrackedRecording,
)
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.app import EmulatorApp
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.stores.interface import FollowedRecording
from tests.support.emulator_app import app_around
from tests.support.tracker.callbacks import deliver_callback
from tests.support.tracker.parts import PUBLIC_URL, SHORT_INTERVALS
from tests.support.tracker.scripted_plivo import AUTH_ID, TOKEN

T = TypeVar("T")

Trouble = Literal["none", "early", "unreachable", "lost", "unanswered", "senseless", "refused", "broken", "executed"]
TROUBLES: st.SearchStrategy[Trouble] = st.sampled_from(get_args(Trouble))
ROOMS = st.sampled_from([f"room {number}" for number in range(6)])

RANKS: dict[RecordingState, int] = {
    "planned": 0,
    "sending": 1,
    "unknown": 2,
    "not_sent": 3,
    "rejected": 3,
    "accepted": 3,
    "unconfirmed": 4,
    "absent": 5,
    "started": 6,
    "failed": 7,
    "recorded": 8,
    "transcribed": 9,
}


class LastingStore(MemoryStore):
    """What is in it survives its tracker."""

    def __init__(self) -> None:
        super().__init__()
        self.start_ids: list[str] = []

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        kept = await super().create(record)
        if kept is record:
            self.start_ids.append(record.start_id)
        return kept

    async def aclose(self) -> None: ...


class TroubledNetwork(httpx.AsyncBaseTransport):
    """The way from the tracker to Plivo; it happens to starts what they are told will happen to them."""

    def __init__(self, plivo: EmulatorApp, call_now: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.plivo = plivo
        self.way = httpx.ASGITransport(app=plivo)
        self.call_now = call_now
        self.trouble: Trouble = "none"
        self.arrived = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "POST":
            return await self.way.handle_async_request(request)
        self.arrived.set()
        await self.go.wait()
        match self.trouble:
            case "unreachable":
                raise httpx.ConnectError("refused")
            case "lost":
                raise httpx.ReadTimeout("it never arrived")
            case "refused":
                self.plivo.control.faults.on("start", times=1).status(400)
            case "broken":
                self.plivo.control.faults.on("start", times=1).status(503)
            case "executed":
                self.plivo.control.faults.on("start", times=1).status(503, executed=True)
            case _:
                pass
        response = await self.way.handle_async_request(request)
        match self.trouble:
            case "early":
                await self.call_now()
            case "unanswered":
                raise httpx.ReadTimeout("its answer was lost")
            case "senseless":
                return httpx.Response(202, text="<html>")
            case _:
                pass
        return response


class AnyOrder(RuleBasedStateMachine):
    """A tracker and a Plivo, and everything that may come between them."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.callbacks: list[Callback] = []
        self.heard: set[tuple[str, str]] = set()
        self.handled: set[str] = set()
        self.world = World(auth_id=AUTH_ID, url="http://plivo.example")
        self.store = LastingStore()
        self.run(self.begin())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def begin(self) -> None:
        plivo = app_around(self.world, self.callbacks, auth_token=TOKEN)
        self.network = TroubledNetwork(plivo, self.call_all)
        self.client = RecordClient(
            AUTH_ID, TOKEN, base_url=self.world.url, transport=self.network, rate_limit=None, max_retries=0
        )
        await self.open()

    async def open(self) -> None:
        self.tracker = RecordingTracker(self.client, public_url=PUBLIC_URL, store=self.store, tracking=SHORT_INTERVALS)

        @self.tracker.on(RecordingEnded)
        async def note(_: RecordingEnded, recording: TrackedRecording) -> None:
            self.handled.add(recording.start_id)

        await self.tracker.__aenter__()

    async def call(self, callback: Callback) -> None:
        reply = await deliver_callback(self.tracker, callback.url, callback.fields, method=callback.method)
        assert reply.status_code == 200
        self.heard.add((callback.kind, callback.api_id))

    async def call_all(self) -> None:
        while self.callbacks:
            await self.call(self.callbacks.pop())

    # What may happen

    async def started(self, room: str) -> None:
        try:
            recording = await self.tracker.start(room, transcribe=True, dedupe_key=room)
        except PlivoRecordError:
            return
        assert recording.conference_name == room

    @initialize(starts=st.lists(st.tuples(ROOMS, TROUBLES, st.booleans()), min_size=8, max_size=16))
    def begin_with(self, starts: list[tuple[str, Trouble, bool]]) -> None:
        for room, trouble, patient in starts:
            self.start(room, trouble, patient)

    @rule(room=ROOMS, trouble=TROUBLES, patient=st.booleans())
    def start(self, room: str, trouble: Trouble, patient: bool) -> None:
        self.network.trouble = trouble
        self.run(self.started(room) if patient else self.started_in_vain(room))

    async def started_in_vain(self, room: str) -> None:
        """Who asked for it goes away while it is under way."""
        self.network.arrived.clear()
        self.network.go.clear()
        task = asyncio.create_task(self.started(room))
        arrived = asyncio.create_task(self.network.arrived.wait())
        await asyncio.wait([task, arrived], return_when=asyncio.FIRST_COMPLETED)
        arrived.cancel()
        task.cancel()
        await asyncio.wait([task, arrived])
        self.network.go.set()
        await asyncio.sleep(0.01)  # or the next one's trouble would be this one's

    @property
    def live(self) -> list[str]:
        return [each.name for each in self.world.conferences.values() if each.live]

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        self.run(self.ended(data.draw(st.sampled_from(self.live))))

    async def ended(self, room: str) -> None:
        self.network.plivo.control.end_conference(room)

    @precondition(lambda self: self.callbacks)
    @rule(data=st.data(), copies=st.integers(0, 3))
    def call_one(self, data: st.DataObject, copies: int) -> None:
        callback = self.callbacks.pop(data.draw(st.integers(0, len(self.callbacks) - 1)))

        async def calling() -> None:
            await asyncio.gather(*(self.call(callback) for _ in range(copies)))

        self.run(calling())

    @rule()
    def restart(self) -> None:
        async def restarting() -> None:
            await self.tracker.aclose(grace=0.5)
            await self.open()

        self.run(restarting())

    @rule(ticks=st.integers(1, 5))
    def wait(self, ticks: int) -> None:
        self.run(asyncio.sleep(ticks * SHORT_INTERVALS.poll_interval.total_seconds()))

    # What must hold

    async def records(self) -> list[FollowedRecording]:
        kept = [await self.store.get(start_id) for start_id in self.store.start_ids]
        return [record for record in kept if record is not None]

    @invariant()
    def nothing_is_executed_twice(self) -> None:
        assert all(each.executed_starts <= 1 for each in self.world.conferences.values())

    @invariant()
    def states_only_move_forward(self) -> None:
        for record in self.run(self.records()):
            states: list[RecordingState] = [step.state for step in record.history]
            for before, after in pairwise(states):
                assert RANKS[before] <= RANKS[after] or (before, after) == ("not_sent", "sending")

    def teardown(self) -> None:
        self.run(self.settled())
        self.runner.close()

    async def settled(self) -> None:
        for room in {record.conference_name for record in await self.records()}:
            if room not in self.world.conferences:
                self.network.plivo.control.open_conference(room)
            if self.world.conferences[room].live:
                await self.ended(room)
        await self.call_all()
        records = await self.records()
        starts = {record.request.callback_url: record.start_id for record in records}
        executed = {starts[recording.callback_url]: recording for recording in self.world.recordings.values()}
        for record in records:
            await self.comes_to_its_end(record.start_id, executed.get(record.start_id))
        await self.tracker.aclose()
        await self.client.aclose()
        assert self.handled == executed.keys()
        assert await self.store.orphans() == []

    async def comes_to_its_end(self, start_id: str, real: Recording | None) -> None:
        async with asyncio.timeout(10):
            record = await self.store.get(start_id)
            while record is not None and not _is_over(record):
                record = await self.store.watch(start_id, version=record.version)
        assert record is not None
        if real is None:
            assert record.state in {"absent", "rejected", "not_sent"}
            return
        assert record.ended is not None
        assert (record.ended.recording_id, record.ended.record_url) == (real.recording_id, real.url)
        assert record.ended.duration_ms == real.duration_ms
        was_heard = ("transcription", real.api_id) in self.heard
        # The tracker asks Plivo for a transcript whose callback is lost.
        found = {"recorded", "transcribed"} if record.expects_transcript else {"recorded"}
        assert record.state in ({"transcribed"} if was_heard else found)


def _is_over(record: FollowedRecording) -> bool:
    return not record.unhandled and (record.ended is not None or record.state in {"absent", "rejected", "not_sent"})


AnyOrder.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestAnyOrder = AnyOrder.TestCase
