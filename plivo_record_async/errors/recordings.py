"""Errors about followed recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plivo_record_async.errors.root import PlivoRecordError

if TYPE_CHECKING:
    from plivo_record_async.protocol.models import RecordingStatus

__all__ = ["RecordingFailedError", "UnknownStartError", "WaitTimeoutError"]


class _RecordingError(PlivoRecordError):
    """An error with the status of a followed recording, which it names ``recording``."""

    def __init__(self, message: str, *, recording: RecordingStatus) -> None:
        super().__init__(message)
        self.recording = recording


class RecordingFailedError(_RecordingError):
    """The recording can no longer reach the stage that the caller waits for.

    The start was rejected or was not sent, the recording or its transcription failed, or the recording was started
    without a transcription.

    Attributes:
        recording: The status of the recording (`RecordingStatus`).
    """


class WaitTimeoutError(_RecordingError, TimeoutError):
    """The wait for a stage of a recording timed out. It is harmless to wait again.

    The tracker continues to follow the recording. The error is also a ``TimeoutError``.

    Attributes:
        recording: The status of the recording when the wait timed out (`RecordingStatus`).
    """


class UnknownStartError(PlivoRecordError, LookupError):
    """The tracker's store has no start with this ID. The error is also a ``LookupError``.

    Attributes:
        start_id: The ID that the caller passed.
    """

    def __init__(self, start_id: str) -> None:
        super().__init__(
            f"The store has no start with the ID {start_id!r}. Either the ID is wrong, or prune() or forget() deleted "
            "the recording, or another store has it: a MemoryStore loses everything when its process ends, and shares "
            "nothing with other processes. Nothing was sent."
        )
        self.start_id = start_id
