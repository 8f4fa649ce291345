"""The attribute `raw`, which keeps the whole message of a value."""

from __future__ import annotations

from typing import Any

import attrs

from plivo_record_async.protocol.models import (
    AttemptReport,
    Failed,
    HistoryEntry,
    PendingResponse,
    RateLimit,
    RecordingStarted,
    RecordingStatus,
    StartRequest,
    StopRequest,
    Succeeded,
    UnknownCallback,
)
from tests.support.samples.model_examples import VALUES

CLASSES: set[type[Any]] = {type(value) for value in VALUES}
WITHOUT_RAW: set[type[Any]] = {
    AttemptReport,
    Failed,
    HistoryEntry,
    PendingResponse,
    RateLimit,
    RecordingStatus,
    StartRequest,
    StopRequest,
    Succeeded,
}


def test_raw_is_neither_compared_nor_shown() -> None:
    value = RecordingStarted(api_id="a", raw={"secret": "x"})
    assert value == RecordingStarted(api_id="a")
    assert "secret" not in repr(value)


def test_every_event_and_every_response_except_a_pending_response_has_raw() -> None:
    with_raw = {cls for cls in CLASSES if "raw" in attrs.fields_dict(cls)}
    assert with_raw == CLASSES - WITHOUT_RAW


def test_only_an_unknown_callback_is_compared_by_raw() -> None:
    compared = {cls for cls in CLASSES if (raw := attrs.fields_dict(cls).get("raw")) and raw.eq}
    assert compared == {UnknownCallback}
