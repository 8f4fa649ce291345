"""One start that is followed: the part of the command ``start`` for its option ``--store``."""

from __future__ import annotations

from contextlib import aclosing

import attrs

from plivo_record_async.cli.input.store import open_store, usable_store
from plivo_record_async.cli.output.exit_codes import ExitCode, exit_code
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.printer import Printer, printed
from plivo_record_async.cli.output.statuses import state_exit_code, status_line, status_object
from plivo_record_async.cli.signals import EndSignal, cancelled_by, end_signal, ending_early
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import RecordingFailedError, StoreError
from plivo_record_async.protocol.models import Outcome, StartRequest
from plivo_record_async.tracker import RecordingTracker
from plivo_record_async.tracking.handle import TrackedRecording

__all__ = ["FollowedStart"]


@attrs.frozen(kw_only=True)
class FollowedStart:
    """Starts a recording with a tracker, prints its status, and waits for it if requested.

    Attributes:
        request: The request.
        printer: Prints the status.
        store: The value of ``--store``.
        public_url: The URL at which Plivo reaches the receiver. If None, Plivo is asked about the recording.
        transcribe: Whether to request a transcript.
        dedupe_key: The user's key of the start. If None, the start is a new one.
        wait: The state to wait for. If None, the command ends when the start was accepted.
        timeout: The time limit of the start, in seconds. If None, the client's.
    """

    request: StartRequest
    printer: Printer
    store: str
    public_url: str | None = None
    transcribe: bool = False
    dedupe_key: str | None = None
    wait: str | None = None
    timeout: float | None = None

    async def run(self) -> ExitCode:
        """Run the command, and return its exit code."""
        ended = end_signal(self.printer)
        with showing_log(self.printer.warning, note=self.printer.note), usable_store():
            async with (
                RecordClient() as client,
                ending_early(client, ended),
                RecordingTracker(client, public_url=self.public_url, store=open_store(self.store)) as tracker,
            ):
                code = await self._show(await self._start(tracker), ended)
        return ended.exit_code or code

    async def _start(self, tracker: RecordingTracker) -> Outcome[StartRequest, TrackedRecording]:
        key = self.dedupe_key
        starts = tracker.start_many(
            [self.request],
            transcribe=self.transcribe,
            dedupe_key=None if key is None else lambda _: key,
            timeout=self.timeout,
        )
        async with aclosing(starts) as outcomes:
            return await anext(outcomes)

    async def _show(self, outcome: Outcome[StartRequest, TrackedRecording], ended: EndSignal) -> ExitCode:
        if outcome.error is not None:
            self.printer.failure(outcome.error, conference_name=self.request.conference_name)
            return exit_code(outcome.error)
        recording = outcome.result
        if recording.conference_name != self.request.conference_name:
            self.printer.warning(
                f"the key {self.dedupe_key!r} belongs to a start of {recording.conference_name!r}, whose status "
                f"follows. {self.request.conference_name!r} was not started. Use another key for it"
            )
        try:
            code = await self._print_status(recording)
            if self.wait in {"recorded", "transcribed"} and code is not ExitCode.FAILED:
                async with cancelled_by(ended):
                    await (recording.recorded() if self.wait == "recorded" else recording.transcribed())
                    code = await self._print_status(recording)
        except (RecordingFailedError, StoreError) as error:
            self.printer.failure(error, conference_name=recording.conference_name, start_id=recording.start_id)
            return ExitCode.FAILED if isinstance(error, RecordingFailedError) else ExitCode.UNKNOWN
        return code

    async def _print_status(self, recording: TrackedRecording) -> ExitCode:
        status = await recording.status()
        code = state_exit_code(status.state)
        if self.printer.as_json:
            shown = status_object(status) | {"ok": code is ExitCode.DONE}
            was_printed = printed(self.printer, lambda: self.printer.json_object(shown))
        else:
            was_printed = printed(self.printer, lambda: self.printer.line(status_line(status)))
        return code if was_printed else ExitCode.UNKNOWN
