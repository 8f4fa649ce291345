"""The status of a followed recording."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import attrs

from plivo_record_async._value import Value

__all__ = ["RecordingState", "RecordingStatus"]

RecordingState = Literal[
    "planned",
    "sending",
    "accepted",
    "started",
    "recorded",
    "transcribed",
    "not_sent",
    "rejected",
    "unknown",
    "absent",
    "failed",
    "unconfirmed",
]
"""The state of a followed recording in its lifecycle."""


@attrs.frozen(kw_only=True)
class RecordingStatus(Value):
    """What is known about one followed recording.

    Attributes:
        start_id: The tracker's ID of the start. It was made before anything was sent.
        conference_name: The name of the conference.
        state: The state in the lifecycle.
        api_id: Plivo's ID of the request that started the recording.
        recording_id: Plivo's ID of the recording. It is opaque.
        record_url: The address of the file, also while the recording is running.
        error: What went wrong, as a text for people.
        updated_at: When the status last changed (aware, UTC).
        handler_error: Which of your handlers have failed, and when they run again or that they were given up, as a text
            for people. If None, no handler has failed, or each that failed has succeeded since.
    """

    start_id: str
    conference_name: str
    state: RecordingState
    api_id: str | None = None
    recording_id: str | None = None
    record_url: str | None = None
    error: str | None = None
    updated_at: datetime
    handler_error: str | None = None
