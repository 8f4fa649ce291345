"""`TrackedRecording`: the handle of one followed recording."""

from __future__ import annotations

import asyncio

import attrs

from plivo_record_async._value import Value
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import RecordingFailedError, WaitTimeoutError
from plivo_record_async.protocol.arguments import number
from plivo_record_async.protocol.models import RecordingEnded, RecordingStatus, RecordingStopped, TranscriptionEnded
from plivo_record_async.protocol.recording.record import FollowedRecording, Stage, progress, status_of
from plivo_record_async.tracking.ledger import Ledger

__all__ = ["TrackedRecording"]


@attrs.frozen(kw_only=True)
class TrackedRecording(Value):
    """The handle of one followed recording. Handles of the same start are equal, and each of them sees every change.

    Attributes:
        start_id: The tracker's id of the start. It identifies the recording after a restart, too.
        conference_name: The name of the conference.
    """

    start_id: str
    conference_name: str
    _ledger: Ledger = attrs.field(alias="ledger", repr=False, eq=False)
    _client: RecordClient = attrs.field(alias="client", repr=False, eq=False)

    async def accepted(self, timeout: float | None = None) -> RecordingStatus:
        """Wait until Plivo has accepted the start.

        Args:
            timeout: Seconds to wait after the store was first read. If None, wait without a limit.

        Returns:
            The status of the recording.

        Raises:
            TypeError: ``timeout`` is not a number.
            RecordingFailedError: The start was refused, failed, or was never sent.
            WaitTimeoutError: The wait timed out. It is safe to wait again.
            UnknownStartError: The recording was pruned or forgotten.
            StoreError: The store could not be read.
            ClosedError: The store is closed.
        """
        return status_of(await self._reach("accepted", timeout))

    async def recorded(self, timeout: float | None = None) -> RecordingEnded:
        """Wait until the recording has ended and its file exists.

        Args:
            timeout: Seconds to wait after the store was first read. If None, wait without a limit.

        Returns:
            The end of the recording.

        Raises:
            TypeError: ``timeout`` is not a number.
            RecordingFailedError: The recording cannot end any more, because its start was refused, failed, was never
                sent, or made no recording.
            WaitTimeoutError: The wait timed out. It is safe to wait again.
            UnknownStartError: The recording was pruned or forgotten.
            StoreError: The store could not be read.
            ClosedError: The store is closed.
        """
        record = await self._reach("recorded", timeout)
        assert record.ended is not None  # noqa: S101 - the stage means that it is known
        return record.ended

    async def transcribed(self, timeout: float | None = None) -> TranscriptionEnded:
        """Wait for the transcript.

        Args:
            timeout: Seconds to wait after the store was first read. If None, wait without a limit.

        Returns:
            The end of the transcription.

        Raises:
            TypeError: ``timeout`` is not a number.
            RecordingFailedError: The transcript cannot come any more. The recording failed, its transcription failed
                or did not come in time, or it was started without ``transcribe``.
            WaitTimeoutError: The wait timed out. It is safe to wait again.
            UnknownStartError: The recording was pruned or forgotten.
            StoreError: The store could not be read.
            ClosedError: The store is closed.
        """
        record = await self._reach("transcribed", timeout)
        assert record.transcription is not None  # noqa: S101 - the stage means that it is known
        return record.transcription

    async def status(self) -> RecordingStatus:
        """Return what is known about the recording now.

        Returns:
            The status of the recording.

        Raises:
            UnknownStartError: The recording was pruned or forgotten.
            StoreError: The store could not be read.
            ClosedError: The store is closed.
        """
        return status_of(await self._ledger.get(self.start_id))

    async def stop(self, timeout: float | None = None) -> RecordingStopped:
        """Stop recording the conference. It is safe to repeat.

        Plivo stops by the name of the conference, so all recordings of the conference end.

        Args:
            timeout: Seconds for the whole call. If None, the client's own timeout.

        Returns:
            Plivo's answer.

        Raises:
            NotFoundError: The conference is over, and so is its recording.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt was answered.
            ApiError: Plivo refused the stop.
            ClosedError: The client is closed.
        """
        return await self._client.stop_recording(self.conference_name, timeout=timeout)

    async def _reach(self, stage: Stage, timeout: float | None) -> FollowedRecording:
        if timeout is not None:
            number("timeout", timeout)
        record = await self._ledger.get(self.start_id)
        try:
            async with asyncio.timeout(timeout):
                while (stands := progress(record, stage)) == "waiting":
                    changed = await self._ledger.store.watch(self.start_id, version=record.version)
                    record = changed or await self._ledger.get(self.start_id)
        except TimeoutError as error:
            raise WaitTimeoutError(
                f"start {self.start_id} of {self.conference_name!r} is not {stage} after {timeout} s; it is "
                f"{record.state}. The tracker goes on following it: wait again, or call status() later.",
                recording=status_of(record),
            ) from error
        if stands == "lost":
            raise RecordingFailedError(_why_lost(record, stage), recording=status_of(record))
        return record


def _why_lost(record: FollowedRecording, stage: Stage) -> str:
    """Return why a stage cannot be reached, and what that means for the recording."""
    if progress(record, "accepted") == "lost":
        reason, advice = record.error, "To record the conference, start it again."
    elif record.request.transcription_url is None:
        reason, advice = "it was started without transcribe=True", "The recording itself is not affected."
    else:
        reason, advice = record.error, "The recording itself is not affected: recorded() returns it."
    what = f"start {record.start_id} of {record.conference_name!r} is {record.state} and cannot be {stage}: {reason}"
    return f"{what.rstrip('.')}. {advice}"
