"""The SQL statements, the rows that they store, and hints for SQLite's errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.schedule import is_silent
from plivo_record_async.stores.encoding import encode, to_microseconds
from plivo_record_async.stores.id_hashes import hash_ids
from plivo_record_async.stores.interface import FollowedRecording, Orphan, PlivoId

__all__ = [
    "BY_PLIVO_ID",
    "COUNTS",
    "DROP_OLDEST_ORPHANS",
    "DUE",
    "EMPTY_JOURNAL",
    "ERROR_HINTS",
    "FIRST_DEDUPE_KEY",
    "FORGET",
    "FORGET_ORPHANS",
    "FORGOTTEN",
    "GET",
    "INSERT",
    "KEEP_ORPHAN",
    "LATEST_ORPHANS",
    "NOT_OPENED",
    "PLIVO_IDS",
    "PRUNE",
    "PRUNE_FORGOTTEN",
    "PRUNE_ORPHANS",
    "REMEMBER_FORGOTTEN",
    "REPLACE",
    "SELECT_EXISTING",
    "VERSIONS",
    "OrphanRow",
    "Row",
    "column",
    "orphan_row",
    "row",
]

NOT_OPENED: Final = frozenset({14, 26})
"""SQLite's result codes for a file that cannot be opened, and for a file that is not a database."""

INSERT: Final = """
    INSERT INTO recording (
        start_id, dedupe_key, version, api_id, recording_id, due_at, updated_at, value, silent, state, conference_name
    )
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
SELECT_EXISTING: Final = "SELECT value FROM recording WHERE start_id = ? OR dedupe_key = ? LIMIT 1"
GET: Final = "SELECT value FROM recording WHERE start_id = ?"
REPLACE: Final = """
    UPDATE recording
    SET version = ?, api_id = ?, recording_id = ?, due_at = ?, updated_at = ?, value = ?, silent = ?, state = ?,
        conference_name = ?
    WHERE start_id = ? AND version = ?
"""
BY_PLIVO_ID: Final[Mapping[PlivoId, str]] = {
    "api_id": "SELECT value FROM recording WHERE api_id = ? ORDER BY rowid LIMIT 1",
    "recording_id": "SELECT value FROM recording WHERE recording_id = ? ORDER BY rowid LIMIT 1",
}
DUE: Final[Mapping[bool | None, str]] = {
    True: "SELECT value FROM recording WHERE silent = 1 AND due_at <= ? ORDER BY due_at, rowid LIMIT ? OFFSET ?",
    False: "SELECT value FROM recording WHERE silent = 0 AND due_at <= ? ORDER BY due_at, rowid LIMIT ? OFFSET ?",
    None: "SELECT value FROM recording WHERE due_at <= ? ORDER BY due_at, rowid LIMIT ? OFFSET ?",
}
FIRST_DEDUPE_KEY: Final = """
    SELECT dedupe_key FROM recording WHERE dedupe_key >= ? AND dedupe_key < ? ORDER BY dedupe_key LIMIT 1
"""
COUNTS: Final = "SELECT state, count(*) FROM recording WHERE state IS NOT NULL GROUP BY state"
VERSIONS: Final = "SELECT start_id, version FROM recording WHERE start_id IN (SELECT value FROM json_each(?))"
PRUNE: Final = """
    DELETE FROM recording WHERE rowid IN (
        SELECT rowid FROM recording WHERE due_at IS NULL AND updated_at < ? LIMIT ?
    )
"""

KEEP_ORPHAN: Final = """
    INSERT INTO orphan (digest, start_id, api_id, recording_id, received_at, value)
    SELECT ?, ?, ?, ?, ?, ?
    WHERE NOT EXISTS (SELECT 1 FROM forgotten WHERE mark IN (SELECT value FROM json_each(?)))
    ON CONFLICT DO NOTHING
"""
DROP_OLDEST_ORPHANS: Final = """
    DELETE FROM orphan WHERE id IN (SELECT id FROM orphan WHERE start_id IS ? ORDER BY id DESC LIMIT -1 OFFSET ?)
