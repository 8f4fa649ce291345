"""No order of events lets the processes that share a quota exceed it: the decisions are checked in a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given, settings

from plivo_record_async.protocol.clocks import Reading
from plivo_record_async.protocol.shared_quota.account import Account, Renewal, Share, renew
from plivo_record_async.protocol.shared_quota.holder import LeaseHolder
from plivo_record_async.protocol.shared_quota.timing import LeaseTiming
from tests.support.shared_quota_events import WALKS, Event, play, random_walk
from tests.support.shared_quota_model import PER, Machine, Process, QuotaExceededError, World

LENGTH = 120
"""The number of events of a random walk."""


@given(WALKS)
@settings(max_examples=200)
def test_no_window_ever_contains_more_requests_than_allowed(walk: list[Event]) -> None:
    for limit in (1, 2, 3):
        play(World(limit), walk)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_no_window_contains_more_requests_than_allowed_in_long_random_walks(limit: int) -> None:
    for seed in range(2_000):
        play(World(limit), random_walk(seed, LENGTH))


# The model finds mistakes: each of these classes and functions has one


class AddsBack(LeaseHolder):
    """Uses the permits that it returns again until an answer says that the account has received them."""

    _returned = 0

    @property
    def available(self) -> int:
        return super().available + self._returned

    def begin_renewal(self, now: Reading, **state: Any) -> Renewal:
        before = self.permits
        renewal = super().begin_renewal(now, **state)
        self._returned = before - self.permits
        return renewal

    def finish_renewal(self, share: Share, *, began: Reading, now: Reading) -> None:
        super().finish_renewal(share, began=began, now=now)
        self._returned = 0


class ReturnsBusyPermits(LeaseHolder):
    """Returns permits whose window has not passed."""

    def begin_renewal(self, now: Reading, *, busy: int, **state: Any) -> Renewal:
        return super().begin_renewal(now, busy=0, **state)


class CountsFromTheAnswer(LeaseHolder):
    """Counts its lease from the answer, not from the beginning of the renewal."""

    def finish_renewal(self, share: Share, *, began: Reading, now: Reading) -> None:
        super().finish_renewal(share, began=now, now=now)


class ExtendsOldPermits(LeaseHolder):
    """Extends the validity of permits that were taken before the lease was lost."""

    def finish_renewal(self, share: Share, *, began: Reading, now: Reading) -> None:
        validity = self.validity
        super().finish_renewal(share, began=began, now=now)
        self.validity = validity
        validity.renew(began)


class KeepsItsName(LeaseHolder):
    """Has the same ID after a restart."""

    def __init__(self, holder_id: str, limit: int, timing: LeaseTiming) -> None:
        super().__init__("worker-1", limit, timing)


class TrustsItsSightings(LeaseHolder):
    """Counts the age of what it has seen from before it asked, not from when it received the answer."""

    def finish_renewal(self, share: Share, *, began: Reading, now: Reading) -> None:
        super().finish_renewal(share, began=began, now=began)


def forgets_windows(account: Account, renewal: Renewal, *, now: float) -> tuple[Account, Share]:
    """Frees the permits of a holder that ends at once, though their windows have not passed."""
    return renew(account, attrs.evolve(renewal, permits=0) if renewal.releases else renewal, now=now)


def trusts_wishes(account: Account, renewal: Renewal, *, now: float) -> tuple[Account, Share]:
    """Gives a holder its share before the others have returned their permits."""
    changed, share = renew(account, renewal, now=now)
    permits = max(share.permits, share.target)
    if renewal.holder not in changed.holdings:
        return changed, share
    own = attrs.evolve(changed.holdings[renewal.holder], permits=permits)
    holdings = {**changed.holdings, renewal.holder: own}
    return attrs.evolve(changed, holdings=holdings), attrs.evolve(share, permits=permits)


MISTAKES: dict[str, tuple[Callable[[int], World], int, str]] = {
    "uses returned permits again": (
        lambda limit: World(limit, make_holder=AddsBack),
        3,
        (
            "join 0 10, join 0 10, renew_all 8 1, renew 9 16, lose_renewal 11 1, renew 6 22, "
            "take_and_send_all 11 22, take_and_send_all 10 16"
        ),
    ),
    "returns permits whose window has not passed": (
        lambda limit: World(limit, make_holder=ReturnsBusyPermits),
        1,
        "join 0 19, join 0 19, renew 4 14, take_and_send_all 0 1, release 6 14, renew 6 4, take_and_send_all 0 1",
    ),
    "counts the lease from the answer": (
        lambda limit: World(limit, make_holder=CountsFromTheAnswer),
        1,
        (
            "join 0 16, join 0 16, begin_renewal 10 13, commit_or_answer 9 19, renew_all 6 11, renew_all 0 0, "
            "commit_or_answer 0 22, take_and_send_all 5 13, take_and_send_all 6 5"
        ),
    ),
    "extends the validity of old permits": (
        lambda limit: World(limit, make_holder=ExtendsOldPermits),
        2,
        (
            "join 0 8, join 0 8, renew_all 11 15, renew_all 6 12, take 6 11, renew_all 3 1, take 9 23, "
            "send_all 7 21, send_all 0 14"
        ),
    ),
    "has the same ID after a restart": (
        lambda limit: World(limit, make_holder=KeepsItsName),
        1,
        "join 0 15, join 0 15, renew 9 15, renew 4 13, take_and_send_all 10 20, take_and_send_all 3 19",
    ),
    "counts ages from before it asked": (
        lambda limit: World(limit, make_holder=TrustsItsSightings),
        1,
        (
            "join 0 13, join 0 13, begin_renewal 5 12, begin_renewal 10 5, commit_or_answer 7 12, renew_all 8 5, "
            "renew_all 2 5, commit_or_answer 11 5, renew 1 12, take_and_send_all 7 14, commit_or_answer 9 12, "
            "commit_or_answer 9 5, renew 6 12, take_and_send_all 10 5"
        ),
    ),
    "forgets windows at a release": (
        lambda limit: World(limit, renew_account=forgets_windows),
        1,
        "join 0 19, join 0 19, renew 4 14, take_and_send_all 0 1, release 6 14, renew 6 4, take_and_send_all 0 1",
    ),
    "gives permits before they are returned": (
        lambda limit: World(limit, renew_account=trusts_wishes),
        1,
        "join 0 15, join 0 15, join 7 14, renew 9 15, renew 4 13, take_and_send_all 10 20, take_and_send_all 3 19",
    ),
    "has no margin": (
        lambda limit: World(limit, timing=LeaseTiming(per=PER, margin=0.0)),
        1,
        (
            "join 0 3, join 0 3, renew 7 21, take_and_send_all 1 23, release 11 18, renew 1 23, pass_time 4 21, "
            "pass_time 5 18, renew 1 23, take_and_send_all 7 18"
        ),
    ),
}
"""Mistakes, and for each the shortest walk that was found among the random ones that shows it."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_model_finds_a_mistake(mistake: str) -> None:
    world_with_mistake, limit, events = MISTAKES[mistake]
    walk = [(name, int(who), int(variant)) for name, who, variant in map(str.split, events.split(", "))]
    with pytest.raises(QuotaExceededError):
        play(world_with_mistake(limit), walk)
    play(World(limit), walk)


