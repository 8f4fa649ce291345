"""The permits of one process: renewals, the end of a lease, other processes, pauses, and closing."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.protocol.clocks import Reading
from plivo_record_async.protocol.models import RateLimit
from plivo_record_async.protocol.shared_quota.account import Account, Renewal, Share, renew
from plivo_record_async.protocol.shared_quota.timing import LeaseTiming
from plivo_record_async.transport.leased_quota import LeasedQuota
from tests.support import virtual_time

PER = 5.0
TIMING = LeaseTiming(per=PER)


def now() -> float:
    return asyncio.get_running_loop().time()


def read() -> Reading:
    return Reading(wall=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=now()), steady=now(), run="")


class InlineExecutor(Executor):
    """Runs functions at once, because a virtual event loop does not wait for threads."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001
            future.set_exception(error)
        return future


class SharedTable:
    """The state of all processes, in memory.

    Attributes:
        account: The state.
        error: What each renewal raises. If None, renewals succeed.
        loses_answers: Whether the error is raised after the commit.
        renewals: All renewals, with their times.
        closed: How often a connection was closed.
    """

    def __init__(self) -> None:
        self.account = Account(per=PER)
        self.error: Exception | None = None
        self.loses_answers = False
        self.renewals: list[tuple[float, Renewal]] = []
        self.closed = 0

    def renew(self, renewal: Renewal) -> Share:
        self.renewals.append((now(), renewal))
        if self.error is not None and not self.loses_answers:
            raise self.error
        self.account, share = renew(self.account, renewal, now=now())
        if self.error is not None:
            raise self.error
        return share

    def close(self) -> None:
        self.closed += 1

    def quota(self, limit: int = 30, *, per: float = PER) -> LeasedQuota:
        """Return the quota of one process."""
        return LeasedQuota(
            RateLimit(limit, per=per), lambda: self, name="the quota", read=read, make_thread=InlineExecutor
        )


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in an event loop that does not wait for timers."""

    def run() -> None:
        virtual_time.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def use(quota: LeasedQuota, count: int) -> None:
    for _ in range(count):
        await quota.acquire()
        quota.give_back(used=True)


async def used_within(quota: LeasedQuota, seconds: float) -> int:
    """Use permits with 32 tasks as quickly as possible; return how many were used."""
    used = 0

    async def requests() -> None:
        nonlocal used
        while True:
            await quota.acquire()
            used += 1
            quota.give_back(used=True)

    tasks = [asyncio.create_task(requests()) for _ in range(32)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return used


@in_virtual_time
async def test_one_process_uses_the_whole_limit() -> None:
    quota = SharedTable().quota()
    assert quota.holders == 1
    close = await quota.open()
    await used_within(quota, 10.0)
    assert quota.holders == 1
    assert await used_within(quota, 50.0) >= 0.95 * 30 * 10
    await close()


@in_virtual_time
async def test_two_processes_share_the_limit() -> None:
    table = SharedTable()
    first, second = table.quota(), table.quota()
    closes = [await first.open(), await second.open()]
    await asyncio.gather(used_within(first, 20.0), used_within(second, 20.0))
    assert (first.holders, second.holders) == (2, 2)
    counts = await asyncio.gather(used_within(first, 50.0), used_within(second, 50.0))
    assert 0.95 * 300 <= sum(counts) <= 330
    assert min(counts) >= 0.4 * sum(counts)
    for close in closes:
        await close()


@in_virtual_time
async def test_renewals_are_half_to_one_second_apart() -> None:
    table = SharedTable()
    quota = table.quota()
    close = await quota.open()
    await asyncio.sleep(5.5)
    idle = len(table.renewals)
    assert idle == 6
    await used_within(quota, 5.0)
    await close()
    times = [time for time, _ in table.renewals[:-1]]
    assert all(0.49 <= later - earlier <= 1.01 for earlier, later in pairwise(times))
    assert len(times) - idle >= 6


@in_virtual_time
async def test_request_that_waits_causes_the_next_renewal_early() -> None:
    table = SharedTable()
    other, quota = table.quota(), table.quota()
    closes = [await other.open(), await quota.open()]
    await asyncio.sleep(0.1)
    await use(quota, 1)
    await asyncio.sleep(0.55)
    before = len(table.renewals)
    await use(quota, 3)
    assert len(table.renewals) == before + 1
    assert now() < 0.75
    for close in closes:
        await close()


@in_virtual_time
async def test_lease_ends_without_renewals_and_requests_wait_until_one_succeeds() -> None:
    table = SharedTable()
    quota = table.quota()
    close = await quota.open()
    await use(quota, 1)
    table.error = OSError("no route")
    await asyncio.sleep(TIMING.usable + 1.0)
    waiting = asyncio.create_task(quota.acquire())
    await asyncio.sleep(20.0)
    assert not waiting.done()
    assert quota.trouble == "no route"
    table.error = None
    is_valid = await waiting
    assert is_valid()
    await close()


@in_virtual_time
async def test_permits_are_used_while_the_lease_lasts() -> None:
    table = SharedTable()
    quota = table.quota()
    close = await quota.open()
    await asyncio.sleep(0.1)
    table.error = OSError("no route")
    await asyncio.sleep(TIMING.usable - 0.5)
    before = now()
    await use(quota, 1)
    assert now() == before
    assert quota.trouble is None
    await close()


@in_virtual_time
async def test_permit_is_not_valid_after_the_end_of_the_lease() -> None:
    table = SharedTable()
    quota = table.quota()
    close = await quota.open()
    is_valid = await quota.acquire()
    assert is_valid()
    table.error = OSError("no route")
    await asyncio.sleep(TIMING.usable + 1.0)
    assert not is_valid()
    await close()


@in_virtual_time
async def test_permit_is_taken_again_if_the_lease_ended_during_a_pause() -> None:
    table = SharedTable()
    quota = table.quota()
    close = await quota.open()
    await use(quota, 1)
    quota.pause(30.0)
    waiting = asyncio.create_task(quota.acquire())
    await asyncio.sleep(1.1)
    table.error = OSError("no route")
    await asyncio.sleep(32.0)
    assert not waiting.done()
    table.error = None
    assert (await waiting)()
    await close()


@in_virtual_time
async def test_lost_answers_do_not_lose_permits_for_good() -> None:
    table = SharedTable()
    quota = table.quota()
    close = await quota.open()
    await used_within(quota, 10.0)
    table.error, table.loses_answers = OSError("reset"), True
    await asyncio.sleep(3.0)
    table.error = None
    await used_within(quota, 10.0)
    assert await used_within(quota, 50.0) >= 0.95 * 300
    await close()


@in_virtual_time
async def test_pause_of_one_process_reaches_the_others() -> None:
    table = SharedTable()
    first, second = table.quota(), table.quota()
    closes = [await first.open(), await second.open()]
    await asyncio.sleep(3.0)
    first.pause(20.0)
    await asyncio.sleep(1.6)
    assert second.paused_for == pytest.approx(first.paused_for) == pytest.approx(18.4)
    await use(second, 1)
    assert now() == pytest.approx(23.0)
    for close in closes:
        await close()


@in_virtual_time
async def test_closing_returns_idle_permits() -> None:
    table = SharedTable()
    quota = table.quota()
    close = await quota.open()
    await use(quota, 3)
    await close()
    [released] = table.account.holdings.values()
    assert (released.permits, released.wish) == (3, 0)
    assert table.closed == 1


@in_virtual_time
async def test_last_of_several_clients_closes() -> None:
    table = SharedTable()
    quota = table.quota()
    closes = [await quota.open(), await quota.open()]
    await closes[0]()
    await use(quota, 1)
    assert table.closed == 0
    await closes[1]()
    assert table.closed == 1


@in_virtual_time
async def test_client_that_opens_while_the_last_one_closes_gets_a_new_holder() -> None:
    table = SharedTable()
    quota = table.quota()
    close = await quota.open()
    await use(quota, 1)
    closing = asyncio.ensure_future(close())
    await asyncio.sleep(0)
    close_again = await quota.open()
    await closing
    await use(quota, 1)
    await close_again()
    assert len({renewal.holder for _, renewal in table.renewals}) == 2
    assert table.closed == 2


@in_virtual_time
async def test_quota_that_is_closed_at_once_can_be_opened_again() -> None:
    quota = SharedTable().quota()
    await (await quota.open())()
    close = await quota.open()
    await use(quota, 1)
    await close()


@in_virtual_time
async def test_closing_without_the_database_does_not_release() -> None:
    table = SharedTable()
    table.error = OSError("no route")
    quota = table.quota()
    close = await quota.open()
    await asyncio.sleep(0.1)
    await close()
    assert len(table.renewals) == 1
    assert table.closed == 1


@in_virtual_time
async def test_other_window_is_an_error_that_says_so() -> None:
    table = SharedTable()
    first, second = table.quota(), table.quota(per=1.0)
    closes = [await first.open(), await second.open()]
    await asyncio.sleep(0.1)
    assert second.trouble == (
        "other processes share it with per=5.0, this one with per=1.0; use the same value everywhere"
    )
    for close in closes:
        await close()


def test_trouble_is_logged_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        table = SharedTable()
        quota = table.quota()
        table.error = OSError("no route")
        close = await quota.open()
        await asyncio.sleep(5.0)
        table.error = None
        await asyncio.sleep(2.0)
        await close()

    with caplog.at_level(logging.INFO, "plivo_record_async"):
        virtual_time.run(main())
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            (
                "the quota: the permits could not be renewed: no route. When the lease has ended, requests wait until "
                "a renewal succeeds or their deadline passes."
            ),
        ),
        ("INFO", "the quota: the permits are renewed again"),
    ]


# Real threads, and event loops


class BlockedTable:
    """A table whose renewals wait until the test ends."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def renew(self, renewal: Renewal) -> Share:
        self.released.wait(30)
        raise OSError("no route")

    def close(self) -> None:
        pass


