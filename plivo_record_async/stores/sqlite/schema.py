"""The schema of the SQLite file, and the migration of older files to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.sqlite.statements import column

if TYPE_CHECKING:
    import sqlite3

__all__ = ["APPLICATION_ID", "MIGRATIONS", "migrate", "schema_version"]

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
        # A value that is not JSON stays unchanged. Reading it raises an error.
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
        # The next change of a record stores its real value, so the default is sufficient for the records that exist.
        "ALTER TABLE recording ADD COLUMN silent INTEGER NOT NULL DEFAULT 0",
        "DROP INDEX recording_due",
        "CREATE INDEX recording_due ON recording (silent, due_at) WHERE due_at IS NOT NULL",
    ),
    (
        "ALTER TABLE recording ADD COLUMN state TEXT",
        "ALTER TABLE recording ADD COLUMN conference_name TEXT",
        # A value that is not JSON gets no state, so no list contains it. Reading it raises an error.
        """
        UPDATE recording SET
            state = CASE WHEN json_valid(value) THEN ifnull(json_extract(value, '$.state'), 'planned') END,
            conference_name = stored_conference_name(value)
        """,
        "CREATE INDEX recording_by_state ON recording (state, updated_at, start_id)",
        "CREATE INDEX recording_by_conference ON recording (conference_name, state, updated_at, start_id)",
    ),
)
"""The statements of each migration to the next version of the schema. ``user_version`` is the number of migrations.

Times are microseconds since 1970. The column ``value`` contains the whole record as JSON. The other columns are copies
of attributes that the statements search for.
"""

APPLICATION_ID: Final = int.from_bytes(b"PlRe")
"""The number that identifies the files of this package: https://www.sqlite.org/pragma.html#pragma_application_id"""

FILE_IDENTITY: Final = """
    SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master),
        (SELECT count(*) = 2 FROM pragma_table_info('recording') WHERE name IN ('start_id', 'dedupe_key'))
    FROM pragma_application_id, pragma_user_version
"""
"""The application ID, the version of the schema, the number of tables and indexes, and whether our table exists.

It is a single statement, because another process may be creating the schema at the same time.
"""


def migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]], path: str) -> None:
    """Migrate the schema to the latest version in one transaction.

    Args:
        connection: The database.
        migrations: The statements of each migration to the next version.
        path: The path of the file, for error messages.

    Raises:
        StoreError: A newer version of this package wrote the file, or it is another program's database.
    """
    latest = len(migrations)
    if schema_version(connection, latest, path) == latest:
        return
    connection.create_function("stored_conference_name", 1, _stored_conference_name)
    connection.execute("BEGIN IMMEDIATE")
    version = schema_version(connection, latest, path)  # another process may have migrated it in the meantime
    for statements in migrations[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {latest}")
    connection.execute("COMMIT")


def _stored_conference_name(value: str) -> str | None:
    """Return the name of the conference in the JSON of a record. If the value is damaged, return None.

    SQLite's own JSON functions end a text at a NUL character, which a name may contain.
    """
    try:
        return column(json.loads(value)["request"]["conference_name"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def schema_version(connection: sqlite3.Connection, latest: int, path: str) -> int:
    """Return the version of the file's schema, or 0 if the file is new.

    Args:
        connection: The database.
        latest: The latest version that this version of the package knows.
        path: The path of the file, for error messages.

    Raises:
        StoreError: A newer version of this package wrote the file, or it is another program's database.
    """
    [(application, version, tables, has_our_table)] = connection.execute(FILE_IDENTITY)
    if application == 0 and has_our_table:
        raise StoreError(
            f"{path}: a development version of this package wrote it, and this version cannot read it. Let the "
            "development version follow its recordings to their end, and choose another file for this version"
        )
    if application != APPLICATION_ID and (application, version, tables) != (0, 0, 0):
        raise StoreError(f"{path}: it is the database of another program; choose another file")
    if version > latest:
        raise StoreError(
            f"{path}: its schema is version {version}, and this version of the package knows only {latest}: "
            "a newer version wrote it; upgrade the package"
        )
    return int(version)
