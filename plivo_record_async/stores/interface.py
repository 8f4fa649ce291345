"""`Store`, the interface of a store. The names of the values that a store keeps and reports can be imported from here.

A store makes no decisions. ``protocol.recording.lifecycle`` decides how a recording changes, and the store keeps the
resulting records as values. The tests in ``testing.store_contract`` check everything that a store must do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from plivo_record_async.protocol.callbacks.fields import PlivoId
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.changes import (
    OrphanKept,
    Pruned,
    RecordCreated,
    RecordForgotten,
    RecordReplaced,
    StoreChange,
    StoreObserver,
)
from plivo_record_async.stores.orphans import MAX_ORPHANS_PER_START, MAX_ORPHANS_WITHOUT_START, Orphan

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


class Store(Protocol):
    """The interface of a store of followed recordings.

    **Values.** A record and an orphan are values. A store returns a value that is equal to the one that it kept, with
    every ``raw`` in it. ``encode`` and ``decode`` convert both to JSON and back. A store finds records by
    ``start_id``, ``dedupe_key``, ``api_id``, ``recording_id``, ``due_at``, ``state``, ``conference_name`` and
    ``updated_at``, and reads ``version`` and ``created_at``. It does not interpret any other attribute. All times are
    aware.

    **Durability.** When a method returns, its change is durable. If a method cannot do its work, it raises
    ``StoreError``, and what was kept before is not affected. If a caller is cancelled, the store stays consistent; the
    change of the cancelled call may still be made, at once or a moment later.

    **Lifetime.** A new store is open. After `aclose`, every method except `open` and `aclose` raises ``ClosedError``
    until `open` is called.

    **Event loops and processes.** A store object belongs to one event loop at a time. It may be used in another event
    loop after the first one has ended. While the first one is running, every method except `open` and `aclose` raises
    ``ConfigurationError`` in another event loop. Several store objects, also in several processes, may share what they
    keep.
    """

    async def open(self) -> None:
        """Accept calls again after `aclose`, in this event loop or in another one.

        Opening a store that is open has no effect.
        """
        ...

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        """Keep a new record, unless a record with the same ``start_id`` or ``dedupe_key`` is kept already.

        Of several concurrent calls with the same key, exactly one keeps its record; the others return that record.

        Args:
            record: The record. If its ``dedupe_key`` is None, only its ``start_id`` is compared.

        Returns:
            ``record`` if it was kept, otherwise the record that was kept before.

        Raises:
            StoreError: The record could not be kept, or the record that was kept before cannot be read.
        """
        ...

    async def get(self, start_id: str) -> FollowedRecording | None:
        """Return the current record of a start.

        Args:
            start_id: The tracker's ID of the start.

        Returns:
            The record. If None, there is no such record.

        Raises:
            StoreError: The record cannot be read.
        """
        ...

    async def replace(self, record: FollowedRecording) -> bool:
        """Replace a record by its next version, if no other change has been made in the meantime.

        The comparison of the versions and the change are one atomic operation (compare-and-swap). Of several concurrent
        calls with the same version, exactly one succeeds.

        Args:
            record: The next version. Its ``version`` must be greater by one than that of the record that is kept.

        Returns:
            Whether the record was replaced. If False, nothing was changed, because the record that is kept has another
            version or does not exist.

        Raises:
            StoreError: The record could not be kept.
        """
        ...

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        """Return the record with a given Plivo ID.

        Args:
            kind: The attribute of the record: ``"api_id"`` or ``"recording_id"``.
            value: The ID.

        Returns:
            The record. If several records have the ID, the one with the earliest ``created_at``. If None, there is no
            such record.

        Raises:
            StoreError: The record cannot be read.
        """
        ...

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        """Return the records whose ``due_at`` is not later than ``now``, the earliest ``due_at`` first.

        A record that cannot be read, for example because a newer version of this package wrote it, is left out, so that
        the others can still be processed.

        Args:
            now: The current time.
            limit: The largest number of records to return.
            silent: If True, return only the records for which ``is_silent`` is true. If False, return only the others.
                If None, return both.

        Returns:
            The records.

        Raises:
            StoreError: The store could not be read.
        """
        ...

    async def records(
        self,
        *,
        states: Collection[RecordingState] | None = None,
        conference_name: str | None = None,
        updated_after: datetime | None = None,
        older_than: FollowedRecording | None = None,
        limit: int = 100,
    ) -> Sequence[FollowedRecording]:
        """Return one page of the records that all filters select, the latest ``updated_at`` first.

        Records with the same ``updated_at`` are ordered by ``start_id``. Any total order of texts is suitable, if it is
        always the same.

        The filters and the order use the current version of each record. Several records may have the same
        ``updated_at``, also more of them than one page can contain. A new version of a record may keep ``updated_at``,
        or have an earlier one than the version before.

        The next page is read with the last record of this page as ``older_than``. All pages together contain each
        record exactly once that the filters select and that does not change in the meantime. It does not matter
        which other records are created, replaced or deleted in the meantime. A record that does change may be
        missing, or may be in two pages.

        A record that cannot be read is left out, and the page contains the next one in its place. So a page with fewer
        than ``limit`` records is the last one.

        Args:
            states: Return only the records whose ``state`` is one of these. It may contain a state twice. If it is
                empty, there are no such records. If None, the state does not matter.
            conference_name: Return only the records whose ``conference_name`` is exactly this text. If None, the name
                does not matter.
            updated_after: Return only the records whose ``updated_at`` is at this time or later. If None, the time does
                not matter.
            older_than: Return only the records that come after the position of this one in the order. The position
                consists of its ``updated_at`` and its ``start_id``, as they are in this value. The record itself may
                have been replaced or deleted since it was read. If None, the page is the first one.
            limit: The largest number of records to return, at least 1.

        Returns:
            The records.

        Raises:
            StoreError: The store could not be read.
        """
        ...

    async def counts(self) -> Mapping[RecordingState, int]:
        """Return how many records are in each state.

        The numbers belong to one point in time. Records that cannot be read are counted by the state under which
        they are found.

        Returns:
            The number of records in each state. A state in which there are no records may be left out.

        Raises:
            StoreError: The store could not be read.
        """
        ...

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        """Wait until the version of a record differs from ``version``, and return the record.

        A change by another process is noticed within half a second.

        Args:
            start_id: The tracker's ID of the start.
            version: The version that the caller knows. If the record has another version already, the method returns
                at once.

        Returns:
            The record. If None, there is no such record, or it was deleted during the wait.

        Raises:
            ClosedError: The store is closed, or was closed during the wait.
            StoreError: The record cannot be read.
        """
        ...

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep an orphan, unless one with the same digest is kept already, or it belongs to a start that was forgotten.

        It belongs to such a start if it has the ``start_id``, the ``api_id`` or the ``recording_id`` of that start.

        Of each ``start_id``, the latest ``MAX_ORPHANS_PER_START`` orphans are kept; of orphans without a ``start_id``,
        the latest ``MAX_ORPHANS_WITHOUT_START``. Older ones are deleted.

        Args:
            orphan: The orphan.

        Returns:
            Whether the orphan was kept.

        Raises:
            StoreError: The orphan could not be kept.
        """
        ...

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the orphans, the latest one first.

        An orphan that cannot be read is left out.

        Args:
            limit: The largest number of orphans to return.

        Returns:
            The orphans, in the reverse order of the calls that kept them.

        Raises:
            StoreError: The store could not be read.
        """
        ...

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        """Erase a record, and all orphans that have its ``start_id``, its ``api_id`` or its ``recording_id``.

        Nothing of them remains in what the store has written to a disk. Until `prune` is called,
        the store remembers that the start was forgotten, so that late callbacks are not kept. It remembers the IDs in a
        form that does not reveal them, such as ``hash_ids`` returns.

        Args:
            start_id: The tracker's ID of the start.
            now: The current time.

        Returns:
            Whether a record or an orphan was erased, or the start had been forgotten before.

        Raises:
            StoreError: Not everything could be erased. Call the method again.
        """
        ...

    async def prune(self, before: datetime) -> int:
        """Delete the inactive records that were last updated before a time.

        A record is inactive if its ``due_at`` is None. The method also deletes the orphans that were received before
        that time, and ends the memory of starts that were forgotten before that time.

        Args:
            before: The time.

        Returns:
            The number of deleted records.

        Raises:
            StoreError: Not everything could be deleted.
        """
        ...

    async def check(self) -> None:
        """Commit a transaction that changes nothing, to prove that the store can commit.

        Raises:
            StoreError: The store cannot commit.
        """
        ...

    async def aclose(self) -> None:
        """Finish the calls that were begun, end all calls of `watch` with ``ClosedError``, and release all resources.

        Closing a store that is closed has no effect.
        """
        ...
