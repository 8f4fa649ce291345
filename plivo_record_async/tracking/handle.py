"""`TrackedRecording`, the handle of one followed recording."""

from __future__ import annotations

import asyncio
from os import PathLike
from pathlib import Path

import attrs

from plivo_record_async._value import Value
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import RecordingFailedError, WaitTimeoutError
from plivo_record_async.protocol.arguments import number
from plivo_record_async.protocol.models import RecordingEnded, RecordingStatus, RecordingStopped, TranscriptionEnded
from plivo_record_async.protocol.recording.record import FollowedRecording, Stage, progress_of
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.transport.downloads.download import ProgressCallback

__all__ = ["TrackedRecording"]


@attrs.frozen(kw_only=True)
class TrackedRecording(Value):
    """The handle of one followed recording.

    ``RecordingTracker`` returns handles from ``start``, ``start_many`` and ``get``, and passes them to handlers.

    .. code-block:: python

        from plivo_record_async import TrackedRecording


        async def transcript_of(recording: TrackedRecording) -> str | None:
            await recording.recorded(timeout=3600)
            ended = await recording.transcribed(timeout=7200)
            return ended.transcription

    A handle contains no state of the recording: each method reads the store. Any number of handles of one recording can
    be used at the same time, also in several processes, and handles of the same start are equal.

    Attributes:
        start_id: The tracker's ID of the start. Pass it to ``RecordingTracker.get`` to obtain the handle again, for
            example after a restart.
        conference_name: The name of the conference.
    """

    start_id: str
    conference_name: str
    _ledger: Ledger = attrs.field(alias="ledger", repr=False, eq=False)
    _client: RecordClient = attrs.field(alias="client", repr=False, eq=False)

    async def accepted(self, timeout: float | None = None) -> RecordingStatus:
        """Wait until Plivo has accepted the start.

        Args:
            timeout: The maximum time to wait, in seconds, after the store was first read. If None, there is no limit.

        Returns:
            The status of the recording.

        Raises:
            TypeError: ``timeout`` is not a number.
            RecordingFailedError: The start cannot be accepted any more, because it was rejected, has failed, was not
                sent, or made no recording. ``error.recording`` is the status.
            WaitTimeoutError: The wait timed out. It is safe to wait again. ``error.recording`` is the status.
            UnknownStartError: The recording was pruned or forgotten.
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
        """
        return (await self._wait_for("accepted", timeout)).status

    async def recorded(self, timeout: float | None = None) -> RecordingEnded:
        """Wait until the recording has ended and its file exists.

        Args:
            timeout: The maximum time to wait, in seconds, after the store was first read. If None, there is no limit.

        Returns:
            The end of the recording, with the URL of the file.

        Raises:
            TypeError: ``timeout`` is not a number.
            RecordingFailedError: There will be no recording, because the start was rejected, has failed, was not sent,
                or made no recording. ``error.recording`` is the status.
            WaitTimeoutError: The wait timed out. It is safe to wait again. ``error.recording`` is the status.
            UnknownStartError: The recording was pruned or forgotten.
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
        """
        record = await self._wait_for("recorded", timeout)
        assert record.ended is not None  # noqa: S101 - this is what the stage means
        return record.ended

    async def transcribed(self, timeout: float | None = None) -> TranscriptionEnded:
        """Wait until the recording has been transcribed.

        Args:
            timeout: The maximum time to wait, in seconds, after the store was first read. If None, there is no limit.

        Returns:
            The end of the transcription, with the transcript.

        Raises:
            TypeError: ``timeout`` is not a number.
            RecordingFailedError: There will be no transcript, because there will be no recording, the transcription
                has failed or was not delivered in time, or the recording was started without ``transcribe=True``.
                ``error.recording`` is the status.
            WaitTimeoutError: The wait timed out. It is safe to wait again. ``error.recording`` is the status.
            UnknownStartError: The recording was pruned or forgotten.
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
        """
        record = await self._wait_for("transcribed", timeout)
        assert record.transcription is not None  # noqa: S101 - this is what the stage means
        return record.transcription

    async def status(self) -> RecordingStatus:
        """Return the current status of the recording, without waiting and without asking Plivo.

        Returns:
            The status of the recording.

        Raises:
            UnknownStartError: The recording was pruned or forgotten.
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
        """
        return (await self._ledger.get(self.start_id)).status

    async def stop(self, timeout: float | None = None) -> RecordingStopped:
        """Stop recording the conference. It is safe to repeat the call.

        Plivo identifies what to stop by the name of the conference, so all recordings of the conference end.

        Args:
            timeout: The time limit of the whole call, in seconds. If None, the client's own timeout.

        Returns:
            Plivo's response.

        Raises:
            TypeError: ``timeout`` is not a number.
            ValueError: ``timeout`` is not greater than 0.
            NotFoundError: The conference is over, and so is its recording.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: The stop was sent and may have been executed.
            UnexpectedResponseError: Plivo's response has a success status but contains an error.
            ApiError: Plivo rejected the stop.
            ClosedError: The client is closed.
            ConfigurationError: The client is in use in another event loop.
        """
        return await self._client.stop_recording(self.conference_name, timeout=timeout)

    async def download(
        self,
        path: str | PathLike[str],
        *,
        progress: ProgressCallback | None = None,
        overwrite: bool = False,
        wait: float = 60.0,
        timeout: float | None = None,
    ) -> Path:
        """Wait until the recording has ended, and download its file.

        Args:
            path: The path of the file to write, or an existing directory. In a directory, the name of the file is the
                last segment of its URL, with unusual characters replaced.
            progress: A function that is called at most ten times a second with the number of received bytes and the
                length of the file, which is None if it is not known. If None, progress is not reported.
            overwrite: Whether an existing file may be replaced.
            wait: The number of seconds to wait for the file after the recording has ended.
            timeout: The time limit for the end of the recording and the download together, in seconds. If None, there
                is no time limit.

        Returns:
            The path of the file.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: ``wait`` or ``timeout`` is out of range.
            RecordingFailedError: The recording has failed, or its start was rejected or not sent.
            WaitTimeoutError: The recording did not end within the time limit. It is safe to call again.
            DownloadError: The file cannot be downloaded. The received bytes are kept, and the same call resumes the
                download.
            DownloadRefusedError: The URL of the file does not belong to an allowed host, or the file is too long or is
                neither mp3 nor wav.
            FileExistsError: ``path`` exists, and ``overwrite`` is False.
            OSError: The file cannot be written.
            UnknownStartError: The recording was pruned or forgotten.
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
        """
        number("wait", wait)
        clock = asyncio.get_running_loop().time
        began = clock()
        record = await self._wait_for("recorded", timeout)
        left = None if timeout is None else max(timeout - (clock() - began), 0.001)
        return await self._client.download_recording(
            record.status, path, progress=progress, overwrite=overwrite, wait=wait, timeout=left
        )

    async def _wait_for(self, stage: Stage, timeout: float | None) -> FollowedRecording:
        """Wait until the recording has reached a stage, and return its record."""
        if timeout is not None:
            number("timeout", timeout)
        record = await self._ledger.get(self.start_id)
        try:
            async with asyncio.timeout(timeout):
                while (progress := progress_of(record, stage)) == "pending":
                    changed = await self._ledger.store.watch(self.start_id, version=record.version)
                    record = changed or await self._ledger.get(self.start_id)
        except TimeoutError as error:
            raise WaitTimeoutError(
                f"start {self.start_id} of {self.conference_name!r} is {record.state} and was not {stage} within "
                f"{timeout} s. The tracker continues to follow it. Wait again, or call status() later.",
                recording=record.status,
            ) from error
        if progress == "unreachable":
            raise RecordingFailedError(_failure(record, stage), recording=record.status)
        return record


def _failure(record: FollowedRecording, stage: Stage) -> str:
    """Return why a stage cannot be reached, and what the user can do."""
    if progress_of(record, "accepted") == "unreachable":
        reason, advice = record.error, "To record the conference, start it again."
    elif not record.expects_transcript:
        reason, advice = "it was started without transcribe=True", "The recording itself is not affected."
    else:
        reason, advice = record.error, "The recording itself is not affected. Call recorded() to obtain it."
    what = f"start {record.start_id} of {record.conference_name!r} is {record.state} and cannot be {stage}: {reason}"
    return f"{what.rstrip('.')}. {advice}"
