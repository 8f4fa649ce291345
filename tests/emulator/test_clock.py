from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from plivo_record_async.emulator.clock import RealClock, VirtualClock, clock_of


async def nothing() -> None: ...


async def test_sleepers_wake_up_in_the_order_of_their_times() -> None:
    clock = VirtualClock()
    began, woken = clock.now(), list[tuple[str, timedelta]]()

    async def sleep(name: str, *pauses: float) -> None:
        for pause in pauses:
            await clock.sleep(pause)
            woken.append((name, clock.now() - began))

    sleeping = [asyncio.create_task(sleep("a", 3600, 3600)), asyncio.create_task(sleep("b", 5000, 0))]
    await asyncio.sleep(0)
    await clock.advance(7200, nothing)
    await asyncio.gather(*sleeping)
    assert woken == [
        ("a", timedelta(hours=1)),
        ("b", timedelta(seconds=5000)),
        ("b", timedelta(seconds=5000)),
        ("a", timedelta(hours=2)),
    ]
    assert clock.now() - began == timedelta(hours=2)


async def test_sleepers_of_the_same_time_wake_up_in_one_step() -> None:
    clock = VirtualClock()
    steps = list[float]()
    began = clock.now()

    async def settle() -> None:
        steps.append((clock.now() - began).total_seconds())

    sleeping = [asyncio.create_task(clock.sleep(60)) for _ in range(3)]
    await asyncio.sleep(0)
    await clock.advance(100, settle)
    await asyncio.gather(*sleeping)
    assert steps == [0, 60, 100]


async def test_virtual_time_stands_still() -> None:
    clock = VirtualClock()
    before, reading = clock.now(), clock.read()
    await asyncio.sleep(0.01)
    assert (clock.now(), clock.read()) == (before, reading)
    await clock.advance(5, nothing)
    assert clock.read().steady == reading.steady + 5
    assert clock.read().wall == before + timedelta(seconds=5)
    assert clock.to_dict() == {"mode": "virtual", "now": clock.now().isoformat()}
    with pytest.raises(ValueError, match="seconds must be a number from 0, not -1"):
        await clock.advance(-1, nothing)


async def test_virtual_timeout_ends_when_the_clock_is_advanced() -> None:
    clock = VirtualClock()

    async def wait() -> None:
        async with clock.timeout(3600):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    await clock.advance(3599, nothing)
    assert not waiting.done()
    await clock.advance(1, nothing)
    with pytest.raises(TimeoutError):
        await waiting
    async with clock.timeout(1):
        pass
    await clock.advance(5, nothing)


async def test_virtual_clock_wakes_other_event_loops() -> None:
    clock = VirtualClock()
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def elsewhere() -> None:
        loop.call_soon_threadsafe(ready.set)
        await clock.sleep(60)

    waiting = asyncio.create_task(asyncio.to_thread(asyncio.run, elsewhere()))
    await ready.wait()
    while not waiting.done():
        await clock.advance(60, nothing)
        await asyncio.sleep(0.001)
    await clock.advance(60, nothing)


@pytest.mark.parametrize(("mode", "first_pause"), [("real", 1.0), ("squeezed", 0.1)])
async def test_real_clock_is_the_time_of_day(mode: str, first_pause: float) -> None:
    clock = clock_of(mode)  # type: ignore[arg-type]
    assert isinstance(clock, RealClock)
    assert clock.first_pause == first_pause
    assert abs(clock.now().timestamp() - time.time()) < 5
    assert abs(clock.read().wall.timestamp() - time.time()) < 5
    assert clock.to_dict() == {"mode": mode, "now": None}
    await clock.sleep(0.001)
    with pytest.raises(TimeoutError):
        async with clock.timeout(0.001):
            await asyncio.Event().wait()


def test_clock_is_chosen_by_its_mode() -> None:
    assert isinstance(clock_of("virtual"), VirtualClock)


@pytest.mark.parametrize("seconds", [1e300, float("inf"), float("nan"), 7000 * 366 * 86400, -1])
async def test_clock_goes_no_further_than_its_end(seconds: float) -> None:
    clock = VirtualClock()
    before = clock.now()
    with pytest.raises(ValueError, match=r"seconds must be a number from 0, not|the clock ends"):
        await clock.advance(seconds, nothing)
    assert clock.now() == before


async def test_clock_may_be_advanced_up_to_its_end() -> None:
    clock = VirtualClock()
    await clock.advance(6_000 * 365 * 86_400, nothing)
    with pytest.raises(ValueError, match="the clock ends with the year 8999"):
        await clock.advance(6_000 * 365 * 86_400, nothing)
