"""The values that are made from responses of Plivo's API."""

from __future__ import annotations

import attrs

from plivo_record_async.protocol.models import PendingResponse


def test_pending_response_has_one_field() -> None:
    assert [field.name for field in attrs.fields(PendingResponse)] == ["api_id"]
