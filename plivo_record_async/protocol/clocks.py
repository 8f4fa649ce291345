"""An estimate of the time at Plivo, from the ``Date`` headers of its responses and the clocks of this machine.

The wall clock of this machine may be wrong, and may be set while the program runs. Its steady clock stops while a
virtual machine is paused. Each clock is used to check the other: measurements are discarded when the offset between the
two changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import inf
from typing import Final

import attrs

__all__ = ["DueTime", "Period", "PlivoClock", "Reading", "Sending", "http_date"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_RESOLUTION: Final = 2.0
"""Seconds. ``Date`` has whole seconds, and a server may use the same header for another second."""

_DRIFT: Final = 1e-4
"""Seconds per second. A steady clock drifts by at most this much. Ordinary quartz clocks drift less than half of it."""

_MAX_UNCERTAINTY: Final = 10.0
"""Seconds between the bounds of the offset of Plivo's clock. An offset that is less exact is not stored."""

_STEP: Final = 2.0
"""Seconds. If the offset between the clocks changes by more, the wall clock was set, or the steady clock stopped."""

_MAX_SET_BACK: Final = 3_600.0
"""Seconds. If the wall clock is set back by at most this much, `DueTime` ignores the change."""

_MIN_AGREEING: Final = 2
"""The minimum number of responses that must agree."""

_PLAUSIBLE_YEARS: Final = range(2011, 2500)
"""Dates outside these years are ignored."""

_COMPARED: Final = 16
"""The number of responses that are compared."""


@attrs.frozen(kw_only=True)
class Reading:
    """The clocks of this machine, read at the same moment.

    Attributes:
        wall: The time of day (aware, UTC). It may be wrong, and it may be set at any time.
        steady: Seconds by a clock that cannot be set, and that continues while the machine is suspended.
        run: The ID of this run of the program. Values of ``steady`` can be compared only within one run.
    """

    wall: datetime
    steady: float
    run: str

    @property
    def offset(self) -> float:
        """The number of seconds by which the wall clock, counted from 1970, is ahead of the steady clock."""
        return _seconds(self.wall) - self.steady


@attrs.frozen(kw_only=True)
class Sending:
    """The clock readings that are stored when a start is about to be sent.

    Attributes:
        steady: As in `Reading`.
        run: As in `Reading`.
        ahead: The number of seconds by which Plivo's clock was ahead of this machine's wall clock. If None, it was not
            known.
        within: The number of seconds until the deadline of the start.
    """

    steady: float
    run: str
    ahead: float | None = None
    within: float


@attrs.frozen(kw_only=True)
class Period:
    """The period in which something happened, by Plivo's clock.

    Attributes:
        earliest: The beginning of the period.
        latest: The end of the period.
        measured: Whether the offset of Plivo's clock was measured. If not, the period depends on this
            machine's wall clock.
    """

    earliest: datetime
    latest: datetime
    measured: bool


@attrs.frozen
class _Bounds:
    """The bounds of the offset of Plivo's clock from the steady clock.

    Attributes:
        low: The lower bound, in seconds.
        high: The upper bound, in seconds.
        at: The time of the steady clock at which the bounds are valid.
    """

    low: float
    high: float
    at: float

    def by(self, steady: float) -> _Bounds:
        """Return the bounds at another time of the steady clock. They are widened by the drift."""
        drift = _DRIFT * abs(steady - self.at)
        return _Bounds(self.low - drift, self.high + drift, steady)

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


