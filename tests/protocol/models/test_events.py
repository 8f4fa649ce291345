"""The events that verified callbacks report."""

from __future__ import annotations

from typing import get_args

from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    TranscriptionEnded,
    UnknownCallback,
)


def test_an_event_is_one_of_four_classes() -> None:
    assert set(get_args(CallbackEvent)) == {ApiResponse, RecordingEnded, TranscriptionEnded, UnknownCallback}


def test_an_unknown_callback_is_compared_by_its_fields_and_not_by_its_reason() -> None:
    assert UnknownCallback(raw={"x": "y"}, reason="one") == UnknownCallback(raw={"x": "y"}, reason="another")
    assert UnknownCallback(raw={"x": "y"}) != UnknownCallback(raw={"x": "z"})
