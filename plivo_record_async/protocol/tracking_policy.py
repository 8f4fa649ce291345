"""The intervals and timeouts with which a tracker follows recordings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import attrs

from plivo_record_async._value import Value

__all__ = ["DEFAULT_TRACKING", "TrackingPolicy"]

_MAX_INTERVAL: Final = timedelta(days=3650)
"""The longest interval. A time plus a longer interval might be later than the last day of `datetime`."""


def _interval(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, timedelta):
        raise TypeError(f"{attribute.name} must be a timedelta, not {type(value).__name__}: {value!r}")
    if not timedelta() < value <= _MAX_INTERVAL:
        raise ValueError(f"{attribute.name} must be positive and at most {_MAX_INTERVAL.days:,} days, not {value!r}")


@attrs.frozen(kw_only=True)
class TrackingPolicy(Value):
    """The intervals and timeouts with which a tracker follows recordings.

    The defaults suit production. All processes that share a store should use the same policy.

    .. code-block:: python

        from datetime import timedelta

        from plivo_record_async import TrackingPolicy

        tracking = TrackingPolicy(
            confirm_within=timedelta(minutes=5),
            give_up_after=timedelta(hours=26),
        )

    Attributes:
        poll_interval: The pause between two readings of the store for records that have to be processed. The default
            is 1 second.
        lease: How long a process may send a start before it has to renew its lease. If it does not renew the lease,
            the other processes assume that it has died, and the outcome of the start is unknown. The default is 10
            seconds.
        confirm_within: How long to wait for the first callback after Plivo has accepted the start. After that time, the
            recording is unconfirmed. Plivo is first asked about it ``idle_backoff`` later. Plivo tries to deliver a
            callback for 55 seconds at most: https://plivo.com/docs/voice/concepts/callback-configurations.md. The
            default is 2 minutes.
        initial_backoff: The pause before Plivo is first asked about a start whose outcome is unknown. Plivo is
            asked again each time the outcome has been unknown for twice as long, but at least every ``max_backoff``.
            The default is 15 seconds.
        idle_backoff: The pause before Plivo is first asked about a recording that is started or unconfirmed, and may
            simply still be running. Plivo is asked again each time the recording has been in that state for
            twice as long, but at least every ``max_backoff``. The default is 5 minutes.
        list_interval: The pause between two readings of Plivo's list, in a tracker that polls. If ``idle_backoff`` is
            shorter, it applies instead. The default is 1 minute.
        max_backoff: The longest pause before Plivo is asked about a recording again, and before a handler that failed
            runs again. The default is 1 hour.
        absence_grace: How long after the end of a conference Plivo may take to list its recording. If the recording is
            not listed by then, it is absent. The default is 5 minutes.
        handler_lease: How long a handler may run before other processes assume that its process has died, and run it
            again. It is also the pause before a handler that failed runs again. The pause doubles
            with each further failure, up to ``max_backoff``. The default is 1 minute.
        give_up_after: How long Plivo is asked about a recording, how long to wait for a transcript after the recording
            has ended, and how long after its first failure a handler is given up. A conference lasts 24 hours at most:
            https://plivo.com/docs/voice/concepts/account-limits.md. The default is 48 hours.

    Raises:
        TypeError: A value is not a ``timedelta``.
        ValueError: A value is not positive, or is longer than 3,650 days.
    """

    poll_interval: timedelta = attrs.field(default=timedelta(seconds=1), validator=_interval)
    lease: timedelta = attrs.field(default=timedelta(seconds=10), validator=_interval)
    confirm_within: timedelta = attrs.field(default=timedelta(minutes=2), validator=_interval)
    initial_backoff: timedelta = attrs.field(default=timedelta(seconds=15), validator=_interval)
    idle_backoff: timedelta = attrs.field(default=timedelta(minutes=5), validator=_interval)
    list_interval: timedelta = attrs.field(default=timedelta(minutes=1), validator=_interval)
    max_backoff: timedelta = attrs.field(default=timedelta(hours=1), validator=_interval)
    absence_grace: timedelta = attrs.field(default=timedelta(minutes=5), validator=_interval)
    handler_lease: timedelta = attrs.field(default=timedelta(minutes=1), validator=_interval)
    give_up_after: timedelta = attrs.field(default=timedelta(hours=48), validator=_interval)


DEFAULT_TRACKING: Final = TrackingPolicy()
"""The default policy."""
