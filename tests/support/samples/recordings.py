"""A followed recording in each state, evidence of each kind, and the evidence that leads to each state."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import attrs

from plivo_record_async.protocol.models import (
    ApiResponse,
    Recording,
    RecordingEnded,
    RecordingState,
    StartRequest,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.evidence import (
    CameDue,
    CandidatesFound,
    ConferenceGone,
    EventHandled,
    EventName,
    Evidence,
    HandlersEnded,
    NothingFound,
    RecordingBegan,
    RecordingFound,
    SendingBegan,
    SendingContinued,
    StartAccepted,
    StartNotSent,
    StartRefused,
    StartUnanswered,
)
from plivo_record_async.protocol.recording.kinds import Kind
from plivo_record_async.protocol.recording.lifecycle import apply, plan
from plivo_record_async.protocol.recording.record import FollowedRecording

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)

STATES: tuple[RecordingState, ...] = get_args(RecordingState)
KINDS: tuple[Kind, ...] = get_args(Kind)

REQUEST = StartRequest(
    "standup",
    callback_url="https://me.example/plivo/recording?token=t#rc=5",
    transcription_url="https://me.example/plivo/transcription?token=t#rc=5",
)

ACCEPTED = StartAccepted(
    description="202: conference recording started", api_id="api-1", recording_id="rec-1", url="https://f/1"
)
CONFIRMED = ApiResponse(api_id="api-1", message="conference recording started", raw={"response": "{}"})
FAILED = ApiResponse(api_id="api-1", error="not found", raw={"response": "{}"})
ENDED = RecordingEnded(
    api_id="api-1",
    conference_name="standup",
    record_url="https://f/1.mp3",
    recording_id="rec-1",
    duration_ms=61_000,
    started_at=NOW,
    ended_at=NOW + 61 * SECOND,
    raw={"record_url": "https://f/1.mp3", "recording_id": "rec-1"},
)
TRANSCRIBED = TranscriptionEnded(
    recording_id="rec-1", transcription="good morning", raw={"transcription": "good morning"}
)
UNTRANSCRIBED = TranscriptionEnded(recording_id="rec-1", error="too long", raw={"error": "too long"})
ROW = Recording(
    recording_id="rec-1",
    conference_name="standup",
    recording_url="https://f/1.mp3",
    duration_ms=61_000,
    started_at=NOW,
    ended_at=NOW + 61 * SECOND,
    api_id="of the question",
    raw={"recording_id": "rec-1"},
)
RUNNING_ROW = Recording(recording_id="rec-1", conference_name="standup", started_at=NOW)
OTHER_ROW = Recording(recording_id="rec-0", conference_name="standup", started_at=NOW)

EVIDENCE: dict[Kind, Evidence] = {
    "sending_began": SendingBegan(),
    "sending_continued": SendingContinued(),
    "accepted": ACCEPTED,
    "refused": StartRefused(description="404: not found", api_id="api-0"),
    "not_sent": StartNotSent(description="connection refused"),
    "unanswered": StartUnanswered(description="read timeout", api_id="api-1"),
    "start_confirmed": CONFIRMED,
    "start_failed": FAILED,
    "recording_began": RecordingBegan(recording=RUNNING_ROW),
    "recording_ended": ENDED,
    "transcribed": TRANSCRIBED,
    "transcription_failed": UNTRANSCRIBED,
    "found_running": RecordingFound(recording=RUNNING_ROW),
    "found_ended": RecordingFound(recording=ROW),
    "found_several": CandidatesFound(recordings=(ROW, OTHER_ROW)),
    "conference_gone": ConferenceGone(),
    "nothing_found": NothingFound(),
    "came_due": CameDue(),
    "handlers_ended": HandlersEnded(name="RecordingEnded", failed=(("app.archive", "ValueError: no"),)),
    "handled": EventHandled(name="RecordingEnded"),
}

PATHS: dict[RecordingState, tuple[Kind, ...]] = {
    "planned": (),
    "sending": ("sending_began",),
    "not_sent": ("sending_began", "not_sent"),
    "rejected": ("sending_began", "refused"),
    "unknown": ("sending_began", "unanswered"),
    "absent": ("sending_began", "unanswered", "nothing_found"),
    "accepted": ("sending_began", "accepted"),
    "unconfirmed": ("sending_began", "accepted", "came_due"),
    "started": ("sending_began", "accepted", "start_confirmed"),
    "failed": ("sending_began", "accepted", "start_failed"),
    "recorded": ("sending_began", "accepted", "recording_ended"),
    "transcribed": ("sending_began", "accepted", "recording_ended", "transcribed"),
}


def planned(
    start_id: str = "start-1", *, dedupe_key: str | None = None, request: StartRequest = REQUEST
) -> FollowedRecording:
    return plan(start_id, request, NOW, dedupe_key=dedupe_key)


def due_time(record: FollowedRecording) -> datetime:
    """Return the time at which `CameDue` has an effect, or `NOW` if there is none."""
    return NOW if record.due_at is None else record.due_at


def record_after(
    record: FollowedRecording, *evidence: Evidence, handled: Collection[EventName] = ()
) -> FollowedRecording:
    """Return the record after this evidence, in this order."""
    for piece in evidence:
        record, _ = apply(record, piece, due_time(record) if isinstance(piece, CameDue) else NOW, handled=handled)
    return record


def next_version(record: FollowedRecording, **changes: Any) -> FollowedRecording:
    """Return the next version of a record, with changes."""
    return attrs.evolve(record, version=record.version + 1, **changes)


def with_last_step_at(record: FollowedRecording, at: datetime) -> FollowedRecording:
    """Return the record with its last step at another time."""
    return attrs.evolve(record, steps=(*record.steps[:-1], attrs.evolve(record.steps[-1], at=at)))


def recording(state: RecordingState, start_id: str = "start-1") -> FollowedRecording:
    """Return a recording in a state, with the evidence that leads to it."""
    record = record_after(planned(start_id), *(EVIDENCE[kind] for kind in PATHS[state]))
    assert record.state == state
    return record
