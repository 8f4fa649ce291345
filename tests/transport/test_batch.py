"""Batches: items are read lazily, concurrency is limited, outcomes are yielded as calls end, and no task is left."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.models import Outcome
from plivo_record_async.transport.batch import run_many
from tests.support import virtual_time


async def double(item: int) -> int:
    return item * 2


async def as_async(items: Iterable[int]) -> AsyncIterator[int]:
    for item in items:
        yield item


class Counted:
    """The numbers 0, 1, 2, … and how many of them were read."""

    def __init__(self, end: int = 1_000_000) -> None:
        self.read = 0
        self._end = end

    def __iter__(self) -> Iterator[int]:
        for item in range(self._end):
            self.read += 1
            yield item


class Gate:
    """Calls that wait until the test releases them, and the number of calls in progress."""

    def __init__(self) -> None:
        self.under_way: dict[int, asyncio.Future[int]] = {}
        self.most = 0

    async def __call__(self, item: int) -> int:
        self.under_way[item] = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self.under_way))
        try:
            return await self.under_way[item]
        finally:
            del self.under_way[item]

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.under_way) < count:
                await asyncio.sleep(0)

    def open(self, item: int) -> None:
        self.under_way[item].set_result(item)


async def collect(outcomes: AsyncIterator[Outcome[int, int]], requests: list[int]) -> None:
    """Collect the items whose outcomes are yielded, up to an error if there is one."""
    async for outcome in outcomes:
        requests.append(outcome.request)  # noqa: PERF401 - what came before an error counts too


async def everything_has_happened() -> None:
    """Let the event loop run until only timers or the test itself could continue anything."""
    for _ in range(1_000):
        await asyncio.sleep(0)


async def only_this_task_is_left() -> None:
    async with asyncio.timeout(10):
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)


@pytest.mark.parametrize("source", [list, tuple, set, iter, as_async])
@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 1_000])
@pytest.mark.parametrize("concurrency", [1, 32])
async def test_each_item_has_one_outcome(source: Callable[..., Any], count: int, concurrency: int) -> None:
    outcomes = [outcome async for outcome in run_many(source(range(count)), double, concurrency=concurrency)]
    assert sorted((outcome.request, outcome.result) for outcome in outcomes) == [(n, 2 * n) for n in range(count)]
    assert all(outcome.ok for outcome in outcomes)
    assert len(asyncio.all_tasks()) == 1


async def test_one_at_a_time_keeps_the_order() -> None:
    outcomes = [outcome.request async for outcome in run_many(range(100), double, concurrency=1)]
    assert outcomes == list(range(100))


async def test_request_of_an_outcome_is_the_given_item() -> None:
    items = [object() for _ in range(10)]

    async def nothing(item: object) -> None:
        return None

    outcomes = [outcome async for outcome in run_many(items, nothing, concurrency=3)]
    assert {id(outcome.request) for outcome in outcomes} == {id(item) for item in items}


async def test_failed_item_does_not_affect_the_others() -> None:
    async def odd_ones_fail(item: int) -> int:
        if item % 2:
            raise ValueError(item)
        return item

    outcomes = [outcome async for outcome in run_many(range(100), odd_ones_fail, concurrency=8)]
    assert Counter(outcome.ok for outcome in outcomes) == {True: 50, False: 50}
    for outcome in outcomes:
        assert (outcome.result is None) is (outcome.request % 2 == 1)
        assert outcome.ok or str(outcome.error) == str(outcome.request)


async def test_outcomes_are_yielded_as_they_complete() -> None:
    gate = Gate()
    outcomes = run_many(range(3), gate, concurrency=3)
    first = asyncio.ensure_future(anext(outcomes))
    await gate.wait_for(3)
    gate.open(2)
    assert (await first).request == 2
    gate.open(0)
    assert (await anext(outcomes)).request == 0
    gate.open(1)
    assert [outcome.request async for outcome in outcomes] == [1]


@pytest.mark.parametrize("concurrency", [1, 2, 7])
async def test_concurrency_is_limited(concurrency: int) -> None:
    gate = Gate()
    outcomes = run_many(Counted(50), gate, concurrency=concurrency)
    taken = 0
    task = asyncio.ensure_future(anext(outcomes))
    while taken < 50:
        await gate.wait_for(min(concurrency, 50 - taken))
        await everything_has_happened()
        gate.open(min(gate.under_way))
        await task
        taken += 1
        task = asyncio.ensure_future(anext(outcomes))
    with pytest.raises(StopAsyncIteration):
        await task
    assert gate.most == concurrency


async def test_source_is_not_read_before_the_first_outcome_is_requested() -> None:
    source = Counted()
    outcomes = run_many(source, double, concurrency=4)
    await everything_has_happened()
    assert source.read == 0
    await outcomes.aclose()
    assert source.read == 0


@pytest.mark.parametrize("make", [iter, as_async])
async def test_source_is_read_only_as_fast_as_calls_complete(make: Callable[..., Any]) -> None:
    gate, source = Gate(), Counted()
    outcomes = run_many(make(source), gate, concurrency=4)
    task = asyncio.ensure_future(anext(outcomes))
    await gate.wait_for(4)
    await everything_has_happened()
    assert source.read == 4
    gate.open(0)
    await task
    await everything_has_happened()
    assert source.read == 5
    await outcomes.aclose()


@pytest.mark.parametrize("concurrency", [1, 4, 32])
async def test_slow_consumer_delays_reading(concurrency: int) -> None:
    source = Counted()
    outcomes = run_many(source, double, concurrency=concurrency)
    for taken in range(1, 101):
        await anext(outcomes)
        await everything_has_happened() if taken in {1, 50, 100} else None
        assert source.read <= taken + 2 * concurrency + 1
    await outcomes.aclose()
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("make", [iter, as_async])
async def test_calls_in_progress_are_yielded_before_the_error_of_the_source(make: Callable[..., Any]) -> None:
    def source() -> Iterator[int]:
        yield from range(5)
        raise OSError("the file ended in the middle")

    gate = Gate()
    outcomes = run_many(make(source()), gate, concurrency=8)
    got: list[int] = []
    collecting = asyncio.create_task(collect(outcomes, got))
    await gate.wait_for(5)
    await everything_has_happened()
    for item in range(5):
        gate.open(item)
    with pytest.raises(OSError, match="the file ended in the middle"):
        await collecting
    assert sorted(got) == list(range(5))
    assert len(asyncio.all_tasks()) == 1


async def test_outcomes_are_yielded_before_the_sources_error() -> None:
    def source() -> Iterator[int]:
        yield from range(50)
        raise OSError("no more")

    got: list[int] = []
    with pytest.raises(OSError, match="no more"):
        await collect(run_many(source(), double, concurrency=8), got)
    assert sorted(got) == list(range(50))


async def test_error_of_a_source_that_fails_at_once_is_raised() -> None:
    async def source() -> AsyncIterator[int]:
        for item in range(0):
            yield item
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file"):
        await anext(run_many(source(), double, concurrency=8))


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_cancellation_inside_the_source_reaches_the_consumer(concurrency: int) -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise asyncio.CancelledError

    got: list[int] = []
    collecting = asyncio.create_task(collect(run_many(source(), double, concurrency=concurrency), got))
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await collecting
    assert got == [1]
    await only_this_task_is_left()


async def test_leaving_the_loop_early_leaves_no_task_and_reads_no_further() -> None:
    source = Counted()
    async for _ in run_many(source, double, concurrency=8):
        break
    await only_this_task_is_left()
    read = source.read
    await everything_has_happened()
    assert source.read == read


@pytest.mark.parametrize("finished", [0, 3])
async def test_closing_cancels_calls_in_progress(finished: int) -> None:
    gate = Gate()
    outcomes = run_many(Counted(), gate, concurrency=8)
    first = asyncio.ensure_future(anext(outcomes))
    await gate.wait_for(8)
    for item in range(finished + 1):
        gate.open(item)
    await first
    await outcomes.aclose()
    assert gate.under_way == {}
    assert len(asyncio.all_tasks()) == 1


async def test_a_cancelled_consumer_leaves_no_task() -> None:
    gate = Gate()

    async def consume() -> None:
        async for _ in run_many(Counted(), gate, concurrency=8):
            pass

    consumer = asyncio.create_task(consume())
    await gate.wait_for(8)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert gate.under_way == {}
    assert len(asyncio.all_tasks()) == 1


async def test_an_async_source_that_is_slow_is_cancelled_too() -> None:
    ended: list[str] = []

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            ended.append("source")

    outcomes = run_many(source(), double, concurrency=8)
    assert (await anext(outcomes)).result == 2
    await outcomes.aclose()
    assert ended == ["source"]
    assert len(asyncio.all_tasks()) == 1


async def test_closing_works_while_the_source_is_read_and_outcomes_wait() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        yield 2
        await asyncio.Event().wait()

    outcomes = run_many(source(), double, concurrency=1)
    await anext(outcomes)
    await everything_has_happened()
    async with asyncio.timeout(10):
        await outcomes.aclose()
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("items", ["standup", b"standup", 5, None, object()])
def test_source_that_is_not_iterable_raises_at_once(items: Any) -> None:
    with pytest.raises(TypeError, match="requests must be an iterable of names or requests"):
        run_many(items, double, concurrency=1)


@pytest.mark.parametrize(("concurrency", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_invalid_concurrency_raises_at_once(concurrency: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="concurrency must be"):
        run_many([1], double, concurrency=concurrency)


@given(
    durations=st.lists(st.floats(0, 5), max_size=60),
    concurrency=st.integers(1, 40),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=5),
    leaves_after=st.none() | st.integers(0, 60),
)
def test_any_durations_lose_and_repeat_no_outcome_and_leave_no_task(
    durations: list[float], concurrency: int, pauses: list[float], leaves_after: int | None
) -> None:
    async def main() -> tuple[list[int], int]:
        async def call(item: int) -> int:
            await asyncio.sleep(durations[item])
            return item

        got: list[int] = []
        outcomes = run_many(range(len(durations)), call, concurrency=concurrency)
        async with contextlib.aclosing(outcomes):
            outcome: Outcome[int, int]
            async for outcome in outcomes:
                got.append(outcome.request)
                if len(got) == leaves_after:
                    break
                await asyncio.sleep(pauses[len(got) % len(pauses)])
        return got, len(asyncio.all_tasks())

    got, tasks = virtual_time.run(main())
    assert tasks == 1
    assert len(set(got)) == len(got)
    assert len(got) == min(len(durations), leaves_after or len(durations))
