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
"""The state of a followed recording in its lifecycle.

- ``planned``: The start is stored. Nothing has been sent.
- ``sending``: The request is being sent.
- ``accepted``: Plivo accepted the start.
- ``started``: A callback or Plivo's list showed that the recording is running.
- ``recorded``: The recording has ended, and its file is available.
- ``transcribed``: The transcript is available.
- ``not_sent``: Nothing was sent. The start is safe to repeat.
- ``rejected``: Plivo rejected the start.
- ``unknown``: The start may have been executed.
- ``absent``: The conference is over, and Plivo's list contains no recording of this start.
- ``failed``: A callback reported that the start failed.
- ``unconfirmed``: Plivo accepted the start, but no callback arrived in time.
"""


@attrs.frozen(kw_only=True)
class RecordingStatus(Value):
    """The status of one followed recording.

    Attributes:
        start_id: The tracker's ID of the start.
        conference_name: The name of the conference.
        state: The state of the recording (`RecordingState`).
        api_id: Plivo's ID of the request that started the recording. If None, it is not known.
        recording_id: Plivo's ID of the recording. It is opaque. If None, it is not known.
        record_url: The URL of the file. It may be known before the recording ends. If None, it is not known.
        error: What went wrong, as a text for people. If None, nothing is known to have gone wrong.
        updated_at: When the status last changed (aware, UTC).
        handler_error: Which of your handlers failed, and when they run again or that they will not, as a text for
            people. If None, no handler has failed, or each handler that failed has succeeded since.
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
