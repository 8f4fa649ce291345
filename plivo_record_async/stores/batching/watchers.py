"""`Watchers`, the futures of the calls that wait for the change of a record."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

__all__ = ["Watchers"]


class Watchers:
    """The futures by ``start_id``, and the records that must be compared because they may have changed."""

    def __init__(self) -> None:
        self._futures: defaultdict[str, dict[asyncio.Future[Any], int]] = defaultdict(dict)
        self._candidates: set[str] = set()

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
        """Compare this record at the next opportunity, if it is watched."""
        if start_id in self._futures:
            self._candidates.add(start_id)

    def all_may_have_changed(self) -> None:
        """Compare all watched records at the next opportunity."""
        self._candidates.update(self._futures)

    def clear(self) -> list[asyncio.Future[Any]]:
        """Remove all futures and return them."""
        futures = [future for waiting in self._futures.values() for future in waiting]
        self._futures.clear()
        self._candidates.clear()
        return futures

    def take_candidates(self) -> list[str]:
        """Return the ``start_id`` of each watched record that may have changed, and regard all as compared."""
        candidates = list(self._candidates)
        self._candidates.clear()
        return candidates

    def versions(self, start_id: str) -> set[int]:
        """Return the versions of a record that its futures know."""
        return set(self._futures[start_id].values())

    def take(self, start_id: str, version: int | None) -> list[asyncio.Future[Any]]:
        """Remove the futures that wait for another version of a record than the one they know, and return them.

        Args:
            start_id: The record.
            version: Its version. If None, there is no such record.
        """
        waiting = self._futures[start_id]
        futures = [future for future, known in waiting.items() if known != version]
        for future in futures:
            del waiting[future]
        if not waiting:
            del self._futures[start_id]
        return futures
