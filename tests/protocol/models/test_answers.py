"""The values that calls return."""

from __future__ import annotations

import attrs

from plivo_record_async.protocol.models import PendingResponse


def test_a_pending_response_has_one_field() -> None:
    assert [field.name for field in attrs.fields(PendingResponse)] == ["api_id"]