def test_random_walks_find_a_mistake_that_is_not_written_down() -> None:
    def walk_until_found() -> None:
        for seed in range(2_000):
            play(World(1 + seed % 3, make_holder=ReturnsBusyPermits), random_walk(seed, LENGTH))

    with pytest.raises(QuotaExceededError):
        walk_until_found()


# Progress: permits do not get lost either


def run_steadily(world: World, seconds: float) -> int:
    """Let every process renew twice a second and send whenever it can; return the number of requests."""
    before = len(world.arrivals)
    until = world.now + seconds
    while world.now < until:
        for process in world.processes:
            for attempt in list(process.attempts):
                world.finish(process, attempt)
            while process.waiting and (attempt_now := world.take(process)):
                world.send(process, attempt_now)
            world.renew(process)
        world.now += 0.5
    return len(world.arrivals) - before


def processes(world: World, *waiting: int) -> list[Process]:
    made = [world.join(Machine(offset=100.0 * number)) for number in range(len(waiting))]
    for process, count in zip(made, waiting, strict=True):
        process.waiting = count
    return made


def test_one_busy_process_receives_the_whole_limit() -> None:
    world = World(30)
    processes(world, 32, 0, 0)
    run_steadily(world, 20.0)
    assert run_steadily(world, 60.0) >= 0.85 * 30 * 60 / 5.5  # a cycle of the model is half a second


def test_permits_of_an_idle_process_go_to_a_busy_one() -> None:
    world = World(30)
    first, second = processes(world, 32, 0)
    run_steadily(world, 20.0)
    assert first.holder.permits >= 27
    first.waiting, second.waiting = 0, 32
    run_steadily(world, 20.0)
    assert second.holder.permits >= 27


def test_busy_processes_receive_equal_shares() -> None:
    world = World(30)
    three = processes(world, 32, 32, 32)
    run_steadily(world, 30.0)
    assert [process.holder.permits for process in three] == [10, 10, 10]


def test_share_of_a_killed_process_is_free_after_one_lease() -> None:
    world = World(30)
    first, second = processes(world, 32, 32)
    run_steadily(world, 30.0)
    world.kill(second)
    run_steadily(world, LeaseTiming(per=PER).lease - 1.0)
    assert first.holder.permits == 15
    run_steadily(world, 3.0)
    assert first.holder.permits == 30


def test_share_of_a_process_that_ended_is_free_when_its_windows_have_passed() -> None:
    world = World(30)
    first, second = processes(world, 32, 32)
    run_steadily(world, 30.0)
    world.release(second)
    run_steadily(world, LeaseTiming(per=PER).after_release + 1.5)
    assert first.holder.permits == 30


def test_leases_of_processes_that_were_killed_again_and_again_end_too() -> None:
    """No process lives as long as a lease, so that each must continue from the ages that the earlier ones have kept."""
    world = World(4)
    for _ in range(20):
        (process,) = processes(world, 4)
        run_steadily(world, 4.0)
        world.kill(process)
        world.now += 30.0
    assert len(world.account.holdings) <= 5
    processes(world, 4)
    assert run_steadily(world, 4.0) > 0


def test_every_process_sends_now_and_then_if_there_are_more_processes_than_permits() -> None:
    world = World(1)
    three = processes(world, 4, 4, 4)
    had = set[int]()
    for _ in range(200):
        run_steadily(world, 1.0)
        had |= {number for number, process in enumerate(three) if process.holder.permits}
    assert had == {0, 1, 2}


def test_unequal_limits() -> None:
    """The smallest limit counts as soon as the others have returned what exceeds it."""
    world = World(30)
    (large,) = processes(world, 32)
    run_steadily(world, 20.0)
    small = world.join(Machine(), limit=10)
    small.waiting = 32
    run_steadily(world, 20.0)
    assert large.holder.permits + small.holder.permits == 10