class PlivoClock:
    """An estimate of Plivo's clock, from the responses that one client receives."""

    def __init__(self) -> None:
        self._estimates: deque[_Bounds] = deque(maxlen=_COMPARED)
        self._offset = 0.0
        self._date_received = False

    def observe_date(self, date: str, sent: Reading, received: Reading) -> None:
        """Add the ``Date`` of a response to the estimate. A date that cannot be read is ignored.

        Args:
            date: The header's value.
            sent: The clocks before the request was sent.
            received: The clocks after the response arrived.
        """
        time = http_date(date)
        if time is None or time.year not in _PLAUSIBLE_YEARS:
            return
        self._date_received = True
        if _stepped(sent.offset, received.offset):
            return
        if _stepped(self._offset, received.offset):
            self._estimates.clear()
        self._offset = received.offset
        seconds = _seconds(time)
        self._estimates.append(_Bounds(seconds - received.steady, seconds + _RESOLUTION - sent.steady, received.steady))

    def time(self, now: Reading) -> datetime | None:
        """Return the time at Plivo.

        Args:
            now: The clocks.

        Returns:
            The estimate (aware, UTC), or None if it is not known yet. If no response had a ``Date``, it is the time of
            this machine's wall clock.
        """
        bounds = self._measured(now)
        if bounds is not None:
            return _moment(now.steady + bounds.middle)
        return None if self._date_received else now.wall

    def sending(self, now: Reading, *, within: float) -> Sending:
        """Return the clock readings to store when a start is about to be sent.

        Args:
            now: The clocks.
            within: The number of seconds until the deadline of the start.

        Returns:
            The clock readings.
        """
        bounds = self._measured(now)
        exact = bounds is not None and bounds.high - bounds.low <= _MAX_UNCERTAINTY
        ahead = bounds.middle - now.offset if bounds is not None and exact else None
        return Sending(steady=now.steady, run=now.run, ahead=ahead, within=within)

    def when_sent(self, wall: datetime, sending: Sending | None, now: Reading) -> Period:
        """Return when a start was about to be sent, by Plivo's clock.

        Args:
            wall: The time of this machine's wall clock then.
            sending: The clock readings that were stored then. If None, none were stored.
            now: The clocks now.

        Returns:
            The period in which it happened.
        """
        if sending is not None and sending.ahead is not None:
            then = _seconds(wall) + sending.ahead
            return _period([then - _MAX_UNCERTAINTY / 2, then + _MAX_UNCERTAINTY / 2], measured=True)
        bounds = self._measured(now)
        here = sending is not None and sending.run == now.run
        guesses = [] if here and bounds is not None else [_seconds(wall)]
        if bounds is not None:  # correct if the wall clock has not been set since
            guesses += [_seconds(wall) - now.offset + edge for edge in (bounds.low, bounds.high)]
        if sending is not None and here:  # correct if the steady clock has not stopped since
            then_bounds = _Bounds(now.offset, now.offset, now.steady) if bounds is None else bounds.by(sending.steady)
            guesses += [sending.steady + edge for edge in (then_bounds.low, then_bounds.high)]
        return _period(guesses, measured=here and bounds is not None)

    def _measured(self, now: Reading) -> _Bounds | None:
        if _stepped(self._offset, now.offset):
            return None
        return _agreed([each.by(now.steady) for each in self._estimates], now.steady)


def _stepped(before: float, now: float) -> bool:
    return abs(now - before) > _STEP


class DueTime:
    """The time that decides when records become due. Setting the wall clock back by up to an hour does not delay it."""

    def __init__(self) -> None:
        self._offset = -inf

    def at(self, now: Reading) -> datetime:
        """Return the time of the wall clock, as if it had not been set back by an hour or less.

        If the clock was set back by more, its time was wrong before and is now right.

        Args:
            now: The clocks.

        Returns:
            The time (aware, UTC).
        """
        self._offset = max(self._offset, now.offset)
        behind = self._offset - now.offset
        return now.wall + timedelta(seconds=behind) if behind <= _MAX_SET_BACK else now.wall


def http_date(value: str) -> datetime | None:
    """Return the time of an HTTP date: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7 .

    Args:
        value: The value of the header.

    Returns:
        The time (aware, UTC), or None if the value is not a date.
    """
    try:
        date = parsedate_to_datetime(value)
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _agreed(estimates: Collection[_Bounds], steady: float) -> _Bounds | None:
    """Return the bounds on which a majority of the responses agrees, or None if there is no majority of at least two.

    A date that a cache stored, or that a gateway took from its own clock, is in the minority.
    https://en.wikipedia.org/wiki/Marzullo%27s_algorithm
    """
    edges = sorted([(each.low, 0) for each in estimates] + [(each.high, 1) for each in estimates])
    most = sharing = 0
    low = high = 0.0
    for place, (value, is_end) in enumerate(edges):
        sharing += -1 if is_end else 1
        if sharing > most:
            most, low, high = sharing, value, edges[place + 1][0]
    return _Bounds(low, high, steady) if most >= _MIN_AGREEING and 2 * most > len(estimates) else None


def _period(times: Sequence[float], *, measured: bool) -> Period:
    return Period(earliest=_moment(min(times)), latest=_moment(max(times)), measured=measured)


def _moment(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _seconds(time: datetime) -> float:
    return (time - _EPOCH).total_seconds()
