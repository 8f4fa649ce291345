"""What happens in the demo, as events; nothing here prints.

The story knows a client and a `Plan`, so it is the same whether the client talks to the local Plivo or to the real
one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import datetime
from typing import Any

import attrs

from plivo_record_async.cli.demo.events import Chapter, Closed, Event, Happened, Opened, Refused, Room, Step, What
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import ApiError, CallbackRejectedError, NotSentError
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    Outcome,
    PendingResponse,
    RecordingEnded,
    RecordingStarted,
    StartRequest,
)

__all__ = ["Plan", "Story"]


@attrs.frozen(kw_only=True)
class Plan:
    """What the story needs to know of the place where it plays.

    Attributes:
        plivo: The API's address.
        listener: The callback listener's address, if there is one.
        rooms: The conferences, in order.
        seconds: How long to record.
        patience: How many seconds to wait for callbacks in the end.
        ending: Names of the conferences that are ended from outside; the others' recordings are stopped.
        end_conference: Ends a conference from outside, so that Plivo calls back.
        executions: How many starts of a conference were executed, where that can be known.
        answers: Whether each start in asynchronous mode must be answered by a callback of its own; Plivo's documents
            disagree on it, so of the real API only the callback that the recording ended is expected.
            https://plivo.com/docs/voice/api/conferences
    """

    plivo: str
    listener: str | None
    rooms: tuple[Room, ...]
    seconds: float
    patience: float
    ending: tuple[str, ...] = ()
    end_conference: Callable[[str], Awaitable[object]] | None = None
    executions: Callable[[str], int] | None = None
    answers: bool = False


class Story:
    """Starts all recordings, lets them run, ends or stops them, and waits until every callback has come.

    Args:
        client: Starts and stops the recordings.
        plan: Where it plays.
        now: Reads the clock.
        tell: Is told each event.

    Attributes:
        errors: What the calls ended with that did not succeed.
    """

    def __init__(
        self, client: RecordClient, plan: Plan, *, now: Callable[[], datetime], tell: Callable[[Event], None]
    ) -> None:
        self.errors: list[Exception] = []
        self._client = client
        self._plan = plan
        self._rooms = {room.name: room for room in plan.rooms}
        self._now = now
        self._began = now()
        self._tell = tell
        self._verified = 0
        self._refusals: list[str] = []
        self._never_began: set[str] = set()
        self._heard = asyncio.Event()

    async def play(self) -> Closed:
        """Play it all; whatever may have been started is stopped even when this is cancelled."""
        plan = self._plan
        callbacks = sum(len(self._awaited(room)) for room in plan.rooms)
        self._tell(Opened(plivo=plan.plivo, listener=plan.listener, rooms=plan.rooms, callbacks=callbacks))
        try:
            await self._start()
            await self._record()
            await self._end_conferences()
        finally:
            await self._stop()
        await self._wait_for_callbacks()
        end = self._closed()
        self._tell(end)
        return end

    def heard(self, name: str, event: CallbackEvent) -> None:
        """Take a verified callback about the room of that name."""
        self._verified += 1
        match event:
            case ApiResponse(api_id=api_id, error=None, answer=answer):
                self._happened(name, "answered", api_id=api_id, recording_id=answer.get("recording_id"))
            case ApiResponse(api_id=api_id, error=error):
                self._never_began.add(name)
                self._happened(name, "failed", api_id=api_id, error=f"Plivo called back with an error: {error}")
            case RecordingEnded(recording_id=recording_id, duration_ms=duration_ms):
                self._happened(name, "recorded", recording_id=recording_id, duration_ms=duration_ms)
            case _:
                self._refused(f"{name}: an unexpected callback came: {event!r}")
        self._heard.set()

    def refuse(self, error: CallbackRejectedError) -> None:
        """Take note of a callback that was turned away."""
        self._refused(f"a callback was refused: {error}")

    async def _start(self) -> None:
        self._chapter("starting the recordings, all at once")
        requests = [
            StartRequest(room.name, file_format="wav", callback_url=room.callback_url) for room in self._rooms.values()
        ]
        async with aclosing(self._client.start_many(requests)) as outcomes:
            async for outcome in outcomes:
                self._started(outcome)

    def _started(self, outcome: Outcome[StartRequest, RecordingStarted | PendingResponse]) -> None:
        name = outcome.request.conference_name
        if outcome.error is not None:
            if isinstance(outcome.error, ApiError | NotSentError):
                self._never_began.add(name)
            self._failed(name, outcome.error)
            return
        match outcome.result:
            case RecordingStarted(api_id=api_id, recording_id=recording_id):
                self._happened(name, "started", api_id=api_id, recording_id=recording_id)
            case pending:
                self._happened(name, "pending", api_id=pending.api_id if pending else None)

    async def _record(self) -> None:
        self._chapter("recording")
        await asyncio.sleep(self._plan.seconds)

    async def _end_conferences(self) -> None:
        if self._plan.end_conference is None:
            return
        self._chapter("ending some of the conferences")
        for name in (name for name in self._plan.ending if self._rooms[name].accepted is not None):
            await self._plan.end_conference(name)
            self._happened(name, "conference ended")

    async def _stop(self) -> None:
        names = [room.name for room in self._rooms.values() if room.over is None and room.name not in self._never_began]
        self._chapter("stopping the recordings that still run")
        async with aclosing(self._client.stop_many(names)) as outcomes:
            async for outcome in outcomes:
                if outcome.error is None:
                    self._happened(outcome.request, "stopped")
                else:
                    self._failed(outcome.request, outcome.error)

    async def _wait_for_callbacks(self) -> None:
        self._chapter("waiting for callbacks")
        try:
            async with asyncio.timeout(self._plan.patience):
                while any(self._awaited(room) for room in self._rooms.values()):
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            self._chapter(f"gave up waiting for callbacks after {self._plan.patience:g} s")

    def _awaited(self, room: Room) -> list[What]:
        """The callbacks that have not come yet."""
        if room.mode == "sync" or room.error is not None:
            return []
        wanted: list[What] = ["answered", "recorded"] if self._plan.answers else ["recorded"]
        return [what for what in wanted if room.at(what) is None]

    def _closed(self) -> Closed:
        problems = [
            *self._refusals,
            *(f"{room.name}: {text}" for room in self._rooms.values() for text in self._problems(room)),
        ]
        count = self._plan.executions
        return Closed(
            at=self._elapsed(),
            rooms=tuple(self._rooms.values()),
            callbacks=self._verified,
            executions=None if count is None else sum(map(count, self._rooms)),
            problems=tuple(problems),
        )

    def _problems(self, room: Room) -> Iterator[str]:
        if room.error is not None:
            yield room.error
        for what in self._awaited(room):
            yield f"the callback '{what}' never came"
        if room.at("recorded") is not None and not room.duration_ms:
            yield "its recording is empty"
        if self._plan.executions is not None and room.error is None and self._plan.executions(room.name) != 1:
            yield f"its start was executed {self._plan.executions(room.name)} times"

    def _elapsed(self) -> float:
        return round((self._now() - self._began).total_seconds(), 3)

    def _chapter(self, title: str) -> None:
        self._tell(Chapter(at=self._elapsed(), title=title))

    def _refused(self, error: str) -> None:
        self._refusals.append(error)
        self._tell(Refused(at=self._elapsed(), error=error))

    def _failed(self, name: str, error: Exception) -> None:
        self.errors.append(error)
        self._happened(name, "failed", error=str(error))

    def _happened(self, name: str, what: What, **learned: Any) -> None:
        step = Step(at=self._elapsed(), what=what)
        room = self._rooms[name]
        news = {key: value for key, value in learned.items() if value is not None}
        self._rooms[name] = attrs.evolve(room, steps=(*room.steps, step), **news)
        self._tell(Happened(step=step, room=self._rooms[name]))
