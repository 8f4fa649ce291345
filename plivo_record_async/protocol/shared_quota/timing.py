"""The durations of a lease, and why they are safe."""

from __future__ import annotations

from math import inf

import attrs

from plivo_record_async.protocol.clocks import Reading

__all__ = ["LeaseTiming", "Validity"]


@attrs.frozen(kw_only=True)
class LeaseTiming:
    """The durations of the leases of one account, in seconds.

    A lease has three parts, one after another. In the first, its holder may begin to send requests. The second, the
    margin, covers what the holder cannot observe: the way of a request to Plivo, with lost packets that are sent again,
    and the difference in speed between the clocks of two machines. The third is the window of the quota, in which a
    request counts. Only after all three may another holder use the permits.

    Attributes:
        per: The length of the window of the quota.
        slack: The time by which a lease is longer than the window and two renewals.
        margin: The time between the last moment at which a request may be sent and the last at which it may arrive.
        shortest_interval: The time between two renewals of a holder that needs more permits or can return some.
        longest_interval: The time between two renewals of any other holder.
    """

    per: float
    slack: float = 5.0
    margin: float = 3.0
    shortest_interval: float = 0.5
    longest_interval: float = 1.0

    @property
    def lease(self) -> float:
        """The time for which the permits of a holder that died are counted."""
        return self.per + self.slack + 2 * self.longest_interval

    @property
    def usable(self) -> float:
        """The time after the beginning of a renewal in which the holder may begin to send requests."""
        return self.lease - self.per - self.margin

    @property
    def after_release(self) -> float:
        """The time for which permits that a holder releases are counted, because their windows have not passed."""
        return self.per + self.margin


class Validity:
    """The time until which a holder may send requests with the permits of one lease.

    The elapsed time is that of the clock that has advanced more. The steady clock counts the time in which the machine
    was suspended, and the wall clock also shows that a virtual machine was paused. If the wall clock is set forward,
    the lease ends too early, which does no harm.

    Args:
        timing: The durations of the lease.
    """

    def __init__(self, timing: LeaseTiming) -> None:
        self._usable = timing.usable
        self._renewed: Reading | None = None

    def renew(self, began: Reading) -> None:
        """Extend the lease.

        Args:
            began: The clocks before the request for the renewal was sent.
        """
        self._renewed = began

    def seconds_left(self, now: Reading) -> float:
        """Return the number of seconds for which requests may be sent. It is 0 or less if the lease has ended.

        Args:
            now: The clocks.
        """
        if self._renewed is None:
            return -inf
        steady, wall = now.steady - self._renewed.steady, (now.wall - self._renewed.wall).total_seconds()
        return self._usable - max(steady, wall)
