"""`Scenario`, which runs the demo with the emulator or with the real Plivo. It needs the extra ``emulator``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, closing, suppress
from typing import Any, Literal

import attrs

from plivo_record_async.cli.listen.events import received
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.signals import EndSignal
from plivo_record_async.client import RecordClient
from plivo_record_async.emulator import Emulator
from plivo_record_async.errors import ApiError, NotSentError, PlivoRecordError, RecordingFailedError
from plivo_record_async.serving import open_listener, serving, url_of
from plivo_record_async.stores import MemoryStore
from plivo_record_async.stores.interface import StoreChange
from plivo_record_async.tracker import RecordingTracker
from plivo_record_async.tracking.handle import TrackedRecording

__all__ = ["DemoConference", "Event", "Scenario", "Step"]

Event = dict[str, Any]
"""What happened, as a JSON object."""

Step = Literal["started", "accepted", "conference ended", "stopped", "recorded", "transcribed", "failed"]
"""What can happen to a recording. A synchronous start is ``started``; in asynchronous mode it is ``accepted``."""


@attrs.define(kw_only=True)
class DemoConference:
    """A conference and its recording. The attributes are fields of its JSON object.

    Attributes:
        mode: How its recording is started. A recording that is started in asynchronous mode is followed.
        duration_ms: The length of the recording, from its callback.
        measured_ms: The time between Plivo's response to the start and the moment at which the end was known.
        steps: What happened, in order: the seconds since the demo began in ``at``, and a `Step` in ``what``.
    """

    conference_name: str
    mode: Literal["sync", "async"] = "sync"
    transcribe: bool = False
    api_id: str | None = None
    recording_id: str | None = None
    duration_ms: int | None = None
    measured_ms: int | None = None
    transcription: str | None = None
    steps: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])
    error: str | None = None

    def time_of(self, *steps: Step) -> float | None:
        """Return when the first of these steps happened, or None."""
        return next((step["at"] for step in self.steps if step["what"] in steps), None)

    @property
    def accepted_at(self) -> float | None:
        """When Plivo accepted the start, or None."""
        return self.time_of("started", "accepted")

    @property
    def over_at(self) -> float | None:
        """When the recording was known to be over, or None."""
        return self.time_of("conference ended", "stopped", "recorded")

    @property
    def last_step(self) -> Step:
        """The step that happens last if nothing fails."""
        return "stopped" if self.mode == "sync" else "transcribed" if self.transcribe else "recorded"

    def problems(self, executions: int) -> Iterator[str]:
        """Yield what went wrong, given how often the start was executed."""
        if self.error is not None:
            yield self.error
        elif self.time_of(self.last_step) is None:
            yield f"it was never {self.last_step}"
        if self.time_of("recorded") is not None and not self.duration_ms:
            yield "its recording is empty"
        if self.error is None and executions != 1:
            yield f"its start was executed {executions} times"


@attrs.define(kw_only=True)
class Scenario:
    """Starts all recordings, ends some of the conferences, stops the other recordings, and follows each to its end.

    Attributes:
        conferences: The conferences.
        emulator: The emulator, which runs as long as the scenario. If None, the demo uses the account in
            ``PLIVO_AUTH_ID``.
        seconds: How long to record.
        callback_timeout: How many seconds to wait at the end for callbacks that have not arrived.
        ended: An event that ends the demo early. After a second signal, the demo waits for nothing.
        show: The function that shows an event.
        keep_open: Whether the emulator runs after the last event until `ended` is set.
        callbacks: How many callbacks were verified and stored.
        errors: The errors of the calls that failed.
        problems: Everything that went wrong, in words.
        ended_early: Whether `ended` was set before the last event.
    """

    conferences: Sequence[DemoConference]
    emulator: Emulator | None
    seconds: float
    callback_timeout: float
    ended: EndSignal
    show: Callable[[Event], None]
    keep_open: bool = False
    callbacks: int = 0
    errors: list[Exception] = attrs.field(factory=list[Exception])
    problems: list[str] = attrs.field(factory=list[str])
    ended_early: bool = False
    _client: RecordClient = attrs.field(init=False)
    _tracker: RecordingTracker = attrs.field(init=False)
    _began: float = attrs.field(init=False)
    _never_ran: set[str] = attrs.field(factory=set[str])
    _following: set[asyncio.Task[None]] = attrs.field(factory=set[asyncio.Task[None]])

    async def run(self, *, public_url: str | None = None, port: int = 0) -> None:
        """Run the scenario. The recordings are stopped whatever happens.

        Args:
            public_url: The URL at which Plivo reaches the tracker. If None, the tracker's own address.
            port: The port of the tracker. If 0, any free port.

        Raises:
            ConfigurationError: Credentials are missing, the port is taken, or the URL is malformed.
        """
        async with AsyncExitStack() as stack:
            plivo = None if self.emulator is None else await stack.enter_async_context(self.emulator)
            client = RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) if plivo else RecordClient()
            self._client = await stack.enter_async_context(client)
            url = None
            if any(conference.mode == "async" for conference in self.conferences):
                listener = stack.enter_context(closing(open_listener("127.0.0.1", port)))
                url = url_of(listener)
                store = MemoryStore(observer=self._count_callbacks)
                self._tracker = RecordingTracker(client, public_url=public_url or url, store=store)
                await stack.enter_async_context(self._tracker)
                await stack.enter_async_context(serving(self._tracker, listener))
            self._began = asyncio.get_running_loop().time()
            self._show("Opened", plivo=client.settings.base_url, listener=url, rooms=self._conferences_as_json())
            with showing_log(self._warn):
                await self._play()
            self._show_result()
            self.ended_early = self.ended.is_set()
            if self.keep_open:
                await self.ended.wait()

    def _show_result(self) -> None:
        executions = [
            self.emulator.executions(conference.conference_name) if self.emulator else 1
            for conference in self.conferences
        ]
        for conference, number in zip(self.conferences, executions, strict=True):
            self.problems += [f"{conference.conference_name}: {problem}" for problem in conference.problems(number)]
        known = {"callbacks": self.callbacks, "executions": sum(executions) if self.emulator else None}
        self._show("Closed", ok=not self.problems, rooms=self._conferences_as_json(), **known, problems=self.problems)

    async def _play(self) -> None:
        ending = asyncio.create_task(self._end_at_once())
        try:
            self._show("Chapter", title="starting the recordings, all at once")
            await asyncio.gather(*map(self._start, self.conferences))
            self._show("Chapter", title="recording")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), self.seconds)
            if self.emulator is not None and not self.ended.is_set():
                await self._end_conferences(self.emulator)
        finally:
            await self._stop()
        self._show("Chapter", title="waiting for what is still to come")
        if self.emulator is not None:
            self._following.add(asyncio.create_task(self.emulator.callbacks_settled()))
        if self._following and (await asyncio.wait(self._following, timeout=self.callback_timeout))[1]:
            self._show("Chapter", title=f"gave up waiting after {self.callback_timeout:g} s")
        for task in (ending, *self._following):
            task.cancel()

    async def _end_at_once(self) -> None:
        await self.ended.repeated.wait()
        await self._client.aclose(grace=0)
        for task in self._following:
            task.cancel()

    async def _start(self, conference: DemoConference) -> None:
        name = conference.conference_name
        try:
            if conference.mode == "async":
                recording = await self._tracker.start(name, file_format="wav", transcribe=conference.transcribe)
                self._following.add(asyncio.create_task(self._follow(conference, recording)))
            else:
                started = await self._client.start_recording(name, file_format="wav")
                self._happened(conference, "started", api_id=started.api_id, recording_id=started.recording_id)
        except PlivoRecordError as error:
            self._failed(conference, error)

    async def _follow(self, conference: DemoConference, recording: TrackedRecording) -> None:
        try:
            status = await recording.accepted()
            self._happened(conference, "accepted", api_id=status.api_id)
            ended = await recording.recorded()
            self._happened(conference, "recorded", recording_id=ended.recording_id, duration_ms=ended.duration_ms)
            if conference.transcribe:
                text = await recording.transcribed()
                self._happened(conference, "transcribed", transcription=text.transcription)
        except PlivoRecordError as error:
            self._failed(conference, error)

    async def _end_conferences(self, emulator: Emulator) -> None:
        self._show("Chapter", title="ending some of the conferences")
        for conference in [conference for conference in self.conferences if conference.mode == "async"][::2]:
            if conference.accepted_at is not None:
                await asyncio.sleep(0.1)  # so that a user sees them end one by one
                await emulator.end_conference(conference.conference_name)
                self._happened(conference, "conference ended")

    async def _stop(self) -> None:
        self._show("Chapter", title="stopping the recordings that still run")
        conferences = {
            conference.conference_name: conference for conference in self.conferences if conference.over_at is None
        }
        running = [name for name in conferences if name not in self._never_ran]
        async with aclosing(self._client.stop_many(running)) as outcomes:
            async for outcome in outcomes:
                if outcome.error is None:
                    self._happened(conferences[outcome.request], "stopped")
                else:
                    self._failed(conferences[outcome.request], outcome.error)

    def _count_callbacks(self, change: StoreChange) -> None:
        self.callbacks += len(list(received(change)))

    def _happened(self, conference: DemoConference, step: Step, **changes: str | int | None) -> None:
        happened = {"at": self._elapsed(), "what": step}
        conference.steps.append(happened)
        for name, value in changes.items():
            setattr(conference, name, value)
        if conference.accepted_at is not None and conference.over_at is not None:
            conference.measured_ms = round((conference.over_at - conference.accepted_at) * 1000)
        self._show("Happened", **happened, **attrs.asdict(conference, filter=attrs.filters.exclude("steps")))

    def _failed(self, conference: DemoConference, error: Exception) -> None:
        self.errors.append(error)
        if isinstance(error, ApiError | NotSentError | RecordingFailedError):
            self._never_ran.add(conference.conference_name)
        self._happened(conference, "failed", error=str(error))

    def _warn(self, text: str) -> None:
        self.problems.append(text)
        self._show("Warned", text=text)

    def _show(self, kind: str, **fields: Any) -> None:
        self.show({"type": kind, "at": self._elapsed()} | fields)

    def _elapsed(self) -> float:
        return round(asyncio.get_running_loop().time() - self._began, 3)

    def _conferences_as_json(self) -> list[dict[str, Any]]:
        return [attrs.asdict(conference) for conference in self.conferences]
