"""The kinds and the descriptions of evidence."""

from __future__ import annotations

import pytest

from plivo_record_async.protocol.recording.evidence import Evidence, event_name
from tests.support.samples.recordings import CONFIRMED, ENDED, FAILED, TRANSCRIBED, UNTRANSCRIBED


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
