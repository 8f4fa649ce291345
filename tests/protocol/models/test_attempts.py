"""`AttemptReport` is a frozen value that can be pickled and converted to JSON."""

from __future__ import annotations

import json
import pickle

import attrs
import pytest

from plivo_record_async import AttemptReport, NotSentError

REPORT = AttemptReport(
    operation="start_recording",
    conference_name="standup",
    attempt=2,
    error=NotSentError("start of 'standup'", "refused", phase="connect", evidence="it failed before sending began"),
    seconds=0.5,
    may_have_been_executed=False,
)


def test_report_is_frozen_and_has_defaults_for_what_is_not_known() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        REPORT.attempt = 3  # type: ignore[misc]
    assert (REPORT.status, REPORT.api_id, REPORT.start_id, REPORT.quota_wait) == (None, None, None, 0.0)


def test_report_can_be_pickled_and_converted_to_json() -> None:
    copy = pickle.loads(pickle.dumps(REPORT))
    assert copy.to_dict() == REPORT.to_dict()
    written = json.loads(json.dumps(REPORT.to_dict()))
    assert (written["attempt"], written["error"]["type"]) == (2, "NotSentError")
