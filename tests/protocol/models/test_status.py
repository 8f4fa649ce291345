"""The status of a followed recording."""

from __future__ import annotations

from typing import get_args

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.lifecycle import TABLE


def test_states_are_those_of_the_lifecycle() -> None:
    assert {state for changes in TABLE.values() for state in changes} == set(get_args(RecordingState))
