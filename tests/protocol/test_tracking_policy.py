"""The tracking policy: its defaults and the values that it refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING, TrackingPolicy

NAMES = [attribute.name for attribute in attrs.fields(TrackingPolicy)]


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert TrackingPolicy().to_dict() == {
        "poll_interval": 1.0,
        "lease": 10.0,
        "confirm_within": 120.0,
        "initial_backoff": 15.0,
        "idle_backoff": 300.0,
        "list_interval": 60.0,
        "max_backoff": 3600.0,
        "absence_grace": 300.0,
        "handler_lease": 60.0,
        "give_up_after": 172_800.0,
    }
    assert TrackingPolicy() == DEFAULT_TRACKING


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (30, TypeError, "must be a timedelta, not int: 30"),
        (None, TypeError, "must be a timedelta, not NoneType: None"),
        (timedelta(), ValueError, r"must be positive and at most 3,650 days, not datetime.timedelta\(0\)"),
        (timedelta(seconds=-1), ValueError, "must be positive"),
        (timedelta.max, ValueError, "must be positive and at most 3,650 days"),
    ],
)
def test_value_that_is_not_a_positive_interval_is_rejected(
    name: str, value: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=f"^{name} {said}"):
        TrackingPolicy(**{name: value})
