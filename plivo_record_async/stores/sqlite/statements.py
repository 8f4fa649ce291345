"""What is said to SQLite: the schema, how it came to be, the statements, the rows, and its complaints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from plivo_record_async.protocol.callbacks.fields import named_ids
from plivo_record_async.protocol.recording.record import is_silent
from plivo_record_async.stores.encoding import encode, micros
from plivo_record_async.stores.forgotten import marks
from plivo_record_async.stores.interface import FollowedRecording, Orphan, PlivoId

__all__ = [
    "APPLICATION_ID",
    "BY_PLIVO_ID",
    "DROP_OLDEST_ORPHANS",
    "DUE",
    "EMPTY_JOURNAL",
    "FORGET",
    "FORGET_ORPHANS",
    "FORGOTTEN",
    "GET",
    "INSERT",
    "KEEP_ORPHAN",
    "LATEST_ORPHANS",
    "MARKS",
    "MIGRATIONS",
    "NOT_OPENED",
    "PLIVO_IDS",
    "PRUNE",
    "PRUNE_FORGOTTEN",
    "PRUNE_ORPHANS",
    "REMEMBER_FORGOTTEN",
    "REPLACE",
    "SAME",
    "TROUBLES",
    "VERSIONS",
    "OrphanRow",
    "Row",
    "column",
    "orphan_row",
    "row",
]

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE recording (
            start_id TEXT PRIMARY KEY,
            dedupe_key TEXT UNIQUE,
            version INTEGER NOT NULL,
            api_id TEXT,
            recording_id TEXT,
            due_at INTEGER,
            updated_at INTEGER NOT NULL,
            value TEXT NOT NULL
        )
        """,
        "CREATE INDEX recording_by_api_id ON recording (api_id) WHERE api_id IS NOT NULL",
        "CREATE INDEX recording_by_recording_id ON recording (recording_id) WHERE recording_id IS NOT NULL",
        "CREATE INDEX recording_due ON recording (due_at) WHERE due_at IS NOT NULL",
        "CREATE INDEX recording_at_rest ON recording (updated_at) WHERE due_at IS NULL",
        "CREATE TABLE orphan (id INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, value TEXT NOT NULL)",
        "CREATE INDEX orphan_by_age ON orphan (received_at)",
    ),
    (
        "ALTER TABLE orphan RENAME TO old_orphan",
        "DROP INDEX orphan_by_age",
        """
        CREATE TABLE orphan (
            id INTEGER PRIMARY KEY,
            digest TEXT NOT NULL UNIQUE,
            start_id TEXT,
            api_id TEXT,
            recording_id TEXT,
            received_at INTEGER NOT NULL,
            value TEXT NOT NULL
        )
        """,
        # What cannot be read is left as it is: whatever reads it says so.
        """
        INSERT INTO orphan (id, digest, api_id, recording_id, received_at, value)
        SELECT
            id,
            'of schema 1: ' || id,
            CASE WHEN json_valid(value) THEN json_extract(value, '$.event.api_id') END,
            CASE WHEN json_valid(value) THEN json_extract(value, '$.event.recording_id') END,
            received_at,
            CASE WHEN json_valid(value) THEN json_set(
                value,
                '$.digest', 'of schema 1: ' || id,
                '$.reason', 'an earlier version of this package kept it, which did not write down why'
            ) ELSE value END
        FROM old_orphan
        """,
        "DROP TABLE old_orphan",
        "CREATE INDEX orphan_by_age ON orphan (received_at)",
        "CREATE INDEX orphan_by_start_id ON orphan (start_id)",
        "CREATE INDEX orphan_by_api_id ON orphan (api_id) WHERE api_id IS NOT NULL",
        "CREATE INDEX orphan_by_recording_id ON orphan (recording_id) WHERE recording_id IS NOT NULL",
        "CREATE TABLE forgotten (mark TEXT PRIMARY KEY, forgotten_at INTEGER NOT NULL)",
    ),
    (
        # Whoever takes a record up writes its own value here, so those that are there need none.
        "ALTER TABLE recording ADD COLUMN silent INTEGER NOT NULL DEFAULT 0",
        "DROP INDEX recording_due",
        "CREATE INDEX recording_due ON recording (silent, due_at) WHERE due_at IS NOT NULL",
    ),
)
"""One tuple of statements leads from each version of the schema to the next; ``user_version`` counts them.

Times are microseconds since 1970; ``value`` is the whole record, the other columns are what it is found by.
"""

