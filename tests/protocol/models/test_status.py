"""The status of a followed recording."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

from plivo_record_async.protocol.models import EvidenceKind, HistoryEntry, RecordingState, RecordingStatus
from plivo_record_async.protocol.recording.lifecycle import TABLE


def test_states_are_those_of_the_lifecycle() -> None:
    assert {state for changes in TABLE.values() for state in changes} == set(get_args(RecordingState))


def test_kinds_of_evidence_are_those_of_the_lifecycle() -> None:
    assert list(TABLE) == list(get_args(EvidenceKind))


def test_transcript_and_history_are_values_of_the_status_and_not_shown() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    entry = HistoryEntry(kind="accepted", state="accepted", at=now, description="no comment")
    status = RecordingStatus(
        start_id="s", conference_name="c", state="accepted", updated_at=now, transcription="secret", history=(entry,)
    )
    assert "secret" not in repr(status)
    assert "no comment" not in repr(status)
    assert status.to_dict()["transcription"] == "secret"
    assert status.to_dict()["history"] == [
        {"kind": "accepted", "state": "accepted", "at": "2026-03-01T00:00:00+00:00", "description": "no comment"}
    ]