"""
LATEST_ORPHANS: Final = "SELECT value FROM orphan ORDER BY id DESC LIMIT ?"
PRUNE_ORPHANS: Final = "DELETE FROM orphan WHERE id IN (SELECT id FROM orphan WHERE received_at < ? LIMIT ?)"

PLIVO_IDS: Final = "SELECT api_id, recording_id FROM recording WHERE start_id = ?"
FORGET: Final = "DELETE FROM recording WHERE start_id = ?"
FORGET_ORPHANS: Final = "DELETE FROM orphan WHERE start_id = ? OR api_id = ? OR recording_id = ?"
FORGOTTEN: Final = "SELECT 1 FROM forgotten WHERE mark = ?"
REMEMBER_FORGOTTEN: Final = "INSERT OR REPLACE INTO forgotten (mark, forgotten_at) VALUES (?, ?)"
PRUNE_FORGOTTEN: Final = """
    DELETE FROM forgotten WHERE rowid IN (SELECT rowid FROM forgotten WHERE forgotten_at < ? LIMIT ?)
"""

EMPTY_JOURNAL: Final = "PRAGMA wal_checkpoint(TRUNCATE)"
"""A statement that moves the contents of the journal into the file and truncates the journal to nothing.

https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
"""

ERROR_HINTS: Final = {
    5: "another process keeps it locked for longer than busy_timeout; try again later",
    8: "it may only be read; give this user write permission for the file and its directory",
    10: "the disk failed; check the log of the system",
    11: "it is damaged; `sqlite3 FILE .recover` may recover a part of it",
    13: "the disk is full; free some space and try again",
    14: "it cannot be opened; check that its directory exists and that this user may write to it",
    26: "it is not an SQLite database, or it is damaged; choose another file",
}
"""What SQLite's primary result codes mean, and what to do: https://www.sqlite.org/rescode.html"""


class Row(NamedTuple):
    """The columns of a record, in the order of the statement that inserts it. The first two never change."""

    start_id: str
    dedupe_key: str | None
    version: int
    api_id: str | None
    recording_id: str | None
    due_at: int | None
    updated_at: int
    value: str
    silent: bool
    state: RecordingState
    conference_name: str


class OrphanRow(NamedTuple):
    """The columns of an orphan, and the hashes of the IDs in it, in the order of the statement that inserts it."""

    digest: str
    start_id: str | None
    api_id: str | None
    recording_id: str | None
    received_at: int
    value: str
    id_hashes: str


def row(record: FollowedRecording) -> Row:
    """Return the row of a record.

    Args:
        record: The record.
    """
    return Row(
        start_id=column(record.start_id),
        dedupe_key=_optional(record.dedupe_key),
        version=record.version,
        api_id=_optional(record.api_id),
        recording_id=_optional(record.recording_id),
        due_at=None if record.due_at is None else to_microseconds(record.due_at),
        updated_at=to_microseconds(record.updated_at),
        value=encode(record),
        silent=is_silent(record),
        state=record.state,
        conference_name=column(record.conference_name),
    )


def orphan_row(orphan: Orphan) -> OrphanRow:
    """Return the row of an orphan.

    Args:
        orphan: The orphan.
    """
    start_id, api_id, recording_id = map(_optional, (orphan.start_id, orphan.api_id, orphan.recording_id))
    return OrphanRow(
        digest=orphan.digest,
        start_id=start_id,
        api_id=api_id,
        recording_id=recording_id,
        received_at=to_microseconds(orphan.received_at),
        value=encode(orphan),
        id_hashes=json.dumps(hash_ids(start_id=start_id, api_id=api_id, recording_id=recording_id)),
    )


def column(text: str) -> str:
    """Return a text with its lone surrogates escaped, because SQLite cannot store them in a column.

    Args:
        text: The text.
    """
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _optional(text: str | None) -> str | None:
    return None if text is None else column(text)
