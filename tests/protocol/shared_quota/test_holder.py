"""What a process may do with its permits: when it stops using them, what it wishes, and when it renews."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plivo_record_async.protocol.clocks import Reading
from plivo_record_async.protocol.shared_quota.account import Share, Sighting
from plivo_record_async.protocol.shared_quota.holder import LeaseHolder
from plivo_record_async.protocol.shared_quota.timing import LeaseTiming

TIMING = LeaseTiming(per=5.0)


def at(seconds: float) -> Reading:
    return Reading(wall=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds), steady=seconds, run="")


def share(permits: int, target: int, *, joined: int = 1, seen: dict[str, Sighting] | None = None) -> Share:
    return Share(permits=permits, target=target, joined=joined, pause=0.0, per=5.0, seen=seen or {})


def holder_with(permits: int, target: int) -> LeaseHolder:
    holder = LeaseHolder("a", 300, TIMING)
    holder.finish_renewal(share(permits, target), began=at(0.0), now=at(0.0))
    return holder


def test_new_holder_has_no_permits() -> None:
    holder = LeaseHolder("a", 300, TIMING)
    assert (holder.permits, holder.available) == (0, 0)
    assert holder.validity.seconds_left(at(0.0)) < 0


def test_holder_that_shall_return_permits_takes_no_more() -> None:
    assert holder_with(permits=300, target=150).available == 150


@pytest.mark.parametrize(("busy", "kept"), [(0, 150), (150, 150), (200, 200), (300, 300)])
def test_holder_stops_using_what_it_returns_before_the_renewal_is_sent(busy: int, kept: int) -> None:
    holder = holder_with(permits=300, target=150)
    renewal = holder.begin_renewal(at(1.0), busy=busy)
    assert renewal.permits == holder.permits == kept


def test_release_keeps_only_busy_permits() -> None:
    renewal = holder_with(permits=300, target=300).begin_renewal(at(1.0), busy=20, releases=True)
    assert (renewal.permits, renewal.releases) == (20, True)


def test_lost_answer_changes_nothing_until_the_next_one() -> None:
    holder = holder_with(permits=300, target=150)
    holder.begin_renewal(at(1.0), busy=0)
    assert holder.begin_renewal(at(2.0), busy=0).permits == 150
    holder.finish_renewal(share(300, 300), began=at(2.0), now=at(2.1))
    assert holder.permits == 300


def test_lease_counts_from_before_the_renewal_was_sent() -> None:
    holder = holder_with(permits=1, target=1)
    holder.finish_renewal(share(1, 1), began=at(10.0), now=at(12.0))
    assert holder.validity.seconds_left(at(12.0)) == TIMING.usable - 2.0


def test_validity_of_old_permits_is_not_extended_after_the_lease_was_lost() -> None:
    holder = holder_with(permits=1, target=1)
    old = holder.validity
    holder.finish_renewal(share(1, 1, joined=7), began=at(20.0), now=at(20.0))
    assert old.seconds_left(at(20.0)) < 0 < holder.validity.seconds_left(at(20.0))


def test_validity_of_old_permits_is_extended_while_the_lease_lasts() -> None:
    holder = holder_with(permits=1, target=1)
    old = holder.validity
    holder.finish_renewal(share(1, 1), began=at(3.0), now=at(3.0))
    assert holder.validity is old
    assert old.seconds_left(at(3.0)) == TIMING.usable


def test_ages_count_from_the_receipt_of_the_answer() -> None:
    holder = holder_with(permits=1, target=1)
    seen = {"b": Sighting(4, 1.5)}
    holder.finish_renewal(share(1, 1, seen=seen), began=at(3.0), now=at(5.0))
    renewal = holder.begin_renewal(at(6.0), busy=0)
    assert (renewal.seen, renewal.since) == (seen, 1.0)


def test_wish_has_room_for_waiting_requests_and_a_few_more() -> None:
    holder = LeaseHolder("a", 300, TIMING)
    assert holder.wish(busy=0, waiting=0) == 18
    assert holder.wish(busy=100, waiting=32) == 182
    assert holder.wish(busy=290, waiting=32) == 300
    assert LeaseHolder("a", 1, TIMING).wish(busy=0, waiting=0) == 1


@pytest.mark.parametrize(
    ("permits", "target", "waiting", "interval"),
    [
        pytest.param(300, 300, 0, 1.0, id="content"),
        pytest.param(100, 100, 5, 0.5, id="wants more"),
        pytest.param(300, 300, 5, 1.0, id="has everything"),
        pytest.param(300, 150, 0, 0.5, id="returns some"),
    ],
)
def test_interval(permits: int, target: int, waiting: int, interval: float) -> None:
    assert holder_with(permits, target).interval(busy=permits, waiting=waiting) == interval
