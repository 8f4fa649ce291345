"""Errors about followed recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plivo_record_async.errors.root import PlivoRecordError

if TYPE_CHECKING:
    from plivo_record_async.protocol.models import RecordingStatus

__all__ = ["RecordingFailedError", "UnknownStartError", "WaitTimeoutError"]


class _RecordingError(PlivoRecordError):
    def __init__(self, message: str, *, recording: RecordingStatus) -> None:
        super().__init__(message)
        self.recording = recording


class RecordingFailedError(_RecordingError):
    """The stage that was awaited cannot be reached any more.

    The start was refused or never sent, the recording or its transcription failed, or the recording was started without
    a transcription.

    Attributes:
        recording: What is known about the recording.
    """


class WaitTimeoutError(_RecordingError, TimeoutError):
    """The wait timed out. The tracker continues to follow the recording, and it is harmless to wait again.

    Attributes:
        recording: What was known about the recording when the wait ended.
    """


class UnknownStartError(PlivoRecordError, LookupError):
    """The tracker's store has no start with this ID.

    Attributes:
        start_id: The ID that was asked for.
    """

    def __init__(self, start_id: str) -> None:
        super().__init__(
            f"The store has no start with the id {start_id!r}. Either the id is wrong, or the recording was deleted "
            "by prune() or forget(), or another store has it: a MemoryStore loses everything when its process ends and "
            "shares nothing with other processes. Nothing was sent."
        )
        self.start_id = start_id
