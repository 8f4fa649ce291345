"""The status of a record, and the progress of the stages that callers wait for."""

from __future__ import annotations

import attrs
import pytest

from plivo_record_async.protocol.models import ApiResponse, RecordingState, RecordingStatus, StartRequest
from plivo_record_async.protocol.recording.evidence import CandidatesFound
from plivo_record_async.protocol.recording.record import FollowedRecording, Stage, progress_of
from tests.support.samples.recordings import (
    ACCEPTED,
    CONFIRMED,
    ENDED,
    NOW,
    OTHER_ROW,
    ROW,
    TRANSCRIBED,
    UNTRANSCRIBED,
    planned,
    record_after,
    recording,
)

PROGRESS: dict[RecordingState, tuple[str, str, str]] = {
    "planned": ("pending", "pending", "pending"),
    "sending": ("pending", "pending", "pending"),
    "unknown": ("pending", "pending", "pending"),
    "accepted": ("reached", "pending", "pending"),
    "unconfirmed": ("reached", "pending", "pending"),
    "started": ("reached", "pending", "pending"),
    "recorded": ("reached", "reached", "pending"),
    "transcribed": ("reached", "reached", "reached"),
    "not_sent": ("unreachable", "unreachable", "unreachable"),
    "rejected": ("unreachable", "unreachable", "unreachable"),
    "absent": ("unreachable", "unreachable", "unreachable"),
    "failed": ("unreachable", "unreachable", "unreachable"),
}


@pytest.mark.parametrize("state", PROGRESS)
def test_each_stage_is_reached_pending_or_failed_in_each_state(state: RecordingState) -> None:
    stages: tuple[Stage, ...] = ("accepted", "recorded", "transcribed")
    assert tuple(progress_of(recording(state), stage) for stage in stages) == PROGRESS[state]


def test_wait_for_the_end_goes_on_although_the_transcript_has_arrived() -> None:
    record = record_after(recording("accepted"), TRANSCRIBED)
    assert (progress_of(record, "recorded"), progress_of(record, "transcribed")) == ("pending", "reached")


def test_failed_transcription_does_not_fail_the_recording() -> None:
    record = record_after(recording("recorded"), UNTRANSCRIBED)
    assert (progress_of(record, "recorded"), progress_of(record, "transcribed")) == ("reached", "unreachable")
    assert record.error == "too long"


def test_transcript_that_was_not_requested_is_not_expected() -> None:
    record = record_after(planned(request=StartRequest("standup")))
    assert progress_of(record, "transcribed") == "unreachable"
    assert progress_of(attrs.evolve(record, transcription=TRANSCRIBED), "transcribed") == "reached"


def test_the_status_is_what_users_see() -> None:
    record = recording("recorded")
    assert record.status == RecordingStatus(
        start_id="start-1",
        conference_name="standup",
        state="recorded",
        api_id="api-1",
        recording_id="rec-1",
        record_url="https://f/1.mp3",
        error=None,
        updated_at=NOW,
        duration_ms=61_000,
        history=record.history,
    )
    assert [(step.kind, step.state) for step in record.status.history] == [
        ("planned", "planned"),
        ("sending_began", "sending"),
        ("accepted", "accepted"),
        ("recording_ended", "recorded"),
    ]
    assert record_after(record, TRANSCRIBED).status.transcription == "good morning"


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("planned", None),
        ("sending", None),
        ("accepted", None),
        ("started", None),
        ("recorded", None),
        ("not_sent", "connection refused"),
        ("rejected", "404: not found"),
        ("unknown", "read timeout"),
        ("failed", "not found"),
    ],
)
def test_error_of_a_record_is_described(state: RecordingState, error: str | None) -> None:
    assert recording(state).error == error


def test_error_is_removed_by_better_evidence() -> None:
    assert record_after(recording("unknown"), CONFIRMED).error is None


def test_ids_come_from_any_evidence_that_contains_them() -> None:
    later = ApiResponse(
        api_id="api-9", message="m", answer={"api_id": "api-9", "recording_id": "rec-9", "url": "https://f/9", "n": 1}
    )
    ids = attrs.evolve(ENDED, api_id=None, recording_id=None)
    known = record_after(recording("sending"), ids, later)
    assert (known.api_id, known.recording_id, known.record_url) == ("api-9", "rec-9", "https://f/1.mp3")
    answered = record_after(recording("sending"), ACCEPTED)
    assert (answered.api_id, answered.recording_id, answered.record_url) == ("api-1", "rec-1", "https://f/1")
    assert _nothing(planned())


def test_recording_id_of_the_end_callback_takes_precedence() -> None:
    known = record_after(recording("accepted"), attrs.evolve(ENDED, recording_id="rec-2"))
    assert known.recording_id == "rec-2"


def test_only_nonempty_text_counts_as_an_id() -> None:
    odd = ApiResponse(api_id="api-9", message="m", answer={"recording_id": 7, "url": ""})
    known = record_after(recording("sending"), odd)
    assert (known.recording_id, known.record_url) == (None, None)


def _nothing(record: FollowedRecording) -> bool:
    return (record.api_id, record.recording_id, record.record_url, record.error) == (None, None, None, None)


def test_error_of_a_record_with_several_candidates_names_them() -> None:
    record = record_after(recording("unknown"), CandidatesFound(recordings=(ROW, OTHER_ROW)))
    assert f"it may be any of the recordings {OTHER_ROW.recording_id}, {ROW.recording_id}" in str(record.error)
