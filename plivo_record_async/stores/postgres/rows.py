"""The rows in which records and orphans are stored, and how texts are written to columns."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.schedule import is_silent
from plivo_record_async.stores.encoding import encode
from plivo_record_async.stores.id_hashes import hash_ids
from plivo_record_async.stores.interface import FollowedRecording, Orphan

__all__ = ["OrphanRow", "Row", "column", "json_of", "orphan_row", "row"]

_MAX_COLUMN: Final = 1000
"""The greatest length of a text in a column. An index cannot contain a text of more than 2,704 bytes."""


class Row(NamedTuple):
    """The columns of a record."""

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


_to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=datetime.isoformat).encode


def json_of(value: Row | str) -> str:
    """Return a row or a key as an element of the JSON array that the statements for several records take.

    Args:
        value: The row or the key.
    """
    return _to_json(value if isinstance(value, str) else value._asdict())


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
