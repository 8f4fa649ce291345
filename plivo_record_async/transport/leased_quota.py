"""The part of an account's quota that this process holds, while several processes share the quota.

`protocol.shared_quota` decides. This module renews the lease, and lets the exact window of `Quota` use the permits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import inf
from typing import Protocol, TypeVar

import attrs

from plivo_record_async import _clock
from plivo_record_async._event_loop import LoopBinding
from plivo_record_async.protocol.clocks import Reading
from plivo_record_async.protocol.models import RateLimit
from plivo_record_async.protocol.shared_quota.account import Renewal, Share
from plivo_record_async.protocol.shared_quota.holder import LeaseHolder
from plivo_record_async.protocol.shared_quota.timing import LeaseTiming
from plivo_record_async.transport.quota import Quota

__all__ = ["LeasedQuota", "QuotaTable"]

log: logging.Logger = logging.getLogger("plivo_record_async")

T = TypeVar("T")


class QuotaTable(Protocol):
    """A connection to the state that all processes share. Its methods block, and are called in one thread."""

    def renew(self, renewal: Renewal) -> Share:
        """Renew a lease in one transaction.

        Args:
            renewal: What the holder asks for.

        Returns:
            What the holder receives. The transaction was certainly committed.

        Raises:
            Exception: The transaction failed, or it is not known whether it was committed.
        """
        ...

    def close(self) -> None:
        """Close the connection."""


@attrs.define(eq=False)
class _Run:
    """One use of a quota: from its first `LeasedQuota.open` to its last close, in one event loop.

    Attributes:
        holder: The permits. Each run is a new holder.
        table: The connection to the state that all processes share.
        thread: The thread in which the table is used.
        demand: The event that is set when the next renewal should not be delayed.
        users: The number of clients that use the quota.
        task: The task that renews the lease.
        end_of_lease: The timer that ends the use of the permits.
    """

    holder: LeaseHolder
    table: QuotaTable
    thread: Executor
    demand: asyncio.Event = attrs.field(factory=asyncio.Event)
    users: int = 0
    task: asyncio.Task[None] = attrs.field(init=False)
    end_of_lease: asyncio.TimerHandle | None = None


def _new_thread() -> Executor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="plivo-record-quota")


class LeasedQuota(Quota):
    """The permits of one account that this process has leased.

    A task renews the lease while the quota is open. If no renewal succeeds, the lease ends, and requests wait until a
    renewal succeeds. A quota serves one event loop after another, and is a new holder in each of them.

    Args:
        rate: The quota of all processes together.
        open_table: A function that returns a new connection to the state that all processes share. It does not block.
        name: The description of the shared quota in errors and log records.
        timing: The durations of a lease. If None, those that follow from ``rate``.
        read: A function that reads the clocks of this machine.
        make_thread: A function that returns an executor with one thread.
    """

    def __init__(
        self,
        rate: RateLimit,
        open_table: Callable[[], QuotaTable],
        *,
        name: str,
        timing: LeaseTiming | None = None,
        read: Callable[[], Reading] = _clock.read,
        make_thread: Callable[[], Executor] = _new_thread,
    ) -> None:
        super().__init__(rate)
        self._limit = 0
        self._rate, self._open_table, self._name = rate, open_table, name
        self._timing = LeaseTiming(per=rate.per) if timing is None else timing
        self._read, self._make_thread = read, make_thread
        self._binding = LoopBinding("this rate limit")
        self._run: _Run | None = None
        self._own_pause_until = -inf
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why there are no permits, if the reason is not that they are in use."""
        if self._limit > 0 or self._run is None:
            return None
        if self._trouble is None and self._run.holder.validity.seconds_left(self._read()) <= 0:
            return f"{self._name}: no renewal of the lease has been answered yet"
        return self._trouble

    @property
    def holders(self) -> int:
        """How many processes share the quota, with this one, as far as the latest renewal has shown."""
        return 1 if self._run is None else self._run.holder.holders

    async def open(self) -> Callable[[], Awaitable[None]]:
        """Begin to hold permits in the running event loop, unless this process does so already.

        Returns:
            A function that ends this use of the quota. The last user returns the permits.

        Raises:
            ConfigurationError: The quota is in use in another event loop, or this process was forked while it was in
                use.
        """
        if self._binding.bind():
            self._run = None
        while self._run is not None and self._run.users == 0:
            await self._end(self._run)  # another client is closing it
        if self._run is None:
            self._move_to_running_loop()
            holder = LeaseHolder(_clock.new_id(), self._rate.limit, self._timing)
            self._run = _Run(holder, self._open_table(), self._make_thread())
            self._run.task = asyncio.create_task(self._hold(self._run))
        self._run.users += 1
        return partial(self._leave, self._run)

    async def acquire(self) -> Callable[[], bool]:
        """Wait until a permit is free and no pause is active, and take the permit.

        Returns:
            A function that returns whether the lease of the permit is still valid.
        """
        while True:
            if self._run is not None and self._busy >= self._limit:
                self._run.demand.set()
            is_valid = await super().acquire()
            if is_valid():
                return is_valid
            self.give_back(used=False)  # the lease has ended, for example during a long pause
            if self._run is not None:
                self._apply(self._run)

    def pause(self, seconds: float) -> None:
        """Make the requests of all processes wait, after a 429.

        Args:
            seconds: The length of the pause. A pause that is already active is never shortened.
        """
        super().pause(seconds)
        self._own_pause_until = self._paused_until
        if self._run is not None:
            self._run.demand.set()

    async def _leave(self, run: _Run) -> None:
        """End one use of the quota. If it was the last one, return the permits."""
        run.users -= 1
        if run.users == 0 and run is self._run:
            run.task.cancel()
            await self._end(run)

    async def _end(self, run: _Run) -> None:
        """Wait until a run has ended, and forget it."""
        await asyncio.wait([run.task])
        if run.end_of_lease is not None:
            run.end_of_lease.cancel()
        run.thread.shutdown(wait=False)
        if run is self._run:
            self._run, self._limit = None, 0
            self._binding.unbind()

    async def _hold(self, run: _Run) -> None:
        """Renew the lease until the task is cancelled, and then release it."""
        try:
            while True:
                await self._renew(run)
                await self._rest(run)
        finally:
            if self._trouble is None:  # without the database, the lease ends by itself
                await self._renew(run, releases=True)
            await self._in_thread(run, run.table.close)

    async def _rest(self, run: _Run) -> None:
        """Wait until the next renewal."""
        run.demand.clear()
        await asyncio.sleep(self._timing.shortest_interval)
        interval = run.holder.interval(busy=self._busy, waiting=len(self._waiting))
        with suppress(TimeoutError):
            async with asyncio.timeout(interval - self._timing.shortest_interval):
                await run.demand.wait()

    async def _renew(self, run: _Run, *, releases: bool = False) -> None:
        began = self._read()
        renewal = run.holder.begin_renewal(
            began,
            busy=self._busy,
            waiting=len(self._waiting),
            pause=max(0.0, self._own_pause_until - asyncio.get_running_loop().time()),
            releases=releases,
        )
        self._apply(run)
        try:
            share = await self._in_thread(run, partial(run.table.renew, renewal))
        except Exception as error:  # noqa: BLE001 - whatever it is, the renewal is repeated
            self._report(str(error) or type(error).__name__)
        else:
            run.holder.finish_renewal(share, began=began, now=self._read())
            super().pause(share.pause)
            self._report(None if share.per == self._rate.per else _conflict(share, self._rate))
        self._apply(run)

    def _apply(self, run: _Run) -> None:
        """Let requests use the permits that the holder has, until its lease ends."""
        left = run.holder.validity.seconds_left(self._read())
        self._limit = run.holder.available if left > 0 else 0
        self._serve()
        if run.end_of_lease is not None:
            run.end_of_lease.cancel()
            run.end_of_lease = None
        if left > 0:
            run.end_of_lease = asyncio.get_running_loop().call_later(left, self._apply, run)

    def _permit(self) -> Callable[[], bool]:
        assert self._run is not None  # noqa: S101 - without a run, there are no permits
        validity = self._run.holder.validity
        return lambda: validity.seconds_left(self._read()) > 0

    def _report(self, trouble: str | None) -> None:
        """Keep the reason why the latest renewal gave no permits, and log the first of several, and the end."""
        before, self._trouble = self._trouble, trouble
        if trouble is None and before is not None:
            log.info("%s: the permits are renewed again", self._name)
        if trouble is not None and before is None:
            log.warning(
                "%s: the permits could not be renewed: %s. When the lease has ended, requests wait until a renewal "
                "succeeds or their deadline passes.",
                self._name,
                trouble,
            )

    @staticmethod
    async def _in_thread(run: _Run, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(run.thread, function)


def _conflict(share: Share, rate: RateLimit) -> str:
    return f"other processes share it with per={share.per}, this one with per={rate.per}; use the same value everywhere"
