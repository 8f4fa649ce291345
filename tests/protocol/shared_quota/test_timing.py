"""The durations of a lease, and the clocks that measure them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plivo_record_async.protocol.clocks import Reading
from plivo_record_async.protocol.shared_quota.timing import LeaseTiming, Validity

TIMING = LeaseTiming(per=5.0)


def reading(steady: float, wall: float) -> Reading:
    return Reading(wall=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=wall), steady=steady, run="")


def test_lease_is_the_window_five_seconds_and_two_renewals() -> None:
    assert TIMING.lease == 12.0
    assert TIMING.usable + TIMING.margin + TIMING.per == TIMING.lease
    assert TIMING.after_release == 8.0


def test_lease_that_was_never_renewed_is_not_valid() -> None:
    assert Validity(TIMING).seconds_left(reading(0.0, 0.0)) < 0


@pytest.mark.parametrize(
    ("steady", "wall", "left"),
    [
        pytest.param(1.0, 1.0, 3.0, id="both clocks are right"),
        pytest.param(5.0, 0.0, -1.0, id="the machine was suspended"),
        pytest.param(0.0, 5.0, -1.0, id="the virtual machine was paused"),
        pytest.param(1.0, -3600.0, 3.0, id="the wall clock was set back"),
        pytest.param(1.0, 3600.0, -3596.0, id="the wall clock was set forward"),
    ],
)
def test_elapsed_time_is_that_of_the_clock_that_has_advanced_more(steady: float, wall: float, left: float) -> None:
    validity = Validity(TIMING)
    validity.renew(reading(100.0, 0.0))
    assert validity.seconds_left(reading(100.0 + steady, wall)) == pytest.approx(left)
