"""What happens in the demo, as events; nothing here prints.

The story knows a `Plan`, so it is the same whether the client talks to the local Plivo or to the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any

import attrs

from plivo_record_async.cli.demo.events import Chapter, Closed, Event, Happened, Mode, Opened, Room, Step, Warned, What
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import ApiError, NotSentError, PlivoRecordError, RecordingFailedError
from plivo_record_async.protocol.models import Outcome, StartRequest
from plivo_record_async.stores.interface import Store
from plivo_record_async.tracker import RecordingTracker
from plivo_record_async.tracking.handle import TrackedRecording

__all__ = ["Followed", "Plan", "Story"]

Outcomes = AsyncGenerator[Outcome[StartRequest, Any], None]

_CALLBACKS = {"start_confirmed", "start_failed", "recording_ended", "transcribed", "transcription_failed"}
"""The steps of a followed recording that a verified callback made."""


@attrs.frozen(kw_only=True)
class Followed:
    """What follows the recordings.

    Attributes:
        tracker: Starts them in asynchronous mode; it is served, and Plivo reaches it.
        store: Where it keeps them.
        url: Where it is served.
    """

    tracker: RecordingTracker
    store: Store
    url: str


@attrs.frozen(kw_only=True)
class Plan:
    """What the story needs to know of the place where it plays.

    Attributes:
        client: Starts recordings in synchronous mode, and stops all.
        followed: What follows those in asynchronous mode; if there are none, nothing does.
        rooms: The conferences, in order.
        seconds: How long to record.
        patience: How many seconds to wait in the end for what is still to come.
        ending: Names of the conferences that are ended from outside; the others' recordings are stopped.
        end_conference: Ends a conference from outside, so that Plivo calls back.
        executions: How many starts of a conference were executed, where that can be known.
        callbacks_settled: Waits until no callback is under way, where that can be known.
    """

    client: RecordClient
    followed: Followed | None = None
    rooms: tuple[Room, ...]
    seconds: float
    patience: float
    ending: tuple[str, ...] = ()
    end_conference: Callable[[str], Awaitable[object]] | None = None
    executions: Callable[[str], int] | None = None
    callbacks_settled: Callable[[], Awaitable[object]] | None = None


class Story:
    """Starts all recordings, lets them run, ends or stops them, and follows each to its last stage.

    Args:
        plan: Where it plays.
        now: Reads the clock.
        tell: Is told each event.
        hurry: Once it is set, recordings are ended at once instead of after the plan's time.

    Attributes:
        errors: What the calls ended with that did not succeed.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        now: Callable[[], datetime],
        tell: Callable[[Event], None],
        hurry: asyncio.Event | None = None,
    ) -> None:
        self.errors: list[Exception] = []
        self._plan = plan
        self._rooms = {room.name: room for room in plan.rooms}
        self._now = now
        self._began = now()
        self._tell = tell
        self._hurry = hurry or asyncio.Event()
        self._start_ids: list[str] = []
        self._warnings: list[str] = []
        self._not_running: set[str] = set()

    async def play(self) -> Closed:
        """Play it all; whatever may have been started is stopped even when this is cancelled."""
        plan = self._plan
        listener = None if plan.followed is None else plan.followed.url
        self._tell(Opened(plivo=plan.client.settings.base_url, listener=listener, rooms=plan.rooms))
        try:
            async with asyncio.timeout(None) as patience, asyncio.TaskGroup() as following:
                try:
                    await self._start(following)
                    await self._record()
                    await self._end_conferences()
                finally:
                    await self._stop()
                    self._chapter("waiting for what is still to come")
                    patience.reschedule(asyncio.get_running_loop().time() + plan.patience)
                    if plan.callbacks_settled is not None:
                        await plan.callbacks_settled()
        except TimeoutError:
            self._chapter(f"gave up waiting after {plan.patience:g} s")
        closed = await self._closed()
        self._tell(closed)
        return closed

    def warn(self, text: str) -> None:
        """Take note of something that was logged."""
        self._warnings.append(text)
        self._tell(Warned(at=self._elapsed(), text=text))

    async def _start(self, following: asyncio.TaskGroup) -> None:
        self._chapter("starting the recordings, all at once")
        async with asyncio.TaskGroup() as starting:
            for outcomes in self._batches():
                starting.create_task(self._take(outcomes, following))

    def _batches(self) -> Iterator[Outcomes]:
        yield self._plan.client.start_many(self._requests("sync"))
        if self._plan.followed is not None:
            for transcribe in (False, True):
                requests = self._requests("async", transcribe=transcribe)
                yield self._plan.followed.tracker.start_many(requests, transcribe=transcribe)

    def _requests(self, mode: Mode, *, transcribe: bool = False) -> list[StartRequest]:
        rooms = [room for room in self._plan.rooms if (room.mode, room.transcribe) == (mode, transcribe)]
        return [StartRequest(room.name, file_format="wav") for room in rooms]

    async def _take(self, outcomes: Outcomes, following: asyncio.TaskGroup) -> None:
        async with aclosing(outcomes):
            async for outcome in outcomes:
                name = outcome.request.conference_name
                if outcome.error is not None:
                    self._failed(name, outcome.error)
                elif isinstance(outcome.result, TrackedRecording):
                    following.create_task(self._follow(outcome.result))
                else:
                    started: Any = outcome.result
                    self._happened(name, "started", api_id=started.api_id, recording_id=started.recording_id)

    async def _follow(self, recording: TrackedRecording) -> None:
        """Await the stages of a recording, one after the other."""
        name = recording.conference_name
        self._start_ids.append(recording.start_id)
        try:
            status = await recording.accepted()
            self._happened(name, "accepted", api_id=status.api_id)
            ended = await recording.recorded()
            self._happened(name, "recorded", recording_id=ended.recording_id, duration_ms=ended.duration_ms)
            if self._rooms[name].transcribe:
                text = await recording.transcribed()
                self._happened(name, "transcribed", transcription=text.transcription)
        except PlivoRecordError as error:
            self._failed(name, error)

    async def _record(self) -> None:
        self._chapter("recording")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), self._plan.seconds)

    async def _end_conferences(self) -> None:
        if self._plan.end_conference is None:
            return
        self._chapter("ending some of the conferences")
        for name in (name for name in self._plan.ending if self._rooms[name].accepted is not None):
            await self._plan.end_conference(name)
            self._happened(name, "conference ended")

    async def _stop(self) -> None:
        names = [room.name for room in self._rooms.values() if room.over is None and room.name not in self._not_running]
        self._chapter("stopping the recordings that still run")
        async with aclosing(self._plan.client.stop_many(names)) as outcomes:
            async for outcome in outcomes:
                if outcome.error is None:
                    self._happened(outcome.request, "stopped")
                else:
                    self._failed(outcome.request, outcome.error)

    async def _closed(self) -> Closed:
        problems = [
            *self._warnings,
            *(f"{room.name}: {text}" for room in self._rooms.values() for text in self._problems(room)),
        ]
        count = self._plan.executions
        return Closed(
            at=self._elapsed(),
            rooms=tuple(self._rooms.values()),
            callbacks=await self._callbacks(),
            executions=None if count is None else sum(map(count, self._rooms)),
            problems=tuple(problems),
        )

    async def _callbacks(self) -> int:
        """How many callbacks were verified and stored."""
        if self._plan.followed is None:
            return 0
        records = [await self._plan.followed.store.get(start_id) for start_id in self._start_ids]
        return sum(step.kind in _CALLBACKS for record in records if record for step in record.steps)

    def _problems(self, room: Room) -> Iterator[str]:
        if room.error is not None:
            yield room.error
        elif not room.done:
            yield f"it was never {room.last}"
        if room.at("recorded") is not None and not room.duration_ms:
            yield "its recording is empty"
        if self._plan.executions is not None and room.error is None and self._plan.executions(room.name) != 1:
            yield f"its start was executed {self._plan.executions(room.name)} times"

    def _elapsed(self) -> float:
        return round((self._now() - self._began).total_seconds(), 3)

    def _chapter(self, title: str) -> None:
        self._tell(Chapter(at=self._elapsed(), title=title))

    def _failed(self, name: str, error: Exception) -> None:
        self.errors.append(error)
        if isinstance(error, ApiError | NotSentError | RecordingFailedError):
            self._not_running.add(name)
        self._happened(name, "failed", error=str(error))

    def _happened(self, name: str, what: What, **learned: Any) -> None:
        step = Step(at=self._elapsed(), what=what)
        room = self._rooms[name]
        news = {key: value for key, value in learned.items() if value is not None}
        self._rooms[name] = attrs.evolve(room, steps=(*room.steps, step), **news)
        self._tell(Happened(step=step, room=self._rooms[name]))
