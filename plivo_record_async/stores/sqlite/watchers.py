"""`FileWatchers`, which find the watched records of an SQLite file that have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from plivo_record_async.stores.batching.watchers import Watchers
from plivo_record_async.stores.sqlite.queries import versions

if TYPE_CHECKING:
    import sqlite3

__all__ = ["FileWatchers"]


class FileWatchers(Watchers):
    """The futures of the calls that wait for the change of a record in an SQLite file."""

    def __init__(self) -> None:
        super().__init__()
        self._data_version = 0

    def changed(self, connection: sqlite3.Connection) -> Iterator[tuple[str, list[asyncio.Future[Any]]]]:
        """Remove the futures whose record has another version or was deleted, and yield them by ``start_id``.

        All watched records are compared if another connection has committed a transaction.
        """
        # https://www.sqlite.org/pragma.html#pragma_data_version
        [(data_version,)] = connection.execute("PRAGMA data_version")
        if data_version != self._data_version:
            self.all_may_have_changed()
        self._data_version = data_version
        start_ids = self.take_candidates()
        current = versions(start_ids, connection) if start_ids else {}
        for start_id in start_ids:
            futures = self.take(start_id, current.get(start_id))
            if futures:
                yield start_id, futures
