"""`PostgresStore`, which keeps followed recordings in a PostgreSQL database.

One thread uses one connection. All calls that are waiting when a batch begins share its round trips and its commit.
Records are decoded in the thread too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from plivo_record_async import _clock
from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.stores.batching.store import BatchedStore
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
    StoreObserver,
)
from plivo_record_async.stores.postgres import queries
from plivo_record_async.stores.postgres.connection import Address
from plivo_record_async.stores.postgres.database import Database
from plivo_record_async.stores.postgres.rows import column, orphan_row, row
from plivo_record_async.stores.postgres.schema import schema_name
from plivo_record_async.stores.postgres.statements import STATES, Statements

__all__ = ["PostgresStore"]


class PostgresStore(BatchedStore):
    """A ``Store`` that keeps followed recordings in a PostgreSQL database, for any number of processes and machines.

    What a method stored is durable as soon as PostgreSQL has committed it. All processes that follow the same
    recordings use the same database and schema, each with a store object of its own. A store object uses one
    connection, also through PgBouncer in transaction mode. If the connection is lost, the next call connects again. A
    call that gets no answer raises ``StoreError`` after about ten seconds.

    The store needs PostgreSQL 12 or newer, and the extra ``postgres``.

    A store object may be used in one event loop after another. The end of an event loop closes the connection.

    Args:
        conninfo: The address of the database: a ``postgresql://`` URL, or a connection string of libpq. The password
            appears in no error, no log entry and no ``repr``.
        schema: The name of the schema that contains the tables. Several independent stores may share a database if each
            has a schema of its own.
        migrate: If true, the first call creates the schema and its tables if they do not exist, and migrates them if
            they are older. If false, it raises ``StoreError`` instead, so that the user of the program needs no
            permission to change tables; ``plivo-record db migrate`` migrates them.
        observer: A function that is called after each change (``StoreObserver``). If None, no function is called.

    Raises:
        ConfigurationError: The extra ``postgres`` is not installed. Importing the class raises this error.
        ValueError: ``conninfo`` is not an address, or PostgreSQL cannot use ``schema`` as a name.
        TypeError: An argument has the wrong type.
    """

    _row = staticmethod(row)
    _column = staticmethod(column)

    def __init__(
        self,
        conninfo: str,
        *,
        schema: str = "plivo_record",
        migrate: bool = True,
        observer: StoreObserver | None = None,
    ) -> None:
        self._address = Address(conninfo)
        self._sql = Statements(schema_name(schema))
        self._database = Database(self._address, self._sql, migrate=migrate)
        super().__init__(self._database, observer)
        self._owner = _clock.new_id()

    def __repr__(self) -> str:
        return f"PostgresStore({str(self._address)!r}, schema={self._sql.schema!r})"

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        """Keep a new record, unless a record with the same ``start_id`` or ``dedupe_key`` is kept already.

        Args:
            record: The record.

        Returns:
            ``record`` if it was kept, otherwise the record that was kept before.
        """
        kept: FollowedRecording = await self._write(
            partial(queries.create, record, row(record)),
            lambda kept: RecordCreated(record=record) if kept is record else None,
        )
        return kept

    async def get(self, start_id: str) -> FollowedRecording | None:
        """Return the current record of a start.

        Args:
            start_id: The tracker's ID of the start.

        Returns:
            The record. If None, there is no such record.
        """
        record: FollowedRecording | None = await self._worker.submit(partial(queries.get, column(start_id)))
        return record

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        """Return the record with an ID of Plivo's.

        Args:
            kind: The attribute of the record: ``"api_id"`` or ``"recording_id"``.
            value: The ID.

        Returns:
            The record that was created first. If None, there is no such record.
        """
        record: FollowedRecording | None = await self._worker.submit(partial(queries.find, kind, value))
        return record

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        """Return records whose ``due_at`` is not later than ``now``, the earliest ``due_at`` first, and claim them.

        Other store objects do not return a claimed record for five seconds, or until it is replaced, so several
        processes do not do the same work. This store object returns it again. A record that cannot be read is left out
        and not claimed. A WARNING is logged the first time.

        Args:
            now: The current time.
            limit: The largest number of records to return.
            silent: If True, return only the records for which ``is_silent`` is true. If False, return only the others.
                If None, return both.

        Returns:
            The records that no other store object has claimed.
        """
        kinds = [True, False] if silent is None else [silent]
        work = partial(queries.claim_due, now, kinds, limit, self._owner)
        values: list[FollowedRecording | StoreError] = await self._worker.submit(work, writes=True)
        return list(self._without_unreadable(values))

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

        A record that cannot be read is left out. A WARNING is logged the first time.

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
        page = queries.Page(
            states=STATES if states is None else set(states),
            conference_name=None if conference_name is None else column(conference_name),
            updated_after=updated_after,
            before=None if older_than is None else (older_than.updated_at.isoformat(), column(older_than.start_id)),
            limit=limit,
        )
        values: list[FollowedRecording | StoreError] = await self._worker.submit(partial(queries.read_page, page))
        return list(self._without_unreadable(values))

    async def counts(self) -> Mapping[RecordingState, int]:
        """Return how many records are in each state.

        Returns:
            The number of records in each state that occurs.
        """
        numbers: dict[RecordingState, int] = await self._worker.submit(queries.count_by_state)
        return numbers

    async def first_dedupe_key(self, prefix: str) -> str | None:
        """Return the smallest dedupe key that begins with a prefix.

        Args:
            prefix: The beginning of the key, in ASCII.

        Returns:
            The key. If None, no record has such a key.
        """
        key: str | None = await self._worker.submit(partial(queries.first_dedupe_key, prefix))
        return key

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep an orphan, unless one with the same digest is kept already, or it belongs to a start that was forgotten.

        Args:
            orphan: The orphan.

        Returns:
            Whether the orphan was kept.
        """
        limit = MAX_ORPHANS_WITHOUT_START if orphan.start_id is None else MAX_ORPHANS_PER_START
        kept: bool = await self._write(
            partial(queries.keep_orphan, orphan_row(orphan), limit),
            lambda kept: OrphanKept(orphan=orphan) if kept else None,
        )
        return kept

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the orphans, the latest one first.

        An orphan that cannot be read is left out. A WARNING is logged the first time.

        Args:
            limit: The largest number of orphans to return.

        Returns:
            The orphans.
        """
        work = partial(queries.read_each, Orphan, self._sql.latest_orphans, (limit,))
        values: list[Orphan | StoreError] = await self._worker.submit(work)
        return list(self._without_unreadable(values))

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        """Erase a record and its orphans from the tables, and remember that the start was forgotten.

        No statement can read the erased data any more. PostgreSQL overwrites deleted rows later (``VACUUM``). Its
        write-ahead log and your backups contain them until they are deleted.

        Args:
            start_id: The tracker's ID of the start.
            now: The current time.

        Returns:
            Whether a record or an orphan was erased, or the start had been forgotten before.
        """
        erased: queries.Erasure = await self._write(
            partial(self._database.forget, start_id, now),
            lambda erased: RecordForgotten(start_id=start_id) if erased == "now" else None,
        )
        return erased != "never"

    async def prune(self, before: datetime) -> int:
        """Delete the inactive records that were last updated before a time, and the orphans received before it.

        The deletion is divided into several transactions, so that no other write waits long.

        Args:
            before: The time.

        Returns:
            The number of deleted records.
        """
        await self._prune(self._sql.prune_orphans, before, lambda count: Pruned(orphans=count) if count else None)
        await self._prune(self._sql.prune_forgotten, before, lambda _: None)
        return await self._prune(self._sql.prune, before, lambda count: Pruned(records=count) if count else None)

    async def check(self) -> None:
        """Commit the time of the check, to prove that the store can commit.

        Raises:
            StoreError: The store cannot commit.
        """
        await self._worker.submit(queries.check, writes=True)
