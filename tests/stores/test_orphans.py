"""Orphans: the IDs of Plivo's that their fields contain."""

from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.testing.store_contract.samples import orphan


@pytest.mark.parametrize(
    ("raw", "api_id", "recording_id"),
    [
        ({"api_id": "a", "recording_id": "r"}, "a", "r"),
        ({"RecordingID": "r"}, None, "r"),
        ({"response": '{"api_id": "a", "url": "https://f/1"}'}, "a", None),
        ({"response": "no JSON", "recording_id": ""}, None, None),
        ({"api_id": ["a", "b"]}, None, None),
        ({}, None, None),
    ],
)
def test_ids_are_read_from_the_fields(raw: dict[str, Any], api_id: str | None, recording_id: str | None) -> None:
    odd = orphan(UnknownCallback(raw=raw))
    assert (odd.api_id, odd.recording_id) == (api_id, recording_id)
