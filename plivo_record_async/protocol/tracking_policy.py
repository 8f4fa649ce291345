"""How long the tracker waits for what: the intervals and timeouts of following recordings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import attrs

from plivo_record_async._value import Value

__all__ = ["DEFAULT_TRACKING", "TrackingPolicy"]

_LONGEST: Final = timedelta(days=3650)
"""Longer intervals would take the times that are computed with them out of the calendar."""


def _interval(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, timedelta):
        raise TypeError(f"{attribute.name} must be a timedelta, not {type(value).__name__}: {value!r}")
    if not timedelta() < value <= _LONGEST:
        raise ValueError(f"{attribute.name} must be positive and at most {_LONGEST.days:,} days, not {value!r}")


@attrs.frozen(kw_only=True)
class TrackingPolicy(Value):
    """The intervals and timeouts of following recordings.

    All processes that share a store should use the same policy.

    Attributes:
        poll_interval: How often the store is read for records whose time has come. The default is 1 second.
        lease: How long a start that is being sent belongs to its process without a renewal. When it expires, the start
            counts as unknown. The default is 10 seconds.
        confirm_within: How long after the acceptance the first callback may take. Plivo delivers for 55 seconds at
            most: https://plivo.com/docs/voice/concepts/callback-configurations.md. The default is 2 minutes.
        initial_backoff: The time until Plivo is first asked about a start whose outcome is unknown. Each further pause
            is as long as the outcome has been unknown so far. The default is 15 seconds.
        idle_backoff: The same for a recording of which a callback is expected, and which may simply still be running.
            The default is 5 minutes.
        max_backoff: The longest pause between two questions about one recording, and between two runs of a handler
            that fails. The default is 1 hour.
        absence_grace: How long after the end of a conference Plivo may take to list its recording. Without one, the
            recording is absent then. The default is 5 minutes.
        handler_lease: How long a handler may run before it counts as dead and may be run again, perhaps by another
            process. It is also the pause before a handler that failed runs again; the pause doubles with each failure
            up to ``max_backoff``. The default is 1 minute.
        give_up_after: For how long Plivo is asked about a recording, for how long its transcript is waited for after
            its end, and for how long a handler that fails is run again. A conference lasts 24 hours at most:
            https://plivo.com/docs/voice/concepts/account-limits.md. The default is 48 hours.

    Raises:
        TypeError: A value is not a ``timedelta``.
        ValueError: A value is not positive, or is longer than ten years.
    """

    poll_interval: timedelta = attrs.field(default=timedelta(seconds=1), validator=_interval)
    lease: timedelta = attrs.field(default=timedelta(seconds=10), validator=_interval)
    confirm_within: timedelta = attrs.field(default=timedelta(minutes=2), validator=_interval)
    initial_backoff: timedelta = attrs.field(default=timedelta(seconds=15), validator=_interval)
    idle_backoff: timedelta = attrs.field(default=timedelta(minutes=5), validator=_interval)
    max_backoff: timedelta = attrs.field(default=timedelta(hours=1), validator=_interval)
    absence_grace: timedelta = attrs.field(default=timedelta(minutes=5), validator=_interval)
    handler_lease: timedelta = attrs.field(default=timedelta(minutes=1), validator=_interval)
    give_up_after: timedelta = attrs.field(default=timedelta(hours=48), validator=_interval)


DEFAULT_TRACKING: Final = TrackingPolicy()
"""The policy that applies unless another one is given."""
