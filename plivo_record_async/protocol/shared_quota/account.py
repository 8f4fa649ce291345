"""What one renewal changes in the state that all holders of an account's quota share.

The state is changed by one transaction at a time. `renew` is the whole decision of such a transaction.

Whether a lease has ended is decided without the clock of the database, which may be set or may differ after a failover.
Every renewal has a number. A holder that sees the same renewal of another holder twice knows, by its own steady clock,
for how long that holder has certainly not renewed its lease. This age is kept in the state, so that the next observer
continues from it.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from plivo_record_async.protocol.api.response import LONGEST_PAUSE
from plivo_record_async.protocol.shared_quota.timing import LeaseTiming

__all__ = ["Account", "Holding", "Renewal", "Share", "Sighting", "renew"]


@attrs.frozen(kw_only=True)
class Holding:
    """The permits of one holder, as the account counts them. The holder never uses more.

    Attributes:
        permits: The number of permits.
        wish: The number of permits that the holder could use. 0 if it has ended.
        limit: The limit of the account, as the holder was configured.
        joined: The number of the renewal with which the holder received this lease.
        renewed: The number of the latest renewal.
        age: The number of seconds that have certainly passed since the latest renewal.
        lease: The age in seconds at which the permits are free.
    """

    permits: int
    wish: int
    limit: int
    joined: int
    renewed: int
    age: float = 0.0
    lease: float


@attrs.frozen(kw_only=True)
class Account:
    """The state that the holders of one account share.

    Attributes:
        per: The length of the window of the quota, in seconds.
        renewals: The number of renewals so far.
        paused_until: The time until which nobody sends, after a 429, by the clock of the database.
        holdings: The permits of each holder, by the ID of the holder.
    """

    per: float
    renewals: int = 0
    paused_until: float = 0.0
    holdings: Mapping[str, Holding] = attrs.field(factory=dict[str, Holding])


@attrs.frozen
class Sighting:
    """What a holder has seen of another one.

    Attributes:
        renewed: The number of the other's latest renewal.
        age: The number of seconds that had certainly passed since then.
    """

    renewed: int
    age: float


@attrs.frozen(kw_only=True)
class Renewal:
    """What a holder asks for.

    Attributes:
        holder: The ID of the holder. It is new for each process.
        permits: The number of permits that the holder keeps. It has stopped using all others.
        wish: The number of permits that it could use.
        limit: The limit of the account, as the holder was configured.
        timing: The durations of the lease.
        seen: What the holder has seen of the others at its latest renewal.
        since: The number of seconds that have certainly passed since then.
        pause: The number of seconds for which all holders shall pause, because of a 429. 0 if there was none.
        releases: Whether the holder ends, so that it needs no permits any more.
    """

    holder: str
    permits: int
    wish: int
    limit: int
    timing: LeaseTiming
    seen: Mapping[str, Sighting] = attrs.field(factory=dict[str, Sighting])
    since: float = 0.0
    pause: float = 0.0
    releases: bool = False

    def age_of(self, name: str, holding: Holding) -> float:
        """Return the number of seconds that have certainly passed since the latest renewal of another holder.

        Args:
            name: The ID of the other holder.
            holding: What the account counts for it.
        """
        sighting = self.seen.get(name)
        if sighting is None or sighting.renewed != holding.renewed:
            return holding.age
        return max(holding.age, sighting.age + self.since)


@attrs.frozen(kw_only=True)
class Share:
    """What a holder receives.

    Attributes:
        permits: The number of permits that the account counts for the holder.
        target: The number of permits that are the holder's share. If it has more, it returns some.
        joined: The number of the renewal with which the holder received its lease.
        pause: The number of seconds for which nobody may send. 0 or less if no pause is active.
        per: The length of the window that the account has. If it differs from the holder's, there are no permits.
        seen: What the holder has seen of the others.
    """

    permits: int
    target: int
    joined: int
    pause: float
    per: float
    seen: Mapping[str, Sighting]


def renew(account: Account, renewal: Renewal, *, now: float) -> tuple[Account, Share]:
    """Renew the lease of one holder, and give it permits that are free.

    Args:
        account: The state before.
        renewal: What the holder asks for.
        now: The time in seconds, by the clock of the database. It only matters for pauses.

    Returns:
        The state afterwards, and what the holder receives.
    """
    number = account.renewals + 1
    ages = {name: renewal.age_of(name, each) for name, each in account.holdings.items()}
    live = {name: each for name, each in account.holdings.items() if ages[name] < each.lease}
    own = live.pop(renewal.holder, None)
    per = account.per if live or own else renewal.timing.per
    permits, target = 0 if own is None else min(own.permits, renewal.permits), 0
    may_have_permits = per == renewal.timing.per and not renewal.releases
    if may_have_permits:
        target = _target(live, renewal, turn=number)
        permits += max(0, min(target - permits, _free(live, renewal, permits)))
    joined = number if own is None else own.joined
    paused_until = max(account.paused_until, now + renewal.pause)
    changed = Account(
        per=per,
        renewals=number,
        paused_until=paused_until,
        holdings={name: _aged(each, ages[name], renewal.timing) for name, each in live.items()}
        | _holding(renewal, permits, may_have_permits=may_have_permits, joined=joined, number=number),
    )
    seen = {name: Sighting(each.renewed, ages[name]) for name, each in live.items()}
    return changed, Share(
        permits=permits, target=target, joined=joined, pause=min(paused_until - now, LONGEST_PAUSE), per=per, seen=seen
    )


def _holding(renewal: Renewal, permits: int, *, may_have_permits: bool, joined: int, number: int) -> dict[str, Holding]:
    """Return what the account counts for the holder after its renewal. One that can have no permits is not kept."""
    if permits == 0 and not may_have_permits:
        return {}
    timing = renewal.timing
    return {
        renewal.holder: Holding(
            permits=permits,
            wish=0 if renewal.releases else renewal.wish,
            limit=renewal.limit,
            joined=joined,
            renewed=number,
            lease=timing.after_release if renewal.releases else timing.lease,
        )
    }


def _aged(holding: Holding, age: float, timing: LeaseTiming) -> Holding:
    """Return the holding with its age, if it is late. The ages of the others would only cause writes."""
    return attrs.evolve(holding, age=age) if age > 2 * timing.longest_interval else holding


def _limit(others: Mapping[str, Holding], renewal: Renewal) -> int:
    """Return the limit of the account. If the holders have different ones, the smallest counts."""
    return min([renewal.limit, *(each.limit for each in others.values())])


def _free(others: Mapping[str, Holding], renewal: Renewal, permits: int) -> int:
    """Return the number of permits that no holder has. It may be negative."""
    return _limit(others, renewal) - permits - sum(each.permits for each in others.values())


def _target(others: Mapping[str, Holding], renewal: Renewal, *, turn: int) -> int:
    """Return how many permits the holder should have.

    Nobody receives more than its wish, and what is left is divided equally among those with greater wishes. What cannot
    be divided goes to other holders from time to time, so that each of them has a permit now and then, even if there
    are more holders than permits.

    Args:
        others: The other holders.
        renewal: What the holder asks for.
        turn: A number that changes with time.
    """
    left = _limit(others, renewal)
    wishes = {name: each.wish for name, each in others.items() if each.wish} | {renewal.holder: renewal.wish}
    most = left if len(wishes) <= left else 1
    names = sorted(wishes)
    first = turn // (16 * len(names)) % len(names)
    rotated = names[first:] + names[:first]
    ordered = sorted(rotated, key=lambda name: min(wishes[name], most))
    for place, name in enumerate(ordered[: ordered.index(renewal.holder)]):
        left -= min(wishes[name], most, left // (len(ordered) - place))
    return min(wishes[renewal.holder], most, left // (len(ordered) - ordered.index(renewal.holder)))
