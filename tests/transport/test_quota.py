"""The quota: no window exceeds it, calls wait in order, and cancelled calls use no permit."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plivo_record_async.protocol.models import RateLimit
from plivo_record_async.transport.quota import Quota
from tests.support import virtual_time

PLIVOS = RateLimit(300, per=5.0)

LATENCIES = st.floats(0, 20) | st.sampled_from([0.0, 5.0, 4.999])


def now() -> float:
    return asyncio.get_running_loop().time()


async def arrivals(rate: RateLimit, journeys: Sequence[tuple[float, float, float]]) -> list[float]:
    """Return when requests arrive. Each has the time of its call, of its way to the server, and of its response."""
    quota = Quota(rate)
    arrived: list[float] = []

    async def request(called: float, there: float, back: float) -> None:
        await asyncio.sleep(called)
        await quota.acquire()
        await asyncio.sleep(there)
        arrived.append(now())
        await asyncio.sleep(back)
        quota.give_back(used=True)

    await asyncio.gather(*(request(*journey) for journey in journeys))
    return arrived


def most_in_a_window(times: Sequence[float], per: float) -> int:
    ordered = sorted(times)
    return max((bisect_right(ordered, first + per) - index for index, first in enumerate(ordered)), default=0)


@given(
    limit=st.integers(1, 6),
    per=st.floats(0.05, 10),
    journeys=st.lists(st.tuples(st.floats(0, 10), LATENCIES, LATENCIES), max_size=40),
)
def test_no_window_ever_holds_more_arrivals_than_allowed(
    limit: int, per: float, journeys: list[tuple[float, float, float]]
) -> None:
    arrived = virtual_time.run(arrivals(RateLimit(limit, per=per), journeys))
    assert len(arrived) == len(journeys)
    assert most_in_a_window(arrived, per) <= limit


@settings(max_examples=20)
@given(st.lists(LATENCIES, min_size=1, max_size=7))
def test_plivos_quota_is_respected_and_used_in_full(latencies: list[float]) -> None:
    journeys = [(0.0, latencies[number % len(latencies)], 0.0) for number in range(1_000)]
    arrived = virtual_time.run(arrivals(PLIVOS, journeys))
    assert most_in_a_window(arrived, PLIVOS.per) <= PLIVOS.limit
    assert max(arrived) <= 4 * (max(latencies) + PLIVOS.per + 0.01)


async def test_quota_is_respected_on_the_real_clock() -> None:
    rate = RateLimit(5, per=0.1)
    times = await arrivals(rate, [(0.0, 0.0, 0.0)] * 20)
    for first, sixth in zip(times, times[rate.limit :], strict=False):
        assert sixth - first > rate.per


async def test_without_a_rate_nothing_waits() -> None:
    quota = Quota(None)
    for _ in range(10_000):
        await quota.acquire()
        quota.give_back(used=True)
    assert quota.paused_for <= 0


def test_returned_permit_is_available_at_once() -> None:
    async def main() -> float:
        quota = Quota(RateLimit(1, per=5.0))
        for _ in range(1_000):
            await quota.acquire()
            quota.give_back(used=False)
        return now()

    assert virtual_time.run(main()) == 0.0


def test_first_come_first_served() -> None:
    async def main() -> list[int]:
        quota = Quota(RateLimit(7, per=1.0))
        served: list[int] = []

        async def request(number: int) -> None:
            await quota.acquire()
            served.append(number)
            await asyncio.sleep(number % 3)
            quota.give_back(used=True)

        await asyncio.gather(*(request(number) for number in range(2_000)))
        return served

    assert virtual_time.run(main()) == list(range(2_000))


def test_new_call_does_not_overtake_waiting_calls() -> None:
    async def main() -> list[str]:
        quota = Quota(RateLimit(1, per=1.0))
        served: list[str] = []

        async def request(name: str) -> None:
            await quota.acquire()
            served.append(name)
            quota.give_back(used=True)

        async with asyncio.TaskGroup() as group:
            for name in ("first", "second", "third"):
                group.create_task(request(name))
            await asyncio.sleep(1.002)  # the moment at which the first permit becomes free
            group.create_task(request("late"))
        return served

    assert virtual_time.run(main()) == ["first", "second", "third", "late"]


@pytest.mark.parametrize("paused", [False, True])
def test_cancelled_waiters_use_no_permit(paused: bool) -> None:
    async def main() -> tuple[int, float]:
        quota = Quota(RateLimit(3, per=5.0))
        if paused:
            quota.pause(100.0)
        else:
            for _ in range(3):
                await quota.acquire()
        waiters = [asyncio.create_task(quota.acquire()) for _ in range(5_000)]
        await asyncio.sleep(1.0)
        for waiter in waiters:
            waiter.cancel()
        results = await asyncio.gather(*waiters, return_exceptions=True)
        assert {type(result) for result in results} == {asyncio.CancelledError}
        if paused:
            await asyncio.sleep(100.0)
        else:
            for _ in range(3):
                quota.give_back(used=False)
        before = now()
        for _ in range(3):
            await quota.acquire()
        return len(asyncio.all_tasks()), now() - before

    assert virtual_time.run(main()) == (1, 0.0)


@given(st.lists(st.booleans(), min_size=2, max_size=60), st.integers(1, 5))
def test_no_permit_is_lost_by_cancellation(leaves: list[bool], limit: int) -> None:
    async def main() -> float:
        quota = Quota(RateLimit(limit, per=1.0))

        async def request() -> None:
            await quota.acquire()
            try:
                await asyncio.sleep(0.1)
            finally:
                quota.give_back(used=True)

        tasks = [asyncio.create_task(request()) for _ in leaves]
        for task, leaving in zip(tasks, leaves, strict=True):
            await asyncio.sleep(0.03)
            if leaving:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(1.01)
        before = now()
        for _ in range(limit):
            await quota.acquire()
        return now() - before

    assert virtual_time.run(main()) == 0.0


def test_call_must_wait_only_if_no_permit_is_free_or_a_pause_is_active() -> None:
    async def main() -> None:
        quota = Quota(RateLimit(2, per=5.0))
        found = [quota.must_wait]
        for _ in range(2):
            await quota.acquire()
            found.append(quota.must_wait)
        quota.give_back(used=False)
        found.append(quota.must_wait)
        quota.pause(1.0)
        found.append(quota.must_wait)
        await asyncio.sleep(1.0)
        found.append(quota.must_wait)
        assert found == [False, False, True, False, True, False]

    virtual_time.run(main())


@pytest.mark.parametrize("rate", [None, PLIVOS])
def test_pause_delays_all_calls(rate: RateLimit | None) -> None:
    async def main() -> list[float]:
        quota = Quota(rate)
        quota.pause(7.0)

        async def request() -> float:
            await quota.acquire()
            return now()

        waiting = asyncio.gather(*(request() for _ in range(100)))
        await asyncio.sleep(1.0)
        late = asyncio.create_task(request())
        return [*await waiting, await late]

    assert virtual_time.run(main()) == pytest.approx([7.0] * 101)


def test_the_longest_pause_counts() -> None:
    async def main() -> tuple[float, float]:
        quota = Quota(PLIVOS)
        quota.pause(5.0)
        quota.pause(1.0)
        waiter = asyncio.create_task(quota.acquire())
        await asyncio.sleep(4.0)
        quota.pause(4.0)
        await waiter
        return now(), quota.paused_for

    assert virtual_time.run(main()) == pytest.approx((8.0, 0.0))


def test_arrivals_are_delayed_no_longer_than_needed() -> None:
    arrived = virtual_time.run(arrivals(RateLimit(1, per=1.0), [(0.0, 0.0, 0.0)] * 5))
    assert [later - earlier for earlier, later in pairwise(arrived)] == pytest.approx([1.002] * 4)


def test_permit_may_become_free_after_several_windows() -> None:
    async def main() -> list[float]:
        quota, times = Quota(RateLimit(2, per=1.0)), list[float]()
        for windows in (3, 1, 1):
            await quota.acquire()
            times.append(now())
            quota.give_back(used=True, windows=windows)
        await quota.acquire()
        return [*times, now()]

    assert virtual_time.run(main()) == pytest.approx([0.0, 0.0, 1.002, 2.004])


# One event loop after another


async def use(quota: Quota, count: int) -> None:
    for _ in range(count):
        await quota.acquire()
        quota.give_back(used=True)


async def waits_for(quota: Quota, count: int) -> float:
    """Return how long it takes to acquire a number of permits, which are not given back."""
    for _ in range(count):
        await quota.acquire()
    return now()


ABOUT_A_MINUTE = pytest.approx(60.0, abs=10)
"""Seconds. Real time also passes between two virtual event loops."""


def test_permits_used_in_one_event_loop_count_in_the_next() -> None:
    quota = Quota(RateLimit(3, per=60.0))
    virtual_time.run(use(quota, 2))
    assert virtual_time.run(waits_for(quota, 1)) == 0.0
    assert virtual_time.run(waits_for(quota, 1)) == ABOUT_A_MINUTE
    quota = Quota(RateLimit(3, per=60.0))
    virtual_time.run(use(quota, 2))
    virtual_time.run(use(quota, 0))
    assert virtual_time.run(waits_for(quota, 2)) == ABOUT_A_MINUTE


def test_permits_that_were_held_when_their_event_loop_ended_count_from_then_on() -> None:
    quota = Quota(RateLimit(2, per=60.0))
    virtual_time.run(waits_for(quota, 2))
    assert virtual_time.run(waits_for(quota, 2)) == ABOUT_A_MINUTE


def test_permits_used_long_ago_do_not_count_in_the_next_event_loop() -> None:
    quota = Quota(RateLimit(2, per=0.001))
    asyncio.run(use(quota, 2))
    asyncio.run(asyncio.sleep(0.01))
    assert virtual_time.run(waits_for(quota, 2)) == 0.0


def test_pause_applies_to_the_next_event_loop() -> None:
    quota = Quota(None)

    async def pause() -> None:
        quota.pause(60.0)

    virtual_time.run(pause())
    assert virtual_time.run(waits_for(quota, 1)) == ABOUT_A_MINUTE


# What a quota of several processes adds


def test_call_that_is_cancelled_when_it_receives_its_permit_returns_it() -> None:
    async def main() -> float:
        quota = Quota(RateLimit(1, per=1.0))
        await quota.acquire()
        waiting = asyncio.create_task(quota.acquire())
        await asyncio.sleep(0)
        quota.give_back(used=False)
        waiting.cancel()
        await asyncio.wait([waiting])
        await quota.acquire()
        return now()

    assert virtual_time.run(main()) == 0.0


async def test_quota_of_one_client_has_nothing_to_open_or_close() -> None:
    quota = Quota(PLIVOS)
    close = await quota.open()
    is_valid = await quota.acquire()
    await close()
    assert is_valid()
    assert quota.trouble is None
