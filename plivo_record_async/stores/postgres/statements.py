"""The SQL statements of a schema, and the rows that they store."""

from __future__ import annotations

from typing import Final, get_args

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.stores.interface import PlivoId
from plivo_record_async.stores.postgres.schema import quoted

__all__ = ["BEGIN", "COMMIT", "ROLLBACK", "SET_FOR_TRANSACTION", "STATES", "Statements"]

STATES: Final = list(get_args(RecordingState))

BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
COMMIT: Final = "COMMIT"
ROLLBACK: Final = "ROLLBACK"

SET_FOR_TRANSACTION: Final = """
    SELECT
        set_config('lock_timeout', '2s', true),
        CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END
"""
"""The settings of a transaction. A commit must be durable when it is acknowledged."""

_TYPES: Final = {
    "start_id": "text",
    "dedupe_key": "text",
    "version": "bigint",
    "state": "text",
    "conference_name": "text",
    "api_id": "text",
    "recording_id": "text",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "due_at": "timestamptz",
    "silent": "boolean",
    "value": "text",
}
"""The columns of a record and their types."""

_FIXED: Final = {"start_id", "dedupe_key", "created_at"}
"""The columns that no change of a record changes."""

_NAMES: Final = ", ".join(_TYPES)
_COLUMNS: Final = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
_CHANGING: Final = ", ".join(name for name in _TYPES if name not in _FIXED)
_NEW: Final = ", ".join(f"new.{name}" for name in _TYPES if name not in _FIXED)


