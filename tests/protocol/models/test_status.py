"""The status of a followed recording."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from plivo_record_async.protocol.models import EvidenceKind, HistoryEntry, RecordingState, RecordingStatus
from plivo_record_async.protocol.models.status import STATES, as_states
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


def test_one_state_and_several_become_a_tuple_without_repetitions_in_the_order_of_the_lifecycle() -> None:
    assert as_states("unknown") == ("unknown",)
    assert as_states(reversed(STATES)) == STATES
    assert as_states({"absent": 1, "planned": 2}) == ("planned", "absent")
    assert as_states(["unknown", "unknown", "sending"]) == ("sending", "unknown")


@pytest.mark.parametrize("state", ["", "Unknown", "unknown ", "recorded,failed", ["unknown", "done"], [], ()])
def test_state_that_does_not_exist_raises_value_error(state: Any) -> None:
    with pytest.raises(ValueError, match="state must"):
        as_states(state)


@pytest.mark.parametrize("state", [5, b"unknown", [b"unknown"], [None], [["unknown"]]])
def test_state_of_a_wrong_type_raises_type_error(state: Any) -> None:
    with pytest.raises(TypeError, match="state must be a str or an iterable of str"):
        as_states(state)