APPLICATION_ID: Final = int.from_bytes(b"PlRe")
"""Says whose file it is: https://www.sqlite.org/pragma.html#pragma_application_id"""

NOT_OPENED: Final = frozenset({14, 26})
"""SQLite's result codes for a file that cannot be opened, and for one that is no database."""

MARKS: Final = """
    SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master),
        (SELECT count(*) = 2 FROM pragma_table_info('recording') WHERE name IN ('start_id', 'dedupe_key'))
    FROM pragma_application_id, pragma_user_version
"""
"""Whose file it is, the version of its schema, whether there is anything in it, and whether it has our table: one
statement, as another process may just be making it."""

INSERT: Final = """
    INSERT INTO recording (start_id, dedupe_key, version, api_id, recording_id, due_at, updated_at, value, silent)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT DO NOTHING
"""
SAME: Final = "SELECT value FROM recording WHERE start_id = ? OR dedupe_key = ? LIMIT 1"
GET: Final = "SELECT value FROM recording WHERE start_id = ?"
REPLACE: Final = """
    UPDATE recording
    SET version = ?3, api_id = ?4, recording_id = ?5, due_at = ?6, updated_at = ?7, value = ?8, silent = ?9
    WHERE start_id = ?1 AND version = ?3 - 1
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
VERSIONS: Final = "SELECT start_id, version FROM recording WHERE start_id IN (SELECT value FROM json_each(?))"
PRUNE: Final = """
    DELETE FROM recording WHERE rowid IN (
        SELECT rowid FROM recording WHERE due_at IS NULL AND updated_at < ? LIMIT ?
    )
"""

KEEP_ORPHAN: Final = """
    INSERT INTO orphan (digest, start_id, api_id, recording_id, received_at, value)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6
    WHERE NOT EXISTS (SELECT 1 FROM forgotten WHERE mark IN (SELECT value FROM json_each(?7)))
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
"""Writes the journal into the file and leaves the journal without a byte:
https://www.sqlite.org/pragma.html#pragma_wal_checkpoint"""

TROUBLES: Final = {
    5: "another process keeps it locked for longer than busy_timeout; try again later",
    8: "it may only be read; let this user write to the file and to its directory",
    10: "the disk failed; look into the log of the system",
    11: "it is damaged; `sqlite3 FILE .recover` may save what is left",
    13: "the disk is full; free some space and try again",
    14: "it cannot be opened; does its directory exist, and may this user write there?",
    26: "it is no SQLite database, or damaged; choose another file",
}
"""What SQLite's primary result codes mean to whoever has to help: https://www.sqlite.org/rescode.html"""


class Row(NamedTuple):
    """The columns of a record, in the order in which the statements number them."""

    start_id: str
    dedupe_key: str | None
    version: int
    api_id: str | None
    recording_id: str | None
    due_at: int | None
    updated_at: int
    value: str
    silent: bool


class OrphanRow(NamedTuple):
    """The columns of an orphan, and the marks of what it names, in the order in which the statements number them."""

    digest: str
    start_id: str | None
    api_id: str | None
    recording_id: str | None
    received_at: int
    value: str
    marks: str


def row(record: FollowedRecording) -> Row:
    """The record as it stands in its table."""
    return Row(
        start_id=column(record.start_id),
        dedupe_key=_optional(record.dedupe_key),
        version=record.version,
        api_id=_optional(record.api_id),
        recording_id=_optional(record.recording_id),
        due_at=None if record.due_at is None else micros(record.due_at),
        updated_at=micros(record.updated_at),
        value=encode(record),
        silent=is_silent(record),
    )


def orphan_row(orphan: Orphan) -> OrphanRow:
    """The orphan as it stands in its table."""
    ids = named_ids(orphan.event.raw)
    start_id, api_id, recording_id = map(_optional, (orphan.start_id, ids.get("api_id"), ids.get("recording_id")))
    return OrphanRow(
        digest=orphan.digest,
        start_id=start_id,
        api_id=api_id,
        recording_id=recording_id,
        received_at=micros(orphan.received_at),
        value=encode(orphan),
        marks=json.dumps(marks(start_id=start_id, api_id=api_id, recording_id=recording_id)),
    )


def column(text: str) -> str:
    """The text without lone surrogates, which JSON can hold and SQLite cannot."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _optional(text: str | None) -> str | None:
    return None if text is None else column(text)