def _iso(column: str) -> str:
    """Return the SQL of a time as text in ISO 8601, because a database may have any ``DateStyle``."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


class Statements:
    """The statements with the name of the schema in them.

    Args:
        schema: The name of the schema.
    """

    lock_orphans: Final = "SELECT pg_advisory_xact_lock(hashtext('plivo-record-async orphans'), hashtext(%s))"
    """A lock without which an orphan could be kept while its start is being forgotten."""

    def __init__(self, schema: str) -> None:
        name = quoted(schema).replace("%", "%%")
        recording, orphan, forgotten = f"{name}.recording", f"{name}.orphan", f"{name}.forgotten"
        self.schema: str = schema

        # The parameter of the next three is a JSON array with one element for each record.
        self.insert: str = f"""
            INSERT INTO {recording} ({_NAMES})
            SELECT {_NAMES} FROM json_to_recordset(%s::json) AS new ({_COLUMNS})
            ON CONFLICT DO NOTHING
            RETURNING start_id
        """
        self.get: str = f"""
            SELECT start_id, value
            FROM json_array_elements_text(%s::json) AS wanted (start_id) JOIN {recording} USING (start_id)
        """
        self.replace: str = f"""
            UPDATE {recording} AS old
            SET ({_CHANGING}, claimed_by, claimed_until) = ROW ({_NEW}, NULL, NULL)
            FROM json_to_recordset(%s::json) AS new ({_COLUMNS})
            WHERE old.start_id = new.start_id AND old.version = new.version - 1
            RETURNING old.start_id
        """
        self.existing: str = f"SELECT value FROM {recording} WHERE start_id = %s OR dedupe_key = %s LIMIT 1"
        self.find: dict[PlivoId, str] = {
            "api_id": f"SELECT value FROM {recording} WHERE api_id = %s ORDER BY created_at, start_id LIMIT 1",
            "recording_id": f"""
                SELECT value FROM {recording} WHERE recording_id = %s ORDER BY created_at, start_id LIMIT 1
            """,
        }
        # The claims are taken with the clock of the server, because the clocks of the processes may differ.
        self.claim: str = f"""
            WITH due AS MATERIALIZED (
                SELECT start_id FROM {recording}
                WHERE silent = ANY (%s) AND due_at <= %s AND start_id <> ALL (%s)
                    AND (claimed_by IS NULL OR claimed_by = %s OR claimed_until <= clock_timestamp())
                ORDER BY due_at, start_id
                LIMIT %s
                FOR UPDATE SKIP LOCKED
            )
            UPDATE {recording} AS recording
            SET claimed_by = %s, claimed_until = clock_timestamp() + make_interval(secs => %s)
            FROM due
            WHERE recording.start_id = due.start_id
            RETURNING recording.start_id, {_iso("recording.due_at")}, recording.value
        """
        self.release: str = f"""
            UPDATE {recording} SET claimed_by = NULL, claimed_until = NULL WHERE start_id = ANY (%s) AND claimed_by = %s
        """
        self.page: str = f"""
            SELECT {_iso("recording.updated_at")}, recording.start_id, recording.value
            FROM (
                SELECT each.start_id
                FROM unnest(%s::text[]) AS wanted (state)
                CROSS JOIN LATERAL (
                    SELECT start_id, updated_at FROM {recording}
                    WHERE state = wanted.state
                        AND (%s::text IS NULL OR conference_name = %s)
                        AND (%s::timestamptz IS NULL OR updated_at >= %s)
                        AND (%s::timestamptz IS NULL OR (updated_at, start_id) < (%s, %s))
                    ORDER BY updated_at DESC, start_id DESC
                    LIMIT %s
                ) AS each
                ORDER BY each.updated_at DESC, each.start_id DESC
                LIMIT %s
            ) AS page
            JOIN {recording} AS recording USING (start_id)
            ORDER BY recording.updated_at DESC, recording.start_id DESC
        """
        self.first_dedupe_key: str = f"""
            SELECT dedupe_key FROM {recording} WHERE dedupe_key >= %s AND dedupe_key < %s ORDER BY dedupe_key LIMIT 1
        """
        self.counts: str = f"SELECT state, count(*) FROM {recording} GROUP BY state"
        self.changed: str = f"""
            SELECT known.start_id, recording.version, recording.value
            FROM unnest(%s::text[], %s::bigint[]) AS known (start_id, version)
            LEFT JOIN {recording} AS recording USING (start_id)
            WHERE recording.version IS DISTINCT FROM known.version
        """
        self.prune: str = f"""
            DELETE FROM {recording} WHERE start_id = ANY (ARRAY(
                SELECT start_id FROM {recording} WHERE due_at IS NULL AND updated_at < %s LIMIT %s
                FOR UPDATE SKIP LOCKED
            ))
        """
        self.keep_orphan: str = f"""
            INSERT INTO {orphan} (digest, start_id, api_id, recording_id, received_at, value)
            SELECT %s, %s, %s, %s, %s, %s
            WHERE NOT EXISTS (SELECT FROM {forgotten} WHERE id_hash = ANY (%s))
            ON CONFLICT DO NOTHING
        """
        self.drop_oldest_orphans: str = f"""
            DELETE FROM {orphan} WHERE id = ANY (ARRAY(
                SELECT id FROM {orphan} WHERE start_id IS NOT DISTINCT FROM %s ORDER BY id DESC OFFSET %s
            ))
        """
        self.latest_orphans: str = f"SELECT value FROM {orphan} ORDER BY id DESC LIMIT %s"
        self.prune_orphans: str = f"""
            DELETE FROM {orphan} WHERE id = ANY (ARRAY(
                SELECT id FROM {orphan} WHERE received_at < %s LIMIT %s FOR UPDATE SKIP LOCKED
            ))
        """
        self.forget: str = f"DELETE FROM {recording} WHERE start_id = %s RETURNING api_id, recording_id"
        self.forget_orphans: str = f"DELETE FROM {orphan} WHERE start_id = %s OR api_id = %s OR recording_id = %s"
        self.is_forgotten: str = f"SELECT 1 FROM {forgotten} WHERE id_hash = %s"
        self.remember_forgotten: str = f"""
            INSERT INTO {forgotten} (id_hash, forgotten_at) SELECT unnest(%s::text[]), %s
            ON CONFLICT (id_hash) DO UPDATE SET forgotten_at = excluded.forgotten_at
        """
        self.prune_forgotten: str = f"""
            DELETE FROM {forgotten} WHERE id_hash = ANY (ARRAY(
                SELECT id_hash FROM {forgotten} WHERE forgotten_at < %s LIMIT %s FOR UPDATE SKIP LOCKED
            ))
        """
        self.check: str = f"""
            UPDATE {name}.migration SET checked_at = clock_timestamp()
            WHERE version = (SELECT max(version) FROM {name}.migration)
        """
