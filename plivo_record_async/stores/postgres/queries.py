"""The jobs that read the database and write to it, one function each.

A job is a generator. It yields a statement, and receives its result. The statements of all jobs that wait at the same
time share one round trip, and jobs of the same kind share one statement.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeVar

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.stores.encoding import StoredT, decode
from plivo_record_async.stores.id_hashes import hash_ids
from plivo_record_async.stores.interface import FollowedRecording, PlivoId
from plivo_record_async.stores.postgres.rows import OrphanRow, Row, column, json_of
from plivo_record_async.stores.postgres.statements import Statements

__all__ = [
    "Element",
    "Erasure",
    "Page",
    "Statement",
    "Work",
    "check",
    "claim_due",
    "count_by_state",
    "create",
    "delete_old",
    "find",
    "first_dedupe_key",
    "forget",
    "get",
    "keep_orphan",
    "read_each",
    "read_page",
    "replace",
    "replace_returning",
]

ResultT = TypeVar("ResultT")

Erasure = Literal["now", "before", "never"]
"""When a start was erased: by this call, by an earlier call, or never."""

_CLAIM_SECONDS: Final = 5.0
"""How long a due record is not returned to other stores, in seconds, unless it changes before."""

_FIRST: Final = ""
_LAST: Final = "\x7f"  # after all columns, which are ASCII


class Statement(NamedTuple):
    """A statement.

    Attributes:
        text: The SQL.
        parameters: Its parameters.
        lock: What the statement locks. All transactions lock in the same order, so they do not wait for each other in
            a circle.
    """

    text: str
    parameters: Sequence[Any] = ()
    lock: str = _FIRST


class Element(NamedTuple):
    """The part of one job in a statement that serves several jobs.

    The result is the row that the statement returned for the key. If None, it returned none.

    Attributes:
        text: The SQL. Its parameter is a JSON array, and the first column of its result is the key.
        key: The key. A statement serves only jobs with different keys.
        json: The element of the array.
        lock: What the statement locks.
    """

    text: str
    key: str
    json: str
    lock: str = _FIRST


Work = Generator[Statement | Element, Any, ResultT]
"""A job: it yields statements, receives a cursor for each `Statement` and a row for each `Element`, and returns."""


class Page(NamedTuple):
    """The filters of one page of records, as the columns contain them."""

    states: Collection[str]
    conference_name: str | None
    updated_after: datetime | None
    before: tuple[str, str] | None
    limit: int


def create(record: FollowedRecording, row: Row, sql: Statements) -> Work[FollowedRecording]:
    """Insert a new record, unless a record with the same ``start_id`` or ``dedupe_key`` exists.

    Returns:
        The record itself if it was inserted, otherwise the record that exists.

    Raises:
        StoreError: The record that exists cannot be read.
    """
    element = Element(sql.insert, row.start_id, json_of(row), row.dedupe_key or row.start_id)
    while (yield element) is None:
        existing = (yield Statement(sql.existing, (row.start_id, row.dedupe_key))).fetchone()
        if existing is not None:  # otherwise another process has deleted it since
            return decode(existing[0], FollowedRecording)
    return record


def replace(row: Row, sql: Statements) -> Work[bool]:
    """Update a record if its stored version is the one before the row's, and return whether it was updated."""
    return (yield Element(sql.replace, row.start_id, json_of(row), row.start_id)) is not None


def replace_returning(row: Row, sql: Statements) -> Work[FollowedRecording | None]:
    """Update a record as `replace` does, and return the previous version, or None if it was not updated.

    Raises:
        StoreError: The previous version cannot be read.
    """
    before = yield from get(row.start_id, sql)
    return before if (yield from replace(row, sql)) else None


def get(key: str, sql: Statements) -> Work[FollowedRecording | None]:
    """Return the record with a ``start_id``, as its column contains it, or None."""
    found = yield Element(sql.get, key, json_of(key))
    return None if found is None else decode(found[1], FollowedRecording)


def find(kind: PlivoId, value: str, sql: Statements) -> Work[FollowedRecording | None]:
    """Return the record with an ID of Plivo's, or None."""
    found = (yield Statement(sql.find[kind], (column(value),))).fetchone()
    return None if found is None else decode(found[0], FollowedRecording)


def read_each(
    cls: type[StoredT], query: str, parameters: Sequence[Any], _: Statements
) -> Work[list[StoredT | StoreError]]:
    """Return all values that a query finds, with an error in place of each value that cannot be read."""
    return [_read(text, cls) for (text,) in (yield Statement(query, parameters))]


