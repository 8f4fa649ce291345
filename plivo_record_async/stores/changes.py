"""The changes of a store, and the observer to which it reports them."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from plivo_record_async._value import Value
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.orphans import Orphan

__all__ = [
    "OrphanKept",
    "Pruned",
    "RecordCreated",
    "RecordForgotten",
    "RecordReplaced",
    "StoreChange",
    "StoreObserver",
]


@attrs.frozen(kw_only=True)
class RecordCreated(Value):
    """A new record was kept.

    Attributes:
        record: The record.
    """

    record: FollowedRecording


@attrs.frozen(kw_only=True)
class RecordReplaced(Value):
    """A record was replaced by its next version.

    Attributes:
        before: The previous version.
        after: The version that is kept now. Its ``history`` begins with that of ``before``.
    """

    before: FollowedRecording
    after: FollowedRecording


@attrs.frozen(kw_only=True)
class RecordForgotten(Value):
    """A record, its orphans, or both were erased.

    Attributes:
        start_id: The tracker's ID of the start.
    """

    start_id: str


@attrs.frozen(kw_only=True)
class OrphanKept(Value):
    """An orphan was kept.

    Attributes:
        orphan: The orphan.
    """

    orphan: Orphan


@attrs.frozen(kw_only=True)
class Pruned(Value):
    """Old records or old orphans were deleted. One call of ``Store.prune`` may cause several such changes.

    Attributes:
        records: The number of deleted records.
        orphans: The number of deleted orphans.
    """

    records: int = 0
    orphans: int = 0


StoreChange = RecordCreated | RecordReplaced | RecordForgotten | OrphanKept | Pruned
"""A change that a store object made. Later versions of this package may add more kinds of change."""

StoreObserver = Callable[[StoreChange], None]
"""A function that a store calls after each change that it made, for example to count the changes.

The stores of this package take an observer as the argument ``observer``. A store of your own need not have
one. The store calls the observer in the store's event loop, once for each change, after the change is durable and
before the method that made it returns. It also calls the observer if the caller of that method was cancelled. The
observer must not block. If the observer raises an exception, the store logs the exception and keeps the change.

The store does not call the observer for changes that other store objects or other processes make, for calls that change
nothing, for orphans that are deleted to make room for later ones, or if the event loop was closed during the call.
"""
