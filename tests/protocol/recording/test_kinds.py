"""The kinds of evidence, and their descriptions."""

from __future__ import annotations

import pytest

from plivo_record_async.protocol.models import EvidenceKind, Recording
from plivo_record_async.protocol.recording.evidence import RecordingFound
from plivo_record_async.protocol.recording.kinds import describe, kind_of
from tests.support.samples.recordings import EVIDENCE, FAILED, KINDS, NOW, UNTRANSCRIBED


@pytest.mark.parametrize(
    ("recording", "kind"),
    [
        (Recording(recording_id="r", recording_url="https://f", duration_ms=0), "found_ended"),
        (Recording(recording_id="r", recording_url="https://f", ended_at=NOW), "found_ended"),
        (Recording(recording_id="r", recording_url="https://f", started_at=NOW), "found_running"),
        (Recording(recording_id="r", duration_ms=1, ended_at=NOW), "found_running"),
    ],
)
def test_row_has_ended_only_with_a_file_and_a_length(recording: Recording, kind: EvidenceKind) -> None:
    assert kind_of(RecordingFound(recording=recording)) == kind


@pytest.mark.parametrize("kind", KINDS)
def test_all_evidence_has_a_description(kind: EvidenceKind) -> None:
    assert describe(EVIDENCE[kind], "started")


def test_description_of_a_failure_is_plivos_message() -> None:
    assert describe(FAILED, "failed") == "a callback reported that it failed: not found"
    assert describe(UNTRANSCRIBED, "recorded") == "the transcription failed: too long"


def test_evidence_without_effect_has_a_short_description() -> None:
    assert describe(EVIDENCE["due_time_reached"], "started") == "its due time was reached"