async def test_trouble_is_known_before_the_first_renewal_has_ended() -> None:
    table = BlockedTable()
    quota = LeasedQuota(RateLimit(30, per=PER), lambda: table, name="the quota")
    close = await quota.open()
    assert quota.trouble == "the quota: no renewal of the lease has been answered yet"
    table.released.set()
    await close()


class UnsharedTable:
    """A table that one process uses alone, in a real thread."""

    def __init__(self) -> None:
        self.account = Account(per=PER)

    def renew(self, renewal: Renewal) -> Share:
        self.account, share = renew(self.account, renewal, now=0.0)
        return share

    def close(self) -> None:
        pass


def real_quota() -> LeasedQuota:
    table = UnsharedTable()
    return LeasedQuota(RateLimit(30, per=PER), lambda: table, name="the quota")


def test_one_event_loop_after_another() -> None:
    quota = real_quota()

    async def main() -> None:
        close = await quota.open()
        await use(quota, 2)
        await close()

    asyncio.run(main())
    asyncio.run(main())


def test_event_loop_that_ends_without_closing_the_quota() -> None:
    quota = real_quota()

    async def main() -> None:
        await quota.open()
        await use(quota, 2)

    asyncio.run(main())
    asyncio.run(main())


async def test_two_event_loops_at_the_same_time() -> None:
    quota = real_quota()

    async def use_there() -> Callable[[], Awaitable[None]]:
        return await quota.open()

    close = await quota.open()
    with pytest.raises(ConfigurationError, match="in use in another event loop"):
        await asyncio.to_thread(asyncio.run, use_there())
    await close()
