"""What one process may do with the permits that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from plivo_record_async.protocol.clocks import Reading
from plivo_record_async.protocol.shared_quota.account import Renewal, Share, Sighting
from plivo_record_async.protocol.shared_quota.timing import LeaseTiming, Validity

__all__ = ["LeaseHolder"]

_SPARE: Final = 16
"""A holder wishes to have one part in this many of the limit idle, so that new requests need not wait for a renewal."""


class LeaseHolder:
    """The permits of one process, as this process counts them.

    The rule that makes the quota exact: a holder never counts more permits than the account counts for it. It stops
    using permits *before* it sends the renewal that returns them. It adds permits only when it has read, in the answer
    to a renewal, that the account counts them for it. So a lost answer never leaves a permit on both sides.

    Args:
        holder_id: An ID that no process has had before.
        limit: The limit of the account.
        timing: The durations of the lease.

    Attributes:
        permits: The number of permits that the holder may use, including those in use.
        validity: The time until which requests may be sent with permits that are taken now. Permits that were taken
            before the holder lost its lease have an earlier one, which is never extended.
    """

    def __init__(self, holder_id: str, limit: int, timing: LeaseTiming) -> None:
        self.permits: int = 0
        self.validity: Validity = Validity(timing)
        self._id, self._limit, self._timing = holder_id, limit, timing
        self._target = limit
        self._joined = 0
        self._seen: Mapping[str, Sighting] = {}
        self._received: Reading | None = None

    @property
    def available(self) -> int:
        """The number of permits that may be in use at the same time. A holder that returns permits takes no more."""
        return min(self.permits, self._target)

    @property
    def holders(self) -> int:
        """How many processes share the quota, with this one, as far as the latest renewal has shown."""
        return 1 + len(self._seen)

    def wish(self, *, busy: int, waiting: int) -> int:
        """Return the number of permits that the holder could use.

        Args:
            busy: The number of permits that are in use, or whose window has not passed.
            waiting: The number of requests that wait for a permit.
        """
        return min(self._limit, busy + 2 * waiting + max(1, self._limit // _SPARE))

    def interval(self, *, busy: int, waiting: int) -> float:
        """Return the number of seconds from the latest renewal to the next.

        Args:
            busy: The number of permits that are in use, or whose window has not passed.
            waiting: The number of requests that wait for a permit.
        """
        wants_more = waiting > 0 and self.permits < self.wish(busy=busy, waiting=waiting)
        hurries = wants_more or self.permits > self._target
        return self._timing.shortest_interval if hurries else self._timing.longest_interval

    def begin_renewal(
        self, now: Reading, *, busy: int, waiting: int = 0, pause: float = 0.0, releases: bool = False
    ) -> Renewal:
        """Stop using the permits to return, and return the renewal to send.

        Args:
            now: The clocks.
            busy: The number of permits that are in use, or whose window has not passed.
            waiting: The number of requests that wait for a permit.
            pause: The number of seconds for which all holders shall pause.
            releases: Whether to return all idle permits, because the holder ends.
        """
        self.permits = min(self.permits, max(busy, 0 if releases else self._target))
        since = 0.0 if self._received is None else now.steady - self._received.steady
        return Renewal(
            holder=self._id,
            permits=self.permits,
            wish=self.wish(busy=busy, waiting=waiting),
            limit=self._limit,
            timing=self._timing,
            seen=self._seen,
            since=since,
            pause=pause,
            releases=releases,
        )

    def finish_renewal(self, share: Share, *, began: Reading, now: Reading) -> None:
        """Take over what the account has answered. Call this only if the transaction was certainly committed.

        Args:
            share: The answer.
            began: The clocks before the renewal was sent, as passed to `begin_renewal`.
            now: The clocks after the answer arrived.
        """
        if share.joined != self._joined:
            self.validity = Validity(self._timing)
        self.validity.renew(began)
        self.permits, self._target, self._joined = share.permits, share.target, share.joined
        self._seen, self._received = share.seen, now
