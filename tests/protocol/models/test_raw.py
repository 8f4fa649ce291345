"""The attribute `raw`, which keeps the whole message of a value."""

from __future__ import annotations

import attrs

from plivo_record_async.protocol.models import (
    Failed,
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

WITHOUT_RAW = {Failed, PendingResponse, RateLimit, RecordingStatus, StartRequest, StopRequest, Succeeded}


def test_raw_takes_no_part_in_comparison_and_is_not_shown() -> None:
    value = RecordingStarted(api_id="a", raw={"secret": "x"})
    assert value == RecordingStarted(api_id="a")
    assert "secret" not in repr(value)


def test_every_event_and_every_answer_but_a_pending_response_has_raw() -> None:
    with_raw = {type(value) for value in VALUES if "raw" in attrs.fields_dict(type(value))}
    assert with_raw == {type(value) for value in VALUES} - WITHOUT_RAW


def test_only_an_unknown_callback_is_compared_by_raw() -> None:
    compared = {type(value) for value in VALUES if (raw := attrs.fields_dict(type(value)).get("raw")) and raw.eq}
    assert compared == {UnknownCallback}
