"""A log that keeps a limited number of entries, and pages of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Log", "LogEntry", "page_of"]


class LogEntry(Protocol):
    """An entry of a log."""

    @property
    def id(self) -> int:
        """The number of the entry."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        ...


EntryT = TypeVar("EntryT", bound=LogEntry)
ItemT = TypeVar("ItemT")


class Log(Generic[EntryT]):
    """The latest entries, in the order in which they were added. Their IDs are numbered from 1 without gaps.

    Args:
        keep: How many entries are kept. If 0, none is.
    """

    def __init__(self, keep: int) -> None:
        self._entries: deque[EntryT] = deque(maxlen=keep)
        self._last_id = 0

    def next_id(self) -> int:
        """Return the ID of the entry that is added next."""
        return self._last_id + 1

    def put(self, entry: EntryT) -> None:
        """Add an entry with the next ID, or replace the entry that has the same ID. Dropped entries stay dropped.

        Args:
            entry: The entry.
        """
        if entry.id == self.next_id():
            self._last_id += 1
            self._entries.append(entry)
        elif (place := self._place(entry.id)) is not None:
            self._entries[place] = entry

    def get(self, entry_id: int) -> EntryT | None:
        """Return an entry. If None, there is no such entry, or it was dropped.

        Args:
            entry_id: The ID of the entry.
        """
        place = self._place(entry_id)
        return None if place is None else self._entries[place]

    def entries(self) -> list[EntryT]:
        """Return all entries that are kept, the oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Drop all entries. The numbers of their IDs are not used again."""
        self._entries.clear()

    def _place(self, entry_id: int) -> int | None:
        place = entry_id - self._last_id + len(self._entries) - 1
        return place if 0 <= place < len(self._entries) else None


def page_of(
    items: Iterable[ItemT], key: Callable[[ItemT], str], *, limit: int | None, before: str | None
) -> list[ItemT]:
    """Return the last items, or the last ones before a certain item.

    Args:
        items: The items, the oldest first.
        key: The function that returns the ID of an item.
        limit: How many items are returned at most. If None, all.
        before: The ID of the item before which the page ends. If None, or if there is no such item, the page ends with
            the last item.

    Returns:
        The items in their order, the oldest first.
    """
    everything = list(items)
    stop = len(everything)
    if before is not None:
        stop = next((place for place, item in enumerate(everything) if key(item) == before), stop)
    start = 0 if limit is None else max(0, stop - limit)
    return list(islice(everything, start, stop))
