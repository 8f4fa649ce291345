"""What the demo does, with a local Plivo or with the real one. Needs the extra ``emulator``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing, suppress
from typing import Any

import attrs

from plivo_record_async.cli.demo.room_status import RoomStatus, What
from plivo_record_async.cli.listen.events import received
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.client import RecordClient
from plivo_record_async.emulator import Emulator
from plivo_record_async.errors import ApiError, NotSentError, PlivoRecordError, RecordingFailedError
from plivo_record_async.serving import open_listener, serving, url_of
from plivo_record_async.stores import MemoryStore
from plivo_record_async.stores.interface import StoreChange
from plivo_record_async.tracker import RecordingTracker
from plivo_record_async.tracking.handle import TrackedRecording

__all__ = ["Event", "Scenario", "open_scenario"]

Event = dict[str, Any]
"""What happened, as the object that ``--json`` prints."""

_BETWEEN_ENDS = 0.1
"""Seconds between the ends of two conferences, so that a user can see them end one by one."""


@asynccontextmanager
async def open_scenario(
    names: Sequence[str], *, live: bool, public_url: str | None, port: int, seconds: float
) -> AsyncGenerator[Scenario]:
    """Connect to a local Plivo, or to the real one, inside this block.

    It requests no transcripts from the real Plivo: they cost money, and take minutes.

    Args:
        names: The names of the conferences.
        live: Whether to connect to the real Plivo, or to the one that PLIVO_BASE_URL names.
        public_url: The URL at which the real Plivo reaches the tracker. If None, it makes synchronous starts only.
        port: The port of the tracker; 0 takes any free one.
        seconds: How long to record.

    Raises:
        ConfigurationError: Credentials are missing, the port is taken, or the URL is malformed.
    """
    async with AsyncExitStack() as stack:
        plivo = None if live else await stack.enter_async_context(Emulator())
        client = await stack.enter_async_context(
            RecordClient() if plivo is None else RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url)
        )
        scenario = Scenario(client=client, emulator=plivo, seconds=seconds, callback_timeout=60 if live else 5)
        if plivo is not None or public_url is not None:
            listener = stack.enter_context(closing(open_listener("127.0.0.1", port)))
            scenario.listener = url_of(listener)
            store = MemoryStore(observer=scenario.count_callbacks)
            tracker = RecordingTracker(client, public_url=public_url or scenario.listener, store=store)
            scenario.tracker = await stack.enter_async_context(tracker)
            await stack.enter_async_context(serving(tracker, listener))
        for n, name in enumerate(names):
            followed = scenario.tracker is not None and n % 5 not in {1, 3}
            transcribe = plivo is not None and n % 5 == 0
            scenario.rooms.append(RoomStatus(name=name, mode="async" if followed else "sync", transcribe=transcribe))
        yield scenario


@attrs.define(kw_only=True)
class Scenario:
    """Starts all recordings, ends some of the conferences, stops the other recordings, and follows each to its end.

    Attributes:
        client: Starts recordings in synchronous mode, and stops all recordings.
        seconds: How long to record.
        callback_timeout: How many seconds to wait at the end for callbacks that have not arrived.
        emulator: The local Plivo. If None, it is the real one.
        rooms: The conferences.
        tracker: Starts and follows recordings in asynchronous mode.
        listener: The URL at which the tracker is served.
        end_now: An event that ends the recordings before their time when it is set.
        callbacks: How many callbacks were verified and stored.
        errors: The errors of the calls that failed.
        problems: Everything that went wrong, in words.
    """

    client: RecordClient
    seconds: float
    callback_timeout: float
    emulator: Emulator | None = None
    rooms: list[RoomStatus] = attrs.field(factory=list[RoomStatus])
    tracker: RecordingTracker | None = None
    listener: str | None = None
    end_now: asyncio.Event = attrs.field(factory=asyncio.Event)
    callbacks: int = 0
    errors: list[Exception] = attrs.field(factory=list[Exception])
    problems: list[str] = attrs.field(factory=list[str])
    _show: Callable[[Event], None] = attrs.field(init=False)
    _began: float = attrs.field(init=False)
    _not_running: set[str] = attrs.field(factory=set[str])

    async def run(self, show: Callable[[Event], None]) -> None:
        """Run the scenario. Recordings that may have been started are stopped even if this is cancelled.

        Args:
            show: Is called with each event.
        """
        self._show = show
        self._began = asyncio.get_running_loop().time()
        base_url = self.client.settings.base_url
        show({"type": "Opened", "plivo": base_url, "listener": self.listener, "rooms": self._rooms_as_json()})
        with showing_log(self._warn):
            try:
                async with asyncio.timeout(None) as deadline, asyncio.TaskGroup() as following:
                    try:
                        await self._start(following)
                        await self._wait_while_recording()
                        await self._end_conferences()
                    finally:
                        await self._stop()
                        self._chapter("waiting for what is still to come")
                        deadline.reschedule(asyncio.get_running_loop().time() + self.callback_timeout)
                        if self.emulator is not None:
                            await self.emulator.callbacks_settled()
            except TimeoutError:
                self._chapter(f"gave up waiting after {self.callback_timeout:g} s")
        self._show_summary()

    def count_callbacks(self, change: StoreChange) -> None:
        """Observe the tracker's store."""
        self.callbacks += len(list(received(change)))

    async def _start(self, following: asyncio.TaskGroup) -> None:
        self._chapter("starting the recordings, all at once")
        async with asyncio.TaskGroup() as starting:
            for room in self.rooms:
                starting.create_task(self._start_one(room, following))

    async def _start_one(self, room: RoomStatus, following: asyncio.TaskGroup) -> None:
        try:
            if room.mode == "async" and self.tracker is not None:
                recording = await self.tracker.start(room.name, file_format="wav", transcribe=room.transcribe)
                following.create_task(self._follow(room, recording))
            else:
                answer = await self.client.start_recording(room.name, file_format="wav")
                self._happened(room, "started", api_id=answer.api_id, recording_id=answer.recording_id)
        except PlivoRecordError as error:
            self._failed(room, error)

    async def _follow(self, room: RoomStatus, recording: TrackedRecording) -> None:
        try:
            status = await recording.accepted()
            self._happened(room, "accepted", api_id=status.api_id)
            ended = await recording.recorded()
            self._happened(room, "recorded", recording_id=ended.recording_id, duration_ms=ended.duration_ms)
            if room.transcribe:
                text = await recording.transcribed()
                self._happened(room, "transcribed", transcription=text.transcription)
        except PlivoRecordError as error:
            self._failed(room, error)

    async def _wait_while_recording(self) -> None:
        self._chapter("recording")
        with suppress(TimeoutError):
            await asyncio.wait_for(self.end_now.wait(), self.seconds)

    async def _end_conferences(self) -> None:
        if self.emulator is None:
            return
        self._chapter("ending some of the conferences")
        for room in [room for room in self.rooms if room.mode == "async"][::2]:
            if room.accepted is not None:
                await asyncio.sleep(_BETWEEN_ENDS)
                await self.emulator.end_conference(room.name)
                self._happened(room, "conference ended")

    async def _stop(self) -> None:
        self._chapter("stopping the recordings that still run")
        running = {room.name: room for room in self.rooms if room.over is None and room.name not in self._not_running}
        async with aclosing(self.client.stop_many(list(running))) as outcomes:
            async for outcome in outcomes:
                if outcome.error is None:
                    self._happened(running[outcome.request], "stopped")
                else:
                    self._failed(running[outcome.request], outcome.error)

    def _show_summary(self) -> None:
        self.problems += [f"{room.name}: {problem}" for room in self.rooms for problem in self._problems(room)]
        executions = None if self.emulator is None else sum(self.emulator.executions(room.name) for room in self.rooms)
        self._show(
            {
                "type": "Closed",
                "ok": not self.problems,
                "at": self._elapsed(),
                "rooms": self._rooms_as_json(),
                "callbacks": self.callbacks,
                "executions": executions,
                "problems": self.problems,
            }
        )

    def _problems(self, room: RoomStatus) -> Iterator[str]:
        if room.error is not None:
            yield room.error
        elif room.at(room.last) is None:
            yield f"it was never {room.last}"
        if room.at("recorded") is not None and not room.duration_ms:
            yield "its recording is empty"
        if room.error is None and self.emulator is not None and (times := self.emulator.executions(room.name)) != 1:
            yield f"its start was executed {times} times"

    def _rooms_as_json(self) -> list[dict[str, Any]]:
        return [room.as_record() for room in self.rooms]

    def _elapsed(self) -> float:
        return round(asyncio.get_running_loop().time() - self._began, 3)

    def _chapter(self, title: str) -> None:
        self._show({"type": "Chapter", "at": self._elapsed(), "title": title})

    def _warn(self, text: str) -> None:
        self.problems.append(text)
        self._show({"type": "Warned", "at": self._elapsed(), "text": text})

    def _failed(self, room: RoomStatus, error: Exception) -> None:
        self.errors.append(error)
        if isinstance(error, ApiError | NotSentError | RecordingFailedError):
            self._not_running.add(room.name)
        self._happened(room, "failed", error=str(error))

    def _happened(self, room: RoomStatus, what: What, **facts: str | int | None) -> None:
        at = self._elapsed()
        room.steps.append((at, what))
        for name, value in facts.items():
            if value is not None:
                setattr(room, name, value)
        record = room.as_record()
        del record["steps"], record["measured_ms"]
        self._show({"type": "Happened", "at": at, "what": what} | record)
