"""One example of each value that users hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from plivo_record_async.protocol.models import (
    ApiResponse,
    AttemptReport,
    Conference,
    Failed,
    HistoryEntry,
    PendingResponse,
    RateLimit,
    Recording,
    RecordingEnded,
    RecordingStarted,
    RecordingStatus,
    RecordingStopped,
    StartRequest,
    StopRequest,
    Succeeded,
    Transcription,
    TranscriptionEnded,
    TranscriptionRequested,
    UnknownCallback,
)

CALLBACK = "https://me.example/cb?room=a%20b#ct=2000"

REFUSED = ValueError("no")

VALUES: list[Any] = [
    StartRequest("standup", file_format="wav", callback_url=CALLBACK, callback_method="GET"),
    StopRequest("standup", callback_url=CALLBACK, callback_method="POST"),
    RateLimit(300, per=5.0),
    AttemptReport(operation="start_recording", attempt=1, status=202, seconds=0.1, may_have_been_executed=True),
    RecordingStarted(api_id="a", message="m", url="u", recording_id="r", raw={"x": 1}),
    RecordingStopped(api_id="a", message="m"),
    PendingResponse("a"),
    Succeeded("standup", PendingResponse("a")),
    Failed("standup", REFUSED),
    Recording(recording_id="r", duration_ms=1),
    Transcription(recording_id="r", transcription="hello", cost=0.05),
    TranscriptionRequested(api_id="a"),
    Conference(conference_name="standup", member_count=2),
    ApiResponse(api_id="a", message="m"),
    RecordingEnded(record_url="u", ended_at=datetime(2026, 1, 2, tzinfo=UTC)),
    TranscriptionEnded(recording_id="r", transcription="hello"),
    UnknownCallback(raw={"x": "y"}),
    HistoryEntry(kind="planned", state="planned", at=datetime(2026, 1, 2, tzinfo=UTC), description="planned"),
    RecordingStatus(start_id="s", conference_name="c", state="planned", updated_at=datetime(2026, 1, 2, tzinfo=UTC)),
]
"""One value of each class."""
