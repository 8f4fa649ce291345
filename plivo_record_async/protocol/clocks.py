"""What time it is at Plivo: each of its answers says so in ``Date``, whatever our own clocks show.

Our time of day may be wrong, and may be set while the program runs; our steady clock stands still while a virtual
machine is paused. Each checks the other: what was measured counts until they differ by something else than before.
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
"""Seconds. ``Date`` counts whole seconds, and servers keep its text for up to another one."""

_DRIFT: Final = 1e-4
"""How far a steady clock may gain or lose, per second; ordinary quartz keeps within half of that."""

_EXACT: Final = 10.0
"""Seconds. What is known of Plivo's time less exactly is not written down."""

_STEP: Final = 2.0
"""Seconds. If our clocks differ by so much more or less than before, one was set, or the other stood still."""

_SET_BACK: Final = 3_600.0
"""Seconds by which our time of day may be set back without anybody waiting for it."""

_ENOUGH: Final = 2
"""How many answers have to agree at least."""

_YEARS: Final = range(2011, 2500)
"""What a clock that shows another year says is no time."""

_REMEMBERED: Final = 16
"""Of how many answers the time is compared."""


@attrs.frozen(kw_only=True)
class Reading:
    """The clocks of this machine, read at the same moment.

    Attributes:
        wall: The time of day (aware, UTC). It may be wrong, and somebody may set it.
        steady: Seconds by a clock that nobody sets, and that goes on while the machine is suspended.
        run: Names the run of the program; the ``steady`` of two runs cannot be compared.
    """

    wall: datetime
    steady: float
    run: str

    @property
    def apart(self) -> float:
        """By how many seconds the time of day, since 1970, is ahead of the steady clock."""
        return _seconds(self.wall) - self.steady


@attrs.frozen(kw_only=True)
class Sending:
    """What is written down of the clocks when a start is about to be sent.

    Attributes:
        steady: As in `Reading`.
        run: As in `Reading`.
        ahead: By how many seconds Plivo's clock was ahead of ours, or None if it was not known.
        within: Seconds until the start's deadline.
    """

    steady: float
    run: str
    ahead: float | None = None
    within: float


@attrs.frozen(kw_only=True)
class Period:
    """Between which moments something happened, by Plivo's clock.

    Attributes:
        earliest: Not before this.
        latest: Not after this.
        measured: Whether Plivo's clock was measured for it. If not, both rest on our own clock.
    """

    earliest: datetime
    latest: datetime
    measured: bool


@attrs.frozen
class _Bounds:
    """Between which values Plivo's clock minus our steady one lay, at a time of the latter."""

    low: float
    high: float
    at: float

    def by(self, steady: float) -> _Bounds:
        drift = _DRIFT * abs(steady - self.at)
        return _Bounds(self.low - drift, self.high + drift, steady)

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


class PlivoClock:
    """Plivo's clock, as far as the answers of one client tell."""

    def __init__(self) -> None:
        self._answers: deque[_Bounds] = deque(maxlen=_REMEMBERED)
        self._apart = 0.0
        self._told = False

    def answered(self, date: str, sent: Reading, received: Reading) -> None:
        """Take in the ``Date`` of one answer; one that cannot be read is ignored.

        Args:
            date: The header's value.
            sent: A reading from before the request was sent.
            received: A reading from after the answer came.
        """
        time = http_date(date)
        if time is None or time.year not in _YEARS:
            return
        self._told = True
        if _stepped(sent.apart, received.apart):
            return
        if _stepped(self._apart, received.apart):
            self._answers.clear()
        self._apart = received.apart
        seconds = _seconds(time)
        self._answers.append(_Bounds(seconds - received.steady, seconds + _RESOLUTION - sent.steady, received.steady))

    def time(self, now: Reading) -> datetime | None:
        """Return the time at Plivo, or None if it is not known yet; if no answer ever told it, our own time."""
        bounds = self._measured(now)
        if bounds is not None:
            return _moment(now.steady + bounds.middle)
        return None if self._told else now.wall

    def sending(self, now: Reading, *, within: float) -> Sending:
        """Return what to write down when a start is about to be sent.

        Args:
            now: The clocks.
            within: Seconds until the start's deadline.
        """
        bounds = self._measured(now)
        exact = bounds is not None and bounds.high - bounds.low <= _EXACT
        ahead = bounds.middle - now.apart if bounds is not None and exact else None
        return Sending(steady=now.steady, run=now.run, ahead=ahead, within=within)

    def when_sent(self, wall: datetime, sending: Sending | None, now: Reading) -> Period:
        """Return when a start was about to be sent, by Plivo's clock.

        Args:
            wall: What our own clock showed then.
            sending: What was written down then, if anything was.
            now: The clocks.
        """
        if sending is not None and sending.ahead is not None:
            then = _seconds(wall) + sending.ahead
            return _period([then - _EXACT / 2, then + _EXACT / 2], measured=True)
        bounds = self._measured(now)
        here = sending is not None and sending.run == now.run
        guesses = [] if here and bounds is not None else [_seconds(wall)]
        if bounds is not None:  # if our time of day was not set since
            guesses += [_seconds(wall) - now.apart + edge for edge in (bounds.low, bounds.high)]
        if sending is not None and here:  # if our steady clock did not stand still since
            then_bounds = _Bounds(now.apart, now.apart, now.steady) if bounds is None else bounds.by(sending.steady)
            guesses += [sending.steady + edge for edge in (then_bounds.low, then_bounds.high)]
        return _period(guesses, measured=here and bounds is not None)

    def _measured(self, now: Reading) -> _Bounds | None:
        if _stepped(self._apart, now.apart):
            return None
        return _agreed([answer.by(now.steady) for answer in self._answers], now.steady)


def _stepped(before: float, now: float) -> bool:
    return abs(now - before) > _STEP


class DueTime:
    """Our time of day for what has come due: if it is set back, nothing that is planned waits for it to catch up."""

    def __init__(self) -> None:
        self._apart = -inf

    def at(self, now: Reading) -> datetime:
        """Return the time; it is that of the wall unless that was set back by an hour at most.

        A clock that was set back by more had been far ahead, and so is what was planned by it.
        """
        self._apart = max(self._apart, now.apart)
        behind = self._apart - now.apart
        return now.wall + timedelta(seconds=behind) if behind <= _SET_BACK else now.wall


def http_date(value: str) -> datetime | None:
    """Read an HTTP date, or return None if it is none: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7."""
    try:
        date = parsedate_to_datetime(value)
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _agreed(answers: Collection[_Bounds], steady: float) -> _Bounds | None:
    """Return the bounds that most answers share: https://en.wikipedia.org/wiki/Marzullo%27s_algorithm.

    One that a cache kept, or a gateway wrote by a clock of its own, is outvoted. Without a majority, and without at
    least two, there are none.
    """
    edges = sorted([(answer.low, 0) for answer in answers] + [(answer.high, 1) for answer in answers])
    most = sharing = 0
    low = high = 0.0
    for place, (value, is_end) in enumerate(edges):
        sharing += -1 if is_end else 1
        if sharing > most:
            most, low, high = sharing, value, edges[place + 1][0]
    return _Bounds(low, high, steady) if most >= _ENOUGH and 2 * most > len(answers) else None


def _period(times: Sequence[float], *, measured: bool) -> Period:
    return Period(earliest=_moment(min(times)), latest=_moment(max(times)), measured=measured)


def _moment(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _seconds(time: datetime) -> float:
    return (time - _EPOCH).total_seconds()
