"""What one renewal changes: grants, shares, ages, pauses, and processes with other settings."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.shared_quota.account import Account, Holding, Renewal, Share, Sighting, renew
from plivo_record_async.protocol.shared_quota.timing import LeaseTiming

TIMING = LeaseTiming(per=5.0)


def renewal(holder: str = "a", **values: Any) -> Renewal:
    return attrs.evolve(Renewal(holder=holder, permits=0, wish=300, limit=300, timing=TIMING), **values)


def holding(permits: int = 0, **values: Any) -> Holding:
    return attrs.evolve(Holding(permits=permits, wish=300, limit=300, joined=1, renewed=1, lease=12.0), **values)


def account(**holdings: Holding) -> Account:
    return Account(per=5.0, renewals=10, holdings=holdings)


def share_of(state: Account, asked: Renewal, *, now: float = 0.0) -> Share:
    return renew(state, asked, now=now)[1]


def test_first_holder_receives_what_it_wishes() -> None:
    changed, share = renew(Account(per=9.0), renewal(wish=40), now=0.0)
    assert (share.permits, share.target, share.joined, share.per) == (40, 40, 1, 5.0)
    assert changed == Account(
        per=5.0, renewals=1, holdings={"a": Holding(permits=40, wish=40, limit=300, joined=1, renewed=1, lease=12.0)}
    )


def test_second_holder_receives_only_what_is_free() -> None:
    share = share_of(account(b=holding(280)), renewal())
    assert (share.permits, share.target) == (20, 150)


def test_holder_never_keeps_more_than_the_account_counts() -> None:
    assert share_of(account(a=holding(100), b=holding(200)), renewal(permits=300)).permits == 100


def test_permits_that_a_holder_does_not_keep_are_free() -> None:
    changed, share = renew(account(a=holding(300), b=holding(0)), renewal(permits=150), now=0.0)
    assert share.permits == 150
    assert share_of(changed, renewal("b")).permits == 150


@given(
    st.integers(1, 50),
    st.dictionaries(st.sampled_from("bcdefg"), st.tuples(st.integers(0, 50), st.integers(0, 60))),
    st.integers(0, 60),
)
def test_sum_never_exceeds_the_limit_because_of_a_renewal(
    limit: int, others: dict[str, tuple[int, int]], wish: int
) -> None:
    state = account(**{name: holding(permits, wish=wishes, limit=limit) for name, (permits, wishes) in others.items()})
    before = sum(each.permits for each in state.holdings.values())
    changed, share = renew(state, renewal(wish=wish, limit=limit), now=0.0)
    assert sum(each.permits for each in changed.holdings.values()) <= max(before, limit)
    assert 0 <= share.permits <= share.target <= max(wish, 0)


@given(st.integers(1, 50), st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_shares_of_all_holders_together_are_the_limit_or_all_that_they_wish(limit: int, wishes: list[int]) -> None:
    names = "abcdefg"[: len(wishes)]
    holdings = {name: holding(wish=wish, limit=limit, renewed=10) for name, wish in zip(names, wishes, strict=True)}
    shares = [
        share_of(account(**holdings), renewal(name, wish=wish, limit=limit)).target
        for name, wish in zip(names, wishes, strict=True)
    ]
    if len(wishes) <= limit:
        assert sum(shares) == min(limit, sum(min(wish, limit) for wish in wishes))
    else:
        assert sum(shares) == limit


def test_holder_with_a_small_wish_leaves_the_rest_to_the_others() -> None:
    state = account(b=holding(wish=10), c=holding(wish=300))
    assert share_of(state, renewal()).target == 145


def test_smallest_limit_counts() -> None:
    assert share_of(account(b=holding(limit=100)), renewal()).target == 50


def test_holder_that_was_seen_unchanged_for_a_lease_is_dead() -> None:
    asked = renewal(seen={"b": Sighting(1, 4.0)}, since=7.9)
    changed, share = renew(account(b=holding(300)), asked, now=0.0)
    assert share.permits == 0
    assert changed.holdings["b"].age == pytest.approx(11.9)
    assert share.seen["b"].renewed == 1
    assert share.seen["b"].age == pytest.approx(11.9)
    changed, share = renew(account(b=holding(300)), attrs.evolve(asked, since=8.0), now=0.0)
    assert share.permits == 300
    assert list(changed.holdings) == ["a"]


def test_holder_that_has_renewed_since_it_was_seen_is_alive() -> None:
    share = share_of(account(b=holding(300, renewed=2)), renewal(seen={"b": Sighting(1, 4.0)}, since=60.0))
    assert share.permits == 0
    assert share.seen == {"b": Sighting(2, 0.0)}


def test_age_that_another_observer_has_kept_counts() -> None:
    assert share_of(account(b=holding(300, age=12.0)), renewal()).permits == 300


def test_age_of_a_holder_that_is_not_late_is_not_kept() -> None:
    changed, _ = renew(account(b=holding()), renewal(seen={"b": Sighting(1, 0.0)}, since=1.5), now=0.0)
    assert changed.holdings["b"].age == 0.0


def test_holder_whose_lease_has_ended_joins_again_without_permits_of_its_own() -> None:
    share = share_of(account(a=holding(200, age=12.0), b=holding(300)), renewal(permits=200))
    assert (share.permits, share.joined) == (0, 11)


def test_release_keeps_permits_whose_windows_have_not_passed() -> None:
    changed, _ = renew(account(a=holding(100)), renewal(permits=30, releases=True), now=0.0)
    released = changed.holdings["a"]
    assert (released.permits, released.wish, released.lease) == (30, 0, 8.0)
    assert share_of(changed, renewal("b")).target == 300


def test_release_of_idle_permits_leaves_nothing() -> None:
    changed, _ = renew(account(a=holding(100)), renewal(permits=0, releases=True), now=0.0)
    assert changed.holdings == {}


def test_pause_of_one_holder_applies_to_all() -> None:
    changed, share = renew(account(), renewal(pause=5.0), now=1000.0)
    assert share.pause == 5.0
    assert share_of(changed, renewal("b"), now=1002.0).pause == 3.0
    assert share_of(changed, renewal("b", pause=1.0), now=1002.0).pause == 3.0
    assert share_of(changed, renewal("b"), now=1006.0).pause <= 0.0


def test_pause_is_limited_if_the_clock_of_the_database_was_set_back() -> None:
    changed, _ = renew(account(), renewal(pause=5.0), now=1_000_000.0)
    assert share_of(changed, renewal("b"), now=0.0).pause == 3600.0


def test_holder_with_another_window_receives_nothing_and_takes_nothing() -> None:
    other = renewal(timing=LeaseTiming(per=1.0))
    changed, share = renew(account(b=holding(10)), other, now=0.0)
    assert (share.permits, share.target, share.per) == (0, 0, 5.0)
    assert list(changed.holdings) == ["b"]