def claim_due(
    now: datetime, kinds: list[bool], limit: int, owner: str, sql: Statements
) -> Work[list[FollowedRecording | StoreError]]:
    """Claim records that are due, so that no other store returns them for a time.

    Args:
        now: The time that decides which records are due.
        kinds: The values of ``silent`` of the records.
        limit: The largest number of readable records.
        owner: The store. Its own claims do not prevent it from claiming a record again.
        sql: The statements.

    Returns:
        The records, and an error in place of each record that cannot be read. Such a record is not claimed, so that
        another process with a newer version of this package can process it.
    """
    values: list[FollowedRecording | StoreError] = []
    seen: list[str] = []
    unreadable: list[str] = []
    wanted = limit
    while wanted > 0:
        parameters = (kinds, now, seen, owner, wanted, owner, _CLAIM_SECONDS)
        rows = (yield Statement(sql.claim, parameters, _LAST)).fetchall()
        for start_id, _, text in sorted(rows, key=lambda each: (each[1], each[0])):
            values.append(value := _read(text, FollowedRecording))
            seen.append(start_id)
            if isinstance(value, StoreError):
                unreadable.append(start_id)
        wanted = 0 if len(rows) < wanted else limit - len(seen) + len(unreadable)
    if unreadable:
        yield Statement(sql.release, (unreadable, owner), _LAST)
    return values


def read_page(page: Page, sql: Statements) -> Work[list[FollowedRecording | StoreError]]:
    """Return a page of records, the latest first, with an error in place of each record that cannot be read.

    An error does not count for the limit of the page.
    """
    values: list[FollowedRecording | StoreError] = []
    before, wanted = page.before, page.limit
    while wanted > 0:
        parameters = (
            *(list(page.states), page.conference_name, page.conference_name, page.updated_after, page.updated_after),
            *(before and before[0], before and before[0], before and before[1], wanted, wanted),
        )
        rows = (yield Statement(sql.page, parameters)).fetchall()
        read = [_read(text, FollowedRecording) for _, _, text in rows]
        values += read
        is_last = len(rows) < wanted
        wanted = 0 if is_last else wanted - sum(not isinstance(value, StoreError) for value in read)
        before = before if is_last else (rows[-1][0], rows[-1][1])
    return values


def first_dedupe_key(prefix: str, sql: Statements) -> Work[str | None]:
    """Return the smallest dedupe key that begins with a prefix in ASCII, or None."""
    first = column(prefix)
    found = (yield Statement(sql.first_dedupe_key, (first, first + "\x7f"))).fetchone()
    return None if found is None else str(json.loads(f'"{found[0]}"'))


def count_by_state(sql: Statements) -> Work[dict[RecordingState, int]]:
    """Return the number of records in each state that occurs."""
    return dict((yield Statement(sql.counts)).fetchall())


def keep_orphan(row: OrphanRow, limit: int, sql: Statements) -> Work[bool]:
    """Insert an orphan, unless its digest is stored already or one of its IDs was erased.

    Args:
        row: The orphan.
        limit: The largest number of orphans of its start. The oldest ones beyond this number are deleted.
        sql: The statements.

    Returns:
        Whether it was inserted.
    """
    yield Statement(sql.lock_orphans, (sql.schema,))
    if (yield Statement(sql.keep_orphan, row)).rowcount != 1:
        return False
    yield Statement(sql.drop_oldest_orphans, (row.start_id, limit))
    return True


def forget(start_id: str, now: datetime, sql: Statements) -> Work[Erasure]:
    """Delete a record and its orphans, and store hashes of its IDs.

    Args:
        start_id: The start.
        now: The current time.
        sql: The statements.

    Returns:
        When the start was erased.
    """
    yield Statement(sql.lock_orphans, (sql.schema,))
    key = column(start_id)
    ids = (yield Statement(sql.forget, (key,))).fetchone()
    api_id, recording_id = ids or (None, None)
    orphans = (yield Statement(sql.forget_orphans, (key, api_id, recording_id))).rowcount
    hashes = hash_ids(start_id=key, api_id=api_id, recording_id=recording_id)
    if ids is None and orphans == 0:
        return "never" if (yield Statement(sql.is_forgotten, hashes[:1])).fetchone() is None else "before"
    yield Statement(sql.remember_forgotten, (list(hashes), now))
    return "now"


def delete_old(query: str, before: datetime, limit: int) -> Work[int]:
    """Delete at most ``limit`` rows that are older than ``before``, and return how many were deleted."""
    deleted: int = (yield Statement(query, (before, limit), _LAST)).rowcount
    return deleted


def check(sql: Statements) -> Work[None]:
    """Write the time of the check. The commit proves that the database can be written."""
    yield Statement(sql.check, (), "\x01")  # after the lock of the orphans


def _read(text: str, cls: type[StoredT]) -> StoredT | StoreError:
    try:
        return decode(text, cls)
    except StoreError as error:
        return error
