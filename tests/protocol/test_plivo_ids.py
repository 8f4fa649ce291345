"""Which ids of Plivo's a callback names, in any of its shapes."""

from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.protocol.plivo_ids import named_ids


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        ({}, {}),
        ({"api_id": "a", "recording_id": "r"}, {"api_id": "a", "recording_id": "r"}),
        ({"ApiID": "a", "RecordingID": "r"}, {"api_id": "a", "recording_id": "r"}),
        ({"response": '{"api_id": "a", "recording_id": "r"}'}, {"api_id": "a", "recording_id": "r"}),
        ({"api_id": "outside", "response": '{"api_id": "inside"}'}, {"api_id": "outside"}),
        ({"api_id": "", "ApiID": "a"}, {"api_id": "a"}),
        ({"api_id": 7, "recording_id": None, "response": 8}, {}),
        ({"recording_id": "r", "response": "no JSON"}, {"recording_id": "r"}),
        ({"recording_id": "r", "response": "[" * 10_000}, {"recording_id": "r"}),
    ],
)
def test_ids_are_found_in_every_shape(raw: dict[str, Any], ids: dict[str, str]) -> None:
    assert named_ids(raw) == ids
