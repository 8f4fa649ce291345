"""A followed recording in each state, and evidence of each kind. Much of it is shared with the store contract."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

import attrs

from plivo_record_async.protocol.models import EvidenceKind, Recording, RecordingState
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    ConferenceGone,
    DueTimeReached,
    EventHandled,
    Evidence,
    HandlerProgress,
    NothingFound,
    RecordingBegan,
    RecordingFound,
    SendingBegan,
    SendingContinued,
    TranscriptMissing,
    TranscriptNotRequested,
    TranscriptRequestBegan,
)
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.testing.store_contract.samples import (
    ACCEPTED,
    CONFIRMED,
    ENDED,
    FAILED,
    NOW,
    OUTCOME_UNKNOWN,
    REJECTED,
    REQUEST,
    SECOND,
    STATES,
    TRANSCRIBED,
    UNSENT,
    UNTRANSCRIBED,
    next_version,
    planned,
    record_after,
    record_in,
)

__all__ = [
    "ACCEPTED",
    "CONFIRMED",
    "ENDED",
    "EVIDENCE",
    "FAILED",
    "KINDS",
    "NOW",
    "OTHER_ROW",
    "REQUEST",
    "ROW",
    "RUNNING_ROW",
    "SECOND",
    "STATES",
    "TRANSCRIBED",
    "UNTRANSCRIBED",
    "due_time",
    "next_version",
    "planned",
    "record_after",
    "recording",
    "with_last_step_at",
]

KINDS: tuple[EvidenceKind, ...] = get_args(EvidenceKind)

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

EVIDENCE: dict[EvidenceKind, Evidence] = {
    "sending_began": SendingBegan(),
    "sending_continued": SendingContinued(),
    "accepted": ACCEPTED,
    "rejected": REJECTED,
    "not_sent": UNSENT,
    "outcome_unknown": OUTCOME_UNKNOWN,
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
    "transcript_missing": TranscriptMissing(description="Plivo answered that it has no transcript"),
    "transcript_request_began": TranscriptRequestBegan(),
    "transcript_not_requested": TranscriptNotRequested(description="connection refused"),
    "due_time_reached": DueTimeReached(),
    "handler_progress": HandlerProgress(name="RecordingEnded", failed=(("app.archive", "ValueError: no"),)),
    "event_handled": EventHandled(name="RecordingEnded"),
}


def due_time(record: FollowedRecording) -> datetime:
    """Return the time at which `DueTimeReached` has an effect, or `NOW` if there is none."""
    return NOW if record.due_at is None else record.due_at


def with_last_step_at(record: FollowedRecording, at: datetime) -> FollowedRecording:
    """Return the record with its last step at another time."""
    return attrs.evolve(record, history=(*record.history[:-1], attrs.evolve(record.history[-1], at=at)))


def recording(state: RecordingState, start_id: str = "start-1") -> FollowedRecording:
    """Return a recording in a state, with the evidence that leads to it."""
    record = record_in(state, start_id)
    assert record.state == state
    return record
