"""A model of several machines whose processes share a quota: true time, clocks that err, and renewals that fail.

The decisions are those of the package. The model is the world around them: it says what may happen in which order, and
`World.arrive` checks that no window ever contains more requests than allowed, by true time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs

from plivo_record_async.protocol.clocks import Reading
from plivo_record_async.protocol.shared_quota.account import Account, Renewal, Share, renew
from plivo_record_async.protocol.shared_quota.holder import LeaseHolder
from plivo_record_async.protocol.shared_quota.timing import LeaseTiming, Validity

__all__ = ["LONGEST_TRANSIT", "PER", "QuotaExceededError", "World"]

PER = 5.0

LONGEST_TRANSIT = 2.9
"""Seconds. A request arrives at most this long after its first byte was sent. The margin of a lease is longer."""

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class QuotaExceededError(AssertionError):
    """A window contained more requests than allowed."""


@attrs.define(kw_only=True)
class Machine:
    """The clocks of one machine.

    Attributes:
        rate: The speed of the steady clock.
        offset: The time of the steady clock at the beginning.
        wall_error: By how much the wall clock is wrong.
        stopped: For how long the steady clock has stood still.
    """

    rate: float = 1.0
    offset: float = 0.0
    wall_error: float = 0.0
    stopped: float = 0.0

    def read(self, true: float) -> Reading:
        """Return the clocks at a moment of true time."""
        steady = self.offset + (true - self.stopped) * self.rate
        return Reading(wall=_EPOCH + timedelta(seconds=true + self.wall_error), steady=steady, run="")


@attrs.define(kw_only=True, eq=False)
class Attempt:
    """A request that has a permit. It was sent if ``arrives`` is not None."""

    validity: Validity
    arrives: float | None = None


@attrs.define(kw_only=True, eq=False)
class PendingRenewal:
    """A transaction that a process waits for. It was committed if ``share`` is not None."""

    renewal: Renewal
    began: Reading
    share: Share | None = None


@attrs.define(kw_only=True, eq=False)
class Process:
    """A process that holds permits and sends requests."""

    holder: LeaseHolder
    machine: Machine
    attempts: list[Attempt] = attrs.field(factory=list[Attempt])
    windows: list[float] = attrs.field(factory=list[float])
    pending: PendingRenewal | None = None
    waiting: int = 0
    suspended: bool = False

    def busy(self, now: float) -> int:
        """Return the number of permits that are in use, or whose window has not passed."""
        self.windows = [end for end in self.windows if end > now]
        return len(self.attempts) + len(self.windows)


class World:
    """The account in the database, the processes, and the requests that have arrived.

    Args:
        limit: The limit of the quota.
        make_holder: A function that makes the holder of a new process. Tests pass one that has a mistake.
        renew_account: The decision of a transaction. Tests pass one that has a mistake.
        timing: The durations of a lease. Tests pass some that are wrong.
    """

    def __init__(
        self,
        limit: int,
        *,
        make_holder: Callable[[str, int, LeaseTiming], LeaseHolder] = LeaseHolder,
        renew_account: Callable[..., tuple[Account, Share]] = renew,
        timing: LeaseTiming = LeaseTiming(per=PER),  # noqa: B008 - frozen
    ) -> None:
        self.limit = limit
        self.now = 0.0
        self.account = Account(per=PER)
        self.processes: list[Process] = []
        self.arrivals: list[float] = []
        self._make_holder, self._renew, self._timing = make_holder, renew_account, timing
        self._born = 0

    def join(self, machine: Machine, *, limit: int | None = None) -> Process:
        """Start a process. Its holder has a new ID, whatever the name of the process is."""
        self._born += 1
        holder = self._make_holder(f"holder-{self._born}", limit or self.limit, self._timing)
        process = Process(holder=holder, machine=machine)
        self.processes.append(process)
        return process

    def kill(self, process: Process) -> None:
        """End a process at once. Requests that were sent still arrive."""
        self.processes.remove(process)

    def release(self, process: Process, *, committed: bool = True) -> None:
        """End a process in good order. Requests that it has sent count as if they had just ended."""
        process.windows += [self.now + PER for each in process.attempts if each.arrives is not None]
        process.attempts = []
        self.begin_renewal(process, releases=True)
        if committed:
            self.commit(process)
        self.kill(process)

    def begin_renewal(self, process: Process, *, releases: bool = False) -> None:
        """Let a process send a renewal."""
        began = process.machine.read(self.now)
        renewal = process.holder.begin_renewal(
            began, busy=process.busy(self.now), waiting=process.waiting, releases=releases
        )
        process.pending = PendingRenewal(renewal=renewal, began=began)

    def commit(self, process: Process) -> None:
        """Let the database commit the transaction of a process. The answer is still on its way."""
        assert process.pending is not None
        self.account, process.pending.share = self._renew(self.account, process.pending.renewal, now=self.now)

    def answer(self, process: Process) -> None:
        """Let a process receive the answer to its committed renewal."""
        assert process.pending is not None
        assert process.pending.share is not None
        process.holder.finish_renewal(
            process.pending.share, began=process.pending.began, now=process.machine.read(self.now)
        )
        process.pending = None

    def lose(self, process: Process) -> None:
        """Let a process give up a renewal, whether it was committed or not. It never receives the answer."""
        process.pending = None

    def renew(self, process: Process) -> None:
        """Let a process renew its lease without any delay."""
        self.begin_renewal(process)
        self.commit(process)
        self.answer(process)

    def take(self, process: Process) -> Attempt | None:
        """Let a process take a permit, if one is available."""
        if process.busy(self.now) >= process.holder.available:
            return None
        attempt = Attempt(validity=process.holder.validity)
        process.attempts.append(attempt)
        return attempt

    def send(self, process: Process, attempt: Attempt, *, transit: float = 0.0) -> bool:
        """Let a process send the first byte of a request, if the lease permits it."""
        if attempt.validity.seconds_left(process.machine.read(self.now)) <= 0:
            process.attempts.remove(attempt)
            return False
        attempt.arrives = self.now + transit
        self.arrive(attempt.arrives)
        return True

    def finish(self, process: Process, attempt: Attempt) -> None:
        """Let a process receive the response to a request that has arrived. The window counts from now."""
        process.attempts.remove(attempt)
        process.windows.append(self.now + PER)

    def arrive(self, time: float) -> None:
        """Note the arrival of a request.

        Raises:
            QuotaExceededError: A window contains more requests than allowed.
        """
        insort(self.arrivals, time)
        for first in self.arrivals[bisect_left(self.arrivals, time - PER) : bisect_right(self.arrivals, time)]:
            inside = bisect_left(self.arrivals, first + PER) - bisect_left(self.arrivals, first)
            if inside > self.limit:
                raise QuotaExceededError(f"{inside} requests arrived within {PER} seconds of {first}")
