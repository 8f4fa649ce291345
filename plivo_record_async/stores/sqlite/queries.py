"""The jobs that read the SQLite file and write to it, one function each."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.stores.encoding import StoredT, decode
from plivo_record_async.stores.id_hashes import hash_ids
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.stores.sqlite import statements as sql

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "Erasure",
    "count_by_state",
    "create",
    "delete_old",
    "empty_journal",
    "first_dedupe_key",
    "forget",
    "keep_orphan",
    "read_each",
    "read_one",
    "read_value",
    "replace",
    "replace_returning",
    "rewrite_version",
    "versions",
]

Erasure = Literal["now", "before", "never"]
"""When a start was erased: by this call, by an earlier call, or never."""


def create(record: FollowedRecording, row: sql.Row, connection: sqlite3.Connection) -> FollowedRecording:
    """Insert a new record, unless a record with the same ``start_id`` or ``dedupe_key`` exists.

    Args:
        record: The record.
        row: Its row.
        connection: The database.

    Returns:
        The record itself if it was inserted, otherwise the record that exists.

    Raises:
        StoreError: The record that exists cannot be read.
    """
    if connection.execute(sql.INSERT, row).rowcount == 1:
        return record
    [existing] = _values(sql.SELECT_EXISTING, (row.start_id, row.dedupe_key), connection)
    return decode(existing, FollowedRecording)


def replace(row: sql.Row, connection: sqlite3.Connection) -> bool:
    """Update a record if its stored version is the one before the row's, and return whether it was updated."""
    return connection.execute(sql.REPLACE, (*row[2:], row.start_id, row.version - 1)).rowcount == 1


def replace_returning(row: sql.Row, connection: sqlite3.Connection) -> FollowedRecording | None:
    """Update a record as `replace` does, and return the previous version, or None if it was not updated.

    Raises:
        StoreError: The previous version cannot be read.
    """
    texts = _values(sql.GET, (row.start_id,), connection)
    return decode(texts[0], FollowedRecording) if replace(row, connection) else None


def keep_orphan(row: sql.OrphanRow, limit: int, connection: sqlite3.Connection) -> bool:
    """Insert an orphan, unless its digest is stored already or one of its IDs was erased.

    Args:
        row: The orphan.
        limit: The largest number of orphans of its start. The oldest ones beyond this number are deleted.
        connection: The database.

    Returns:
        Whether it was inserted.
    """
    if connection.execute(sql.KEEP_ORPHAN, row).rowcount != 1:
        return False
    connection.execute(sql.DROP_OLDEST_ORPHANS, (row.start_id, limit))
    return True


def forget(start_id: str, now: int, connection: sqlite3.Connection) -> Erasure:
    """Delete a record and its orphans, and store hashes of its IDs.

    Args:
        start_id: The start.
        now: The current time, in microseconds since 1970.
        connection: The database.

    Returns:
        When the start was erased.
    """
    ids = connection.execute(sql.PLIVO_IDS, (start_id,)).fetchone()
    api_id, recording_id = ids or (None, None)
    deleted = connection.execute(sql.FORGET, (start_id,)).rowcount
    deleted += connection.execute(sql.FORGET_ORPHANS, (start_id, api_id, recording_id)).rowcount
    hashes = hash_ids(start_id=start_id, api_id=api_id, recording_id=recording_id)
    if not deleted:
        return "never" if connection.execute(sql.FORGOTTEN, hashes[:1]).fetchone() is None else "before"
    connection.executemany(sql.REMEMBER_FORGOTTEN, [(each, now) for each in hashes])
    return "now"


def empty_journal(path: str, connection: sqlite3.Connection) -> None:
    """Move the contents of the journal into the file, and truncate the journal to nothing.

    Args:
        path: The path of the file, for the error message.
        connection: The database.

    Raises:
        StoreError: Another process is reading the journal.
    """
    [(is_busy, *_)] = connection.execute(sql.EMPTY_JOURNAL)
    if is_busy:
        raise StoreError(
            f"{path}: the erased data is still in the journal, because another process is reading the journal; call "
            "forget() again when that process has finished reading"
        )


def delete_old(statement: str, before: int, limit: int, connection: sqlite3.Connection) -> int:
    """Delete at most ``limit`` rows that are older than ``before``, and return how many were deleted."""
    return connection.execute(statement, (before, limit)).rowcount


def read_one(query: str, key: str, connection: sqlite3.Connection) -> FollowedRecording | None:
    """Return the first record that a query finds, or None."""
    texts = _values(query, (key,), connection)
    return decode(texts[0], FollowedRecording) if texts else None


def read_each(
    cls: type[StoredT], query: str, parameters: tuple[Any, ...], connection: sqlite3.Connection
) -> list[StoredT | StoreError]:
    """Return all values that a query finds, with an error in place of each value that cannot be read."""
    return [read_value(text, cls) for text in _values(query, parameters, connection)]


def read_value(text: str, cls: type[StoredT]) -> StoredT | StoreError:
    """Return the value that a text contains, or the error if it cannot be read."""
    try:
        return decode(text, cls)
    except StoreError as error:
        return error


def count_by_state(connection: sqlite3.Connection) -> dict[RecordingState, int]:
    """Return the number of records in each state that occurs."""
    return dict(connection.execute(sql.COUNTS))


def first_dedupe_key(prefix: str, connection: sqlite3.Connection) -> str | None:
    """Return the smallest dedupe key that begins with a prefix in ASCII, or None."""
    found = _values(sql.FIRST_DEDUPE_KEY, (prefix, prefix + "\x7f"), connection)
    return found[0] if found else None


def versions(start_ids: Collection[str], connection: sqlite3.Connection) -> dict[str, int]:
    """Return the version of each of these records that exists."""
    return dict(connection.execute(sql.VERSIONS, (json.dumps(list(start_ids)),)))


def rewrite_version(connection: sqlite3.Connection) -> None:
    """Write the version of the schema without a change. The commit proves that the file can be written."""
    [(version,)] = connection.execute("PRAGMA user_version")
    connection.execute(f"PRAGMA user_version = {version}")


def _values(query: str, parameters: tuple[Any, ...], connection: sqlite3.Connection) -> list[str]:
    return [value for (value,) in connection.execute(query, parameters)]
