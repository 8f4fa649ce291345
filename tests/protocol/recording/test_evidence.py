"""What is learned, in kinds and in words."""

from __future__ import annotations

import pytest

from plivo_record_async.protocol.models import Recording
from plivo_record_async.protocol.recording.evidence import Evidence, Kind, RecordingFound, event_name, kind_of, words_of
from tests.support.samples.recordings import CONFIRMED, ENDED, EVIDENCE, FAILED, KINDS, NOW, TRANSCRIBED, UNTRANSCRIBED


@pytest.mark.parametrize(
    ("recording", "kind"),
    [
        (Recording(recording_id="r", recording_url="https://f", duration_ms=0), "found_ended"),
        (Recording(recording_id="r", recording_url="https://f", ended_at=NOW), "found_ended"),
        (Recording(recording_id="r", recording_url="https://f", started_at=NOW), "found_running"),
        (Recording(recording_id="r", duration_ms=1, ended_at=NOW), "found_running"),
    ],
)
def test_row_has_ended_only_with_a_file_and_a_length(recording: Recording, kind: Kind) -> None:
    assert kind_of(RecordingFound(recording=recording)) == kind


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (CONFIRMED, "ApiResponse"),
        (FAILED, "ApiResponse"),
        (ENDED, "RecordingEnded"),
        (TRANSCRIBED, "TranscriptionEnded"),
        (UNTRANSCRIBED, "TranscriptionEnded"),
    ],
)
def test_event_has_the_name_of_its_class(event: Evidence, name: str) -> None:
    assert event_name(event) == name  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert type(event).__name__ == name


@pytest.mark.parametrize("kind", KINDS)
def test_all_evidence_has_a_description(kind: Kind) -> None:
    assert words_of(EVIDENCE[kind], "started")


def test_description_of_a_failure_is_plivos_message() -> None:
    assert words_of(FAILED, "failed") == "a callback said that it failed: not found"
    assert words_of(UNTRANSCRIBED, "recorded") == "a callback said that the transcription failed: too long"


def test_evidence_without_effect_has_a_short_description() -> None:
    assert words_of(EVIDENCE["came_due"], "started") == "time passed"
