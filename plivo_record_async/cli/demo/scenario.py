"""`Scenario`, which runs the demo with the emulator or with the real Plivo. It needs the extra ``emulator``."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, closing, suppress
from typing import Any, Literal

import attrs

from plivo_record_async.cli.listen.events import received
from plivo_record_async.cli.output.exit_codes import ExitCode, exit_code
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import EndSignal
from plivo_record_async.client import RecordClient
from plivo_record_async.emulator import Emulator
from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.serving import open_listener, serving, url_of
from plivo_record_async.stores import MemoryStore
from plivo_record_async.stores.interface import StoreChange
from plivo_record_async.tracker import RecordingTracker
from plivo_record_async.tracking.handle import TrackedRecording

__all__ = ["DemoConference", "Scenario", "Show"]

Show = Callable[[dict[str, Any], str], None]
"""Shows an event, which is given as a JSON object and as a line for people."""

Step = Literal["started", "accepted", "conference ended", "stopped", "recorded", "transcribed", "failed"]
"""What can happen to a recording. A synchronous start is ``started``; in asynchronous mode it is ``accepted``."""


@attrs.define(kw_only=True)
class DemoConference:
    """A conference and its recording. The attributes are the fields of its JSON object.

    Attributes:
        mode: How its recording is started. A recording that is started in asynchronous mode is followed.
        duration_ms: The length of the recording, from its callback.
        measured_ms: The time between Plivo's response to the start and the moment at which the end was known.
        steps: What happened, in order: the seconds since the demo began in ``at``, and a `Step` in ``what``.
        error: The first error. If None, nothing has failed.
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
    error: Exception | None = None

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
        printer: Prints the problems.
        open_console: Whether to open the emulator's console in a browser, and to keep it running until `ended` is set.
    """

    conferences: Sequence[DemoConference]
    emulator: Emulator | None
    seconds: float
    callback_timeout: float
    ended: EndSignal
    show: Show
    printer: Printer
    open_console: bool = False
    _client: RecordClient = attrs.field(init=False)
    _tracker: RecordingTracker = attrs.field(init=False)
    _began: float = attrs.field(init=False)
    _callbacks: int = attrs.field(init=False, default=0)
    _warnings: list[str] = attrs.field(init=False, factory=list[str])
    _following: set[asyncio.Task[None]] = attrs.field(init=False, factory=set[asyncio.Task[None]])

    async def run(self, *, public_url: str | None = None, port: int = 0) -> ExitCode:
        """Run the scenario, and return the exit code. The recordings are stopped whatever happens.

        Args:
            public_url: The URL at which Plivo reaches the tracker. If None, the tracker's own address.
            port: The port of the tracker. If 0, any free port.

        Raises:
            ConfigurationError: Credentials are missing, the port is taken, or the URL is malformed.
        """
        async with AsyncExitStack() as stack:
            plivo = self.emulator and await stack.enter_async_context(self.emulator)
            client = RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) if plivo else RecordClient()
            self._client = await stack.enter_async_context(client)
            url = None
            if any(each.mode == "async" for each in self.conferences):
                listener = stack.enter_context(closing(open_listener("127.0.0.1", port)))
                url = url_of(listener)
                store = MemoryStore(observer=self._count_callbacks)
                self._tracker = RecordingTracker(client, public_url=public_url or url, store=store)
                await stack.enter_async_context(self._tracker)
                await stack.enter_async_context(serving(self._tracker, listener))
            self._began = asyncio.get_running_loop().time()
            self._show_opened(client.settings.base_url, url)
            with showing_log(self._warn, note=self.printer.note):
                await self._play()
            code = self._show_closed()
            if self.open_console:
                await self.ended.wait()
            return code

    async def _play(self) -> None:
        at_once = asyncio.create_task(self._end_at_once())
        try:
            self._show_chapter("starting the recordings, all at once")
            await asyncio.gather(*map(self._start, self.conferences))
            self._show_chapter("recording")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), self.seconds)
            if self.emulator is not None and not self.ended.is_set():
                await self._end_conferences(self.emulator)
        finally:
            await self._stop()
        self._show_chapter("waiting for what is still to come")
        if self.emulator is not None:
            self._following.add(asyncio.create_task(self.emulator.callbacks_settled()))
        if self._following and (await asyncio.wait(self._following, timeout=self.callback_timeout))[1]:
            self._show_chapter(f"gave up waiting after {self.callback_timeout:g} s")
        for task in (at_once, *self._following):
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
                conference.api_id, conference.recording_id = started.api_id, started.recording_id
                self._happened(conference, "started", f", recording {conference.recording_id}")
        except PlivoRecordError as error:
            self._failed(conference, error)

    async def _follow(self, conference: DemoConference, recording: TrackedRecording) -> None:
        try:
            conference.api_id = (await recording.accepted()).api_id
            self._happened(conference, "accepted", f", api_id {conference.api_id}")
            ended = await recording.recorded()
            conference.recording_id, conference.duration_ms = ended.recording_id, ended.duration_ms
            self._happened(conference, "recorded", f": {(conference.duration_ms or 0) / 1000:.2f} s")
            if conference.transcribe:
                conference.transcription = (await recording.transcribed()).transcription
                self._happened(conference, "transcribed", f": {conference.transcription}")
        except PlivoRecordError as error:
            self._failed(conference, error)

    async def _end_conferences(self, emulator: Emulator) -> None:
        self._show_chapter("ending some of the conferences")
        for conference in [each for each in self.conferences if each.mode == "async"][::2]:
            if conference.accepted_at is not None:
                await asyncio.sleep(0.1)  # so that a user sees them end one by one
                await emulator.end_conference(conference.conference_name)
                self._happened(conference, "conference ended")

    async def _stop(self) -> None:
        self._show_chapter("stopping the recordings that still run")
        conferences = {each.conference_name: each for each in self.conferences if each.over_at is None}
        may_run = {ExitCode.DONE, ExitCode.UNKNOWN}
        running = [name for name, each in conferences.items() if exit_code(each.error) in may_run]
        async with aclosing(self._client.stop_many(running)) as outcomes:
            async for outcome in outcomes:
                if outcome.error is None:
                    self._happened(conferences[outcome.request], "stopped")
                else:
                    self._failed(conferences[outcome.request], outcome.error)

    def _count_callbacks(self, change: StoreChange) -> None:
        self._callbacks += len(list(received(change)))

    def _happened(self, conference: DemoConference, step: Step, details: str = "") -> None:
        happened = {"at": self._elapsed(), "what": step}
        conference.steps.append(happened)
        if conference.accepted_at is not None and conference.over_at is not None:
            conference.measured_ms = round((conference.over_at - conference.accepted_at) * 1000)
        fields = attrs.asdict(conference, filter=attrs.filters.exclude("steps"))
        line = f"{conference.conference_name}  {conference.mode:5}  {step}{details}"
        self._show("Happened", line, **happened, **fields)

    def _failed(self, conference: DemoConference, error: Exception) -> None:
        conference.error = conference.error or error
        self._happened(conference, "failed", f": {error}")

    def _warn(self, text: str) -> None:
        self._warnings.append(text)
        self._show("Warned", text, text=text)

    def _show_chapter(self, title: str) -> None:
        self._show("Chapter", title, title=title)

    def _show_opened(self, plivo: str, listener: str | None) -> None:
        line = f"Plivo at {plivo}, " + (f"callbacks received at {listener}" if listener else "no callbacks received")
        self._show("Opened", line, plivo=plivo, listener=listener, rooms=self._conferences_as_json())
        if self.open_console:  # the address is printed too, because the machine may have no browser
            self.printer.note(f"the console of the local Plivo is at {plivo} until you press Ctrl-C")
            asyncio.get_running_loop().run_in_executor(None, webbrowser.open, plivo)

    def _show_closed(self) -> ExitCode:
        """Show the result and the problems, and return the exit code."""
        problems = [*self._warnings]
        for conference in self.conferences:
            problems += [f"{conference.conference_name}: {problem}" for problem in self._problems(conference)]
        executions = self.emulator and sum(self.emulator.executions(each.conference_name) for each in self.conferences)
        accepted = sum(each.accepted_at is not None for each in self.conferences)
        summary = (
            f"{accepted} of {len(self.conferences)} recordings started, "
            + ("" if executions is None else f"{executions} starts executed, ")
            + f"{self._callbacks} callbacks verified, "
            + (f"problems: {len(problems)}" if problems else "no problems")
            + f", {self._elapsed():.1f} s"
        )
        result = {"callbacks": self._callbacks, "executions": executions, "problems": problems}
        self._show("Closed", summary, ok=not problems, rooms=self._conferences_as_json(), **result)
        for problem in problems:
            self.printer.error(PlivoRecordError(problem))
        failed = ExitCode(bool(problems) or self.ended.is_set())
        return self.ended.exit_code or max(failed, *(exit_code(each.error) for each in self.conferences))

    def _problems(self, conference: DemoConference) -> Iterator[str]:
        executions = self.emulator.executions(conference.conference_name) if self.emulator else 1
        if conference.error is not None:
            yield str(conference.error)
        elif conference.time_of(conference.last_step) is None:
            yield f"it was never {conference.last_step}"
        elif executions != 1:
            yield f"its start was executed {executions} times"
        elif conference.time_of("recorded") is not None and not conference.duration_ms:
            yield "its recording is empty"

    def _show(self, kind: str, line: str, **fields: Any) -> None:
        try:
            self.show({"type": kind, "at": self._elapsed()} | fields, line)
        except OSError as error:  # the recordings must be stopped nevertheless
            self.printer.stop_printing(error, "Nothing more can be printed; the recordings are stopped")
            self.ended.set()

    def _elapsed(self) -> float:
        return round(asyncio.get_running_loop().time() - self._began, 3)

    def _conferences_as_json(self) -> list[dict[str, Any]]:
        return [attrs.asdict(each) for each in self.conferences]
