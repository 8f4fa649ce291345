from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import click
import pytest

from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.statuses import state_exit_code, status_line, status_object
from plivo_record_async.protocol.models import RecordingState, RecordingStatus

AT = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("state", get_args(RecordingState))
def test_state_without_a_recording_is_a_failure_and_an_uncertain_one_is_unknown(state: RecordingState) -> None:
    failed, unknown = {"not_sent", "rejected", "absent", "failed"}, {"planned", "sending", "unknown"}
    expected = ExitCode.FAILED if state in failed else ExitCode.UNKNOWN if state in unknown else ExitCode.DONE
    assert state_exit_code(state) is expected


def test_status_is_one_line_with_what_is_known() -> None:
    found = RecordingStatus(
        start_id="s", conference_name="a\nb", state="recorded", record_url="http://u", updated_at=AT
    )
    assert click.unstyle(status_line(found)) == "recorded     a\\nb  start_id=s  url=http://u"
    lost = RecordingStatus(start_id="s", conference_name="a", state="unknown", error="no\nanswer", updated_at=AT)
    assert click.unstyle(status_line(lost)) == "unknown      a  start_id=s  no\\nanswer"


def test_object_of_a_status_has_its_type_and_no_history() -> None:
    found = RecordingStatus(start_id="s", conference_name="a", state="recorded", updated_at=AT)
    assert status_object(found).keys() == {"type", *found.to_dict()} - {"history"}
