"""The interfaces of a store: `Store`, which users may implement themselves, and `StoreObserver`.

A store makes no decisions. ``protocol.recording.lifecycle`` decides how a recording changes, and its records pass
through the store as values. ``testing.store_contract`` states in code what every store must do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

import attrs

from plivo_record_async._value import Value
from plivo_record_async.protocol.callbacks.fields import PlivoId
from plivo_record_async.protocol.models import CallbackEvent
from plivo_record_async.protocol.recording.record import FollowedRecording

__all__ = [
    "MAX_ORPHANS_PER_START",
    "MAX_ORPHANS_WITHOUT_START",
    "FollowedRecording",
    "Orphan",
    "OrphanKept",
    "PlivoId",
    "Pruned",
    "RecordCreated",
    "RecordForgotten",
    "RecordReplaced",
    "Store",
    "StoreChange",
    "StoreObserver",
]


MAX_ORPHANS_PER_START: Final = 20
"""How many orphans of one start a store keeps at most."""

MAX_ORPHANS_WITHOUT_START: Final = 1000
"""How many orphans a store keeps at most of callbacks whose URL names no start."""


@attrs.frozen(kw_only=True)
class Orphan(Value):
    """A callback with a valid signature that could not be applied to a followed recording, and is kept as evidence.

    Attributes:
        received_at: When it was received (aware, UTC).
        event: What it says, or what it could be read as. It was not applied to any recording.
        reason: Why it was not applied.
        digest: The SHA-256 of the signed text, in hexadecimal digits. Two callbacks with the same digest are the same
            orphan, however their text was read.
        start_id: The start that the callback's URL names. If None, the URL names no start.
    """

    received_at: datetime
    event: CallbackEvent
    reason: str
    digest: str
    start_id: str | None = None


class Store(Protocol):
    """Where followed recordings are kept.

    All times are aware. A record is kept as a value and returned equal to what was kept, with every ``raw`` in it.
    Stores look records up by ``start_id``, ``dedupe_key``, ``version``, ``api_id``, ``recording_id``, ``created_at``,
    ``updated_at`` and ``due_at``. ``stores.encoding`` converts records and orphans to JSON and back.

    What a method has done when it returns is durable. Every method except `open` and `aclose` raises ``StoreError`` if
    it cannot be done, which does not affect what was done before; and ``ClosedError`` after `aclose`, until `open` is
    called. If a caller is cancelled, the store stays consistent, but the caller's change may still be made, then or a
    moment later.

    Each instance belongs to one event loop at a time: it follows its caller to another event loop once the first has
    ended, and raises ``ConfigurationError`` while the first is running. Several instances, also in several processes,
    may share what they keep.
    """

    async def open(self) -> None:
        """Accept calls again after `aclose`, in this event loop or in another one.

        A new store is open. Opening a store that is open has no effect.
        """
        ...

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        """Keep a new record, unless a record with the same ``start_id`` or ``dedupe_key`` is kept.

        Of several concurrent calls with the same key, exactly one keeps its record.

        Args:
            record: The record. Its ``dedupe_key`` may be None, which equals no other key.

        Returns:
            ``record`` if it is kept now, otherwise the record that was kept before.
        """
        ...

    async def get(self, start_id: str) -> FollowedRecording | None:
        """Return the record of a start as it is now. If None, there is no such record.

        Args:
            start_id: The tracker's ID of the start.
        """
        ...

    async def replace(self, record: FollowedRecording) -> bool:
        """Keep a changed record in place of its previous version.

        Of several concurrent calls for the same version, exactly one succeeds.

        Args:
            record: The record, with a ``version`` that is greater by one than that of the record which is kept.

        Returns:
            Whether it was kept. If False, nothing was changed, because the record that is kept has another version or
            does not exist.
        """
        ...

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        """Return the record that has an ID of Plivo's. If None, there is no such record.

        If several records have it, the one that was created first is returned.

        Args:
            kind: ``"api_id"`` or ``"recording_id"``: the attribute of the record.
            value: The ID.
        """
        ...

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        """Return the records whose ``due_at`` is not after ``now``, in the order of ``due_at``.

        A record that cannot be read, because a newer version of this package wrote it, is left out, so that it does not
        hide the others.

        Args:
            now: The time.
            limit: How many records to return at most.
            silent: Return only the records for which ``protocol.recording.schedule.is_silent`` is true, or only the
                others. If None, return both.
        """
        ...

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        """Wait until a record has another version.

        A change that another process made is noticed within half a second.

        Args:
            start_id: The tracker's ID of the start.
            version: The version that the caller knows. If the record has another one already, the call returns at once.

        Returns:
            The record, or None as soon as there is no such record.

        Raises:
            ClosedError: The store is closed, or was closed during the wait.
        """
        ...

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep an orphan, unless one with the same digest is kept or it belongs to a start that was forgotten.

        It belongs to a forgotten start if it names that start, or if ``protocol.callbacks.fields.named_ids`` finds the
        ``api_id`` or the ``recording_id`` of its record in ``orphan.event.raw``.

        Of each start, the latest ``MAX_ORPHANS_PER_START`` orphans are kept; of callbacks that name no start, the
        latest ``MAX_ORPHANS_WITHOUT_START``. Older ones are deleted.

        Args:
            orphan: The callback.

        Returns:
            Whether the orphan was kept.
        """
        ...

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the orphans, the ones that were kept last first.

        Args:
            limit: How many orphans to return at most.
        """
        ...

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        """Erase a record and its orphans: those that have its ``start_id``, its ``api_id`` or its ``recording_id``.

        No byte of them is left in what the store writes to a disk. That the start was forgotten is remembered until
        `prune`, in a form that does not reveal the IDs.

        Args:
            start_id: The tracker's ID of the start.
            now: The time.

        Returns:
            Whether there was anything to erase, or the start had been forgotten before.
        """
        ...

    async def prune(self, before: datetime) -> int:
        """Delete the inactive records that were last updated before a time.

        A record is inactive if its ``due_at`` is None. Orphans that were received before that time are deleted too, and
        so is the memory of starts that were forgotten before it.

        Args:
            before: The time.

        Returns:
            How many records were deleted.
        """
        ...

    async def check(self) -> None:
        """Commit something that changes nothing, which proves that the store can commit.

        Raises:
            StoreError: The store cannot commit.
        """
        ...

    async def aclose(self) -> None:
        """Finish the calls that were begun, end all watching with ``ClosedError``, and release all resources.

        Closing a store that is closed has no effect.
        """
        ...


# What an observer is called with


@attrs.frozen(kw_only=True)
class RecordCreated(Value):
    """A new record was kept."""

    record: FollowedRecording


@attrs.frozen(kw_only=True)
class RecordReplaced(Value):
    """A record was changed.

    Attributes:
        before: The previous version.
        after: The version that is kept now. Its ``history`` begins with those of ``before``; the others are new.
    """

    before: FollowedRecording
    after: FollowedRecording


@attrs.frozen(kw_only=True)
class RecordForgotten(Value):
    """A record, its orphans, or both were erased."""

    start_id: str


@attrs.frozen(kw_only=True)
class OrphanKept(Value):
    """A callback was kept as an orphan."""

    orphan: Orphan


@attrs.frozen(kw_only=True)
class Pruned(Value):
    """Old records or old orphans were deleted. One call of ``Store.prune`` may make several such changes.

    Attributes:
        records: How many records were deleted.
        orphans: How many orphans were deleted.
    """

    records: int = 0
    orphans: int = 0


StoreChange = RecordCreated | RecordReplaced | RecordForgotten | OrphanKept | Pruned
"""What an instance of a store has changed. Later versions of this package may add more kinds."""

StoreObserver = Callable[[StoreChange], None]
"""A function that a store calls after each change that it has made, for example to count them.

``MemoryStore`` and ``SQLiteStore`` take one as the argument ``observer``; stores of your own need not support it. It is
called in the store's event loop, once for each change, after the change is durable and before the method that made it
returns, also if the caller of that method was cancelled. It must not block. If it raises an exception, the exception is
logged and the change stays.

It is not called for what other instances or other processes change, for a call that changed nothing, for orphans that
were deleted to make room for later ones, nor if the event loop was closed during the call.
"""
