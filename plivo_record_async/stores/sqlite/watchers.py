"""`Watchers`, the futures of the calls that wait for the change of a record."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from plivo_record_async.stores.sqlite.queries import versions

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Watchers"]


class Watchers:
    """The futures by ``start_id``, and the records that must be compared because they may have changed."""

    def __init__(self) -> None:
        self._futures: defaultdict[str, dict[asyncio.Future[Any], int]] = defaultdict(dict)
        self._candidates: set[str] = set()
        self._data_version = 0

    def __bool__(self) -> bool:
        return bool(self._futures)

    def add(self, start_id: str, version: int, future: asyncio.Future[Any]) -> None:
        """Add a future that waits until the version of a record differs from ``version``."""
        self._futures[start_id][future] = version
        self._candidates.add(start_id)

    def discard(self, start_id: str, future: asyncio.Future[Any]) -> None:
        """Remove a future."""
        self._futures[start_id].pop(future, None)
        if not self._futures[start_id]:
            del self._futures[start_id]
            self._candidates.discard(start_id)

    def may_have_changed(self, start_id: str) -> None:
        """Compare this record at the next call of `changed`, if it is watched."""
        if start_id in self._futures:
            self._candidates.add(start_id)

    def all_may_have_changed(self) -> None:
        """Compare all watched records at the next call of `changed`."""
        self._candidates.update(self._futures)

    def clear(self) -> list[asyncio.Future[Any]]:
        """Remove all futures and return them."""
        futures = [future for waiting in self._futures.values() for future in waiting]
        self._futures.clear()
        self._candidates.clear()
        return futures

    def changed(self, connection: sqlite3.Connection) -> Iterator[tuple[str, list[asyncio.Future[Any]]]]:
        """Remove the futures whose record has another version or was deleted, and yield them by ``start_id``.

        All watched records are compared if another connection has committed a transaction.
        """
        # https://www.sqlite.org/pragma.html#pragma_data_version
        [(data_version,)] = connection.execute("PRAGMA data_version")
        candidates = self._candidates & self._futures.keys() if data_version == self._data_version else self._futures
        self._data_version = data_version
        start_ids = list(candidates)
        self._candidates.clear()
        current = versions(start_ids, connection) if start_ids else {}
        for start_id in start_ids:
            waiting = self._futures[start_id]
            futures = [future for future, version in waiting.items() if current.get(start_id) != version]
            if futures:
                for future in futures:
                    del waiting[future]
                if not waiting:
                    del self._futures[start_id]
                yield start_id, futures
