"""The SQL statements of a schema, and the rows that they store."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple, get_args

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.schedule import is_silent
from plivo_record_async.stores.encoding import encode
from plivo_record_async.stores.id_hashes import hash_ids
from plivo_record_async.stores.interface import FollowedRecording, Orphan, PlivoId
from plivo_record_async.stores.postgres.schema import quoted

__all__ = [
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SET_FOR_TRANSACTION",
    "STATES",
    "OrphanRow",
    "Row",
    "Statements",
    "column",
    "orphan_row",
    "row",
]

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

_MAX_COLUMN: Final = 1000
"""The greatest length of a text in a column. An index cannot contain a text of more than 2,704 bytes."""


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

        self.insert: str = f"""
            INSERT INTO {recording} (
                start_id, dedupe_key, version, state, conference_name, api_id, recording_id, created_at, updated_at,
                due_at, silent, value
            )
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT DO NOTHING
        """
        self.existing: str = f"SELECT value FROM {recording} WHERE start_id = %s OR dedupe_key = %s LIMIT 1"
        self.get: str = f"SELECT value FROM {recording} WHERE start_id = %s"
        self.replace: str = f"""
            UPDATE {recording}
            SET version = %s, state = %s, conference_name = %s, api_id = %s, recording_id = %s, updated_at = %s,
                due_at = %s, silent = %s, value = %s, claimed_by = NULL, claimed_until = NULL
            WHERE start_id = %s AND version = %s
        """
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
            RETURNING recording.start_id, recording.due_at, recording.value
        """
        self.release: str = f"""
            UPDATE {recording} SET claimed_by = NULL, claimed_until = NULL WHERE start_id = ANY (%s) AND claimed_by = %s
        """
        self.page: str = f"""
            SELECT recording.updated_at, recording.start_id, recording.value
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


class Row(NamedTuple):
    """The columns of a record, in the order of the statement that inserts it."""

    start_id: str
    dedupe_key: str | None
    version: int
    state: RecordingState
    conference_name: str
    api_id: str | None
    recording_id: str | None
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None
    silent: bool
    value: str


class OrphanRow(NamedTuple):
    """The columns of an orphan, and the hashes of the IDs in it, in the order of the statement that inserts it."""

    digest: str
    start_id: str | None
    api_id: str | None
    recording_id: str | None
    received_at: datetime
    value: str
    id_hashes: list[str]


def row(record: FollowedRecording) -> Row:
    """Return the row of a record.

    Args:
        record: The record.
    """
    return Row(
        start_id=column(record.start_id),
        dedupe_key=_optional(record.dedupe_key),
        version=record.version,
        state=record.state,
        conference_name=column(record.conference_name),
        api_id=_optional(record.api_id),
        recording_id=_optional(record.recording_id),
        created_at=record.created_at,
        updated_at=record.updated_at,
        due_at=record.due_at,
        silent=is_silent(record),
        value=encode(record),
    )


def orphan_row(orphan: Orphan) -> OrphanRow:
    """Return the row of an orphan.

    Args:
        orphan: The orphan.
    """
    start_id, api_id, recording_id = map(_optional, (orphan.start_id, orphan.api_id, orphan.recording_id))
    return OrphanRow(
        digest=column(orphan.digest),
        start_id=start_id,
        api_id=api_id,
        recording_id=recording_id,
        received_at=orphan.received_at,
        value=encode(orphan),
        id_hashes=list(hash_ids(start_id=start_id, api_id=api_id, recording_id=recording_id)),
    )


def column(text: str) -> str:
    """Return a text as its column contains it.

    NUL characters, lone surrogates and everything else outside ASCII are escaped as in JSON, so a database in any
    encoding can store the text. A long text is replaced by its hash. Different texts stay different.

    Args:
        text: The text.
    """
    escaped = json.dumps(text)[1:-1]
    return escaped if len(escaped) <= _MAX_COLUMN else f"sha256:{sha256(escaped.encode()).hexdigest()}"


def _optional(text: str | None) -> str | None:
    return None if text is None else column(text)
