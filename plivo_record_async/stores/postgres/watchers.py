"""`DatabaseWatchers`, which find the watched records of a database that have changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.batching.watchers import Watchers
from plivo_record_async.stores.encoding import decode
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.stores.postgres.connection import Connection
from plivo_record_async.stores.postgres.statements import Statements

__all__ = ["POLL_INTERVAL", "Change", "DatabaseWatchers"]

POLL_INTERVAL: Final = 0.25
"""The time between two searches for changes by other processes, in seconds, while records are watched."""


class Change(NamedTuple):
    """The change of a watched record.

    Attributes:
        futures: The futures that wait for it.
        value: The record, None if it was deleted, or the error if it cannot be read.
    """

    futures: list[asyncio.Future[Any]]
    value: FollowedRecording | StoreError | None


class DatabaseWatchers(Watchers):
    """The futures of the calls that wait for the change of a record in a database.

    Args:
        sql: The statements.
    """

    def __init__(self, sql: Statements) -> None:
        super().__init__()
        self._sql = sql
        self._next_poll = 0.0

    def changes(self, connection: Connection) -> Iterator[Change]:
        """Remove the futures whose record has another version or was deleted, and yield them.

        One statement compares the records that this process may have changed and, four times a second, all others.
        """
        now = time.monotonic()
        if polls := now >= self._next_poll:
            self.all_may_have_changed()
        start_ids = self.take_candidates()
        if not start_ids:
            return
        known = [(start_id, version) for start_id in start_ids for version in self.versions(start_id)]
        parameters = ([start_id for start_id, _ in known], [version for _, version in known])
        rows = connection.run(self._sql.changed, parameters).fetchall()
        if polls:
            self._next_poll = now + POLL_INTERVAL
        for start_id, version, text in rows:
            if futures := self.take(start_id, version):
                yield Change(futures, None if text is None else _read(text))


def _read(text: str) -> FollowedRecording | StoreError:
    try:
        return decode(text, FollowedRecording)
    except StoreError as error:
        return error
