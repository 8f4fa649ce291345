"""`MemoryStore`, which keeps followed recordings in the memory of this process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice

from plivo_record_async._event_loop import LoopBinding
from plivo_record_async.errors import ClosedError
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.stores.id_hashes import hash_ids
from plivo_record_async.stores.interface import (
    MAX_ORPHANS_PER_START,
    MAX_ORPHANS_WITHOUT_START,
    FollowedRecording,
    Orphan,
    OrphanKept,
    PlivoId,
    Pruned,
    RecordCreated,
    RecordForgotten,
    RecordReplaced,
    StoreObserver,
)
from plivo_record_async.stores.observable import ObservableStore
from plivo_record_async.stores.record_index import RecordIndex

__all__ = ["MemoryStore"]


class MemoryStore(ObservableStore):
    """A ``Store`` that keeps followed recordings in memory and loses them when the process ends.

    It is intended for tests, and for programs that may lose their recordings at a restart. It may be used in one event
    loop after another. It keeps its recordings when it is closed and entered again. Other processes do not see them.

    Args:
        observer: A function that is called after each change (``StoreObserver``). If None, no function is called.
    """

    def __init__(self, *, observer: StoreObserver | None = None) -> None:
        super().__init__(observer)
        self._records = RecordIndex()
        self._orphans: dict[str, Orphan] = {}
        self._digests: defaultdict[str | None, dict[str, None]] = defaultdict(dict)
        self._forgotten: dict[str, datetime] = {}
        self._watchers: dict[str, set[asyncio.Future[None]]] = {}
        self._binding = LoopBinding("MemoryStore()")
        self._closed = False

    def __repr__(self) -> str:
        return "MemoryStore()"

    async def open(self) -> None:
        """Accept calls again after `aclose`. The store still has its records."""
        self._closed = False

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        """Keep a new record, unless a record with the same ``start_id`` or ``dedupe_key`` is kept already.

        Args:
            record: The record.

        Returns:
            ``record`` if it was kept, otherwise the record that was kept before.
        """
        self._check_open()
        existing = self._records.existing(record)
        if existing is not None:
            return existing
        self._keep(record)
        self._report(RecordCreated(record=record))
        return record

    async def get(self, start_id: str) -> FollowedRecording | None:
        """Return the current record of a start.

        Args:
            start_id: The tracker's ID of the start.

        Returns:
            The record. If None, there is no such record.
        """
        self._check_open()
        return self._records.get(start_id)

    async def replace(self, record: FollowedRecording) -> bool:
        """Replace a record by its next version, if no other change has been made in the meantime.

        Args:
            record: The next version. Its ``version`` must be greater by one than that of the record that is kept.

        Returns:
            Whether the record was replaced.
        """
        self._check_open()
        before = self._records.get(record.start_id)
        if before is None or before.version != record.version - 1:
            return False
        self._keep(record)
        self._report(RecordReplaced(before=before, after=record))
        return True

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        """Return the record with a given Plivo ID.

        Args:
            kind: The attribute of the record: ``"api_id"`` or ``"recording_id"``.
            value: The ID.

        Returns:
            The record. If several records have the ID, the one with the earliest ``created_at``. If None, there is no
            such record.
        """
        self._check_open()
        return self._records.find(kind, value)

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        """Return the records whose ``due_at`` is not later than ``now``, the earliest ``due_at`` first.

        Args:
            now: The current time.
            limit: The largest number of records to return.
            silent: If True, return only the records for which ``is_silent`` is true. If False, return only the others.
                If None, return both.

        Returns:
            The records.
        """
        self._check_open()
        return list(islice(self._records.due(now, silent=silent), limit))

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

        Args:
            states: Return only the records in one of these states. If None, the state does not matter.
            conference_name: Return only the records of this conference. If None, the name does not matter.
            updated_after: Return only the records that were last updated at this time or later. If None, the time does
                not matter.
            older_than: The last record of the previous page. If None, the page is the first one.
            limit: The largest number of records to return.

        Returns:
            The records. If there are fewer than ``limit``, the page is the last one.
        """
        self._check_open()
        found = self._records.newest_first(
            states=states, conference_name=conference_name, updated_after=updated_after, older_than=older_than
        )
        return list(islice(found, limit))

    async def counts(self) -> Mapping[RecordingState, int]:
        """Return how many records are in each state.

        Returns:
            The number of records in each state that occurs.
        """
        self._check_open()
        return self._records.counts()

    async def first_dedupe_key(self, prefix: str) -> str | None:
        """Return the smallest dedupe key that begins with a prefix.

        Args:
            prefix: The beginning of the key, in ASCII.

        Returns:
            The key. If None, no record has such a key.
        """
        self._check_open()
        return self._records.first_dedupe_key(prefix)

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        """Wait until the version of a record differs from ``version``, and return the record.

        Args:
            start_id: The tracker's ID of the start.
            version: The version that the caller knows.

        Returns:
            The record. If None, there is no such record, or it was deleted during the wait.

        Raises:
            ClosedError: The store is closed, or was closed during the wait.
        """
        self._check_open()
        while (record := self._records.get(start_id)) is not None and record.version == version:
            changed = asyncio.get_running_loop().create_future()
            watchers = self._watchers.setdefault(start_id, set())
            watchers.add(changed)
            try:
                await changed
            finally:
                watchers.discard(changed)
                if not watchers and self._watchers.get(start_id) is watchers:
                    del self._watchers[start_id]
        return record

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep an orphan, unless one with the same digest is kept already, or it belongs to a start that was forgotten.

        Of each ``start_id``, the latest ``MAX_ORPHANS_PER_START`` orphans are kept; of orphans without a ``start_id``,
        the latest ``MAX_ORPHANS_WITHOUT_START``. Older ones are deleted.

        Args:
            orphan: The orphan.

        Returns:
            Whether the orphan was kept.
        """
        self._check_open()
        if orphan.digest in self._orphans or not self._forgotten.keys().isdisjoint(_hash_ids_of(orphan)):
            return False
        self._orphans[orphan.digest] = orphan
        digests = self._digests[orphan.start_id]
        digests[orphan.digest] = None
        if len(digests) > (MAX_ORPHANS_WITHOUT_START if orphan.start_id is None else MAX_ORPHANS_PER_START):
            self._drop_orphan(self._orphans[next(iter(digests))])
        self._report(OrphanKept(orphan=orphan))
        return True

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the orphans, the latest one first.

        Args:
            limit: The largest number of orphans to return.

        Returns:
            The orphans.
        """
        self._check_open()
        return list(islice(reversed(self._orphans.values()), limit))

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        """Erase a record and its orphans.

        Until `prune` is called, the store remembers that the start was forgotten, so that late callbacks are not kept.

        Args:
            start_id: The tracker's ID of the start.
            now: The current time.

        Returns:
            Whether a record or an orphan was erased, or the start had been forgotten before.
        """
        self._check_open()
        record = self._records.get(start_id)
        hashes = hash_ids(
            start_id=start_id,
            api_id=None if record is None else record.api_id,
            recording_id=None if record is None else record.recording_id,
        )
        orphans = [each for each in self._orphans.values() if not set(hashes).isdisjoint(_hash_ids_of(each))]
        if record is None and not orphans:
            return hashes[0] in self._forgotten
        for orphan in orphans:
            self._drop_orphan(orphan)
        if record is not None:
            self._delete(record)
        self._forgotten |= dict.fromkeys(hashes, now)
        self._report(RecordForgotten(start_id=start_id))
        return True

    async def prune(self, before: datetime) -> int:
        """Delete the inactive records that were last updated before a time, and the orphans received before it.

        The method also ends the memory of starts that were forgotten before that time.

        Args:
            before: The time.

        Returns:
            The number of deleted records.
        """
        self._check_open()
        records = [record for record in self._records if record.due_at is None and record.updated_at < before]
        orphans = [orphan for orphan in self._orphans.values() if orphan.received_at < before]
        for record in records:
            self._delete(record)
        for orphan in orphans:
            self._drop_orphan(orphan)
        self._forgotten = {each: at for each, at in self._forgotten.items() if at >= before}
        if records or orphans:
            self._report(Pruned(records=len(records), orphans=len(orphans)))
        return len(records)

    async def check(self) -> None:
        """Check that the store is open. Memory can always be written.

        Raises:
            ClosedError: The store is closed.
        """
        self._check_open()

    async def aclose(self) -> None:
        """End all calls of `watch` with ``ClosedError``. The store keeps its records."""
        self._closed = True
        if not self._binding.is_forked:  # the futures of a forked process belong to its parent
            self._end_watching()
            self._binding.unbind()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("MemoryStore() is closed; enter it again with `async with` to continue")
        if self._binding.bind():  # to a new event loop, so the calls of `watch` in an earlier one end
            self._end_watching()

    def _end_watching(self) -> None:
        watching, self._watchers = self._watchers, {}
        for changed in (future for futures in watching.values() for future in futures):
            with suppress(RuntimeError):  # the event loop is closed, so nobody waits for the future
                changed.get_loop().call_soon_threadsafe(_fail, changed)

    def _keep(self, record: FollowedRecording) -> None:
        self._records.put(record)
        self._wake(record.start_id)

    def _delete(self, record: FollowedRecording) -> None:
        self._records.remove(record)
        self._wake(record.start_id)

    def _drop_orphan(self, orphan: Orphan) -> None:
        del self._orphans[orphan.digest]
        digests = self._digests[orphan.start_id]
        del digests[orphan.digest]
        if not digests:
            del self._digests[orphan.start_id]

    def _wake(self, start_id: str) -> None:
        for changed in self._watchers.get(start_id, ()):
            if not changed.done():
                changed.set_result(None)


def _fail(changed: asyncio.Future[None]) -> None:
    if not changed.done():
        changed.set_exception(ClosedError("MemoryStore() was closed during a call of watch()"))


def _hash_ids_of(orphan: Orphan) -> tuple[str, ...]:
    return hash_ids(start_id=orphan.start_id, api_id=orphan.api_id, recording_id=orphan.recording_id)
