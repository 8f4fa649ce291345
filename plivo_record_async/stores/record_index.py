"""`RecordIndex`, which keeps records in memory and finds them by their attributes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from heapq import merge
from typing import Final, NamedTuple

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.schedule import is_silent
from plivo_record_async.stores.interface import FollowedRecording, PlivoId

__all__ = ["RecordIndex"]

_PlivoIdValue = tuple[PlivoId, str]
_Position = tuple[datetime, str]

_FEW: Final = 20
"""If at least one in so many records was changed, all lists are made again."""


class _Listed(NamedTuple):
    """The attributes of a record by which it is in the lists."""

    position: _Position
    state: RecordingState
    conference_name: str


class RecordIndex:
    """Records in memory, with an index for each attribute by which a store finds records.

    Records change much more often than they are listed. So the lists are updated when they are read.
    """

    def __init__(self) -> None:
        self._records: dict[str, FollowedRecording] = {}
        self._by_dedupe_key: dict[str, str] = {}
        self._by_plivo_id: defaultdict[_PlivoIdValue, set[str]] = defaultdict(set)
        self._plivo_ids: dict[str, tuple[_PlivoIdValue, ...]] = {}
        self._due: dict[bool, list[_Position]] = {True: [], False: []}
        self._by_state: defaultdict[RecordingState, list[_Position]] = defaultdict(list)
        self._by_conference: defaultdict[tuple[str, RecordingState], list[_Position]] = defaultdict(list)
        self._listed: dict[str, _Listed] = {}
        self._unlisted: dict[str, None] = {}

    def __iter__(self) -> Iterator[FollowedRecording]:
        return iter(self._records.values())

    def get(self, start_id: str) -> FollowedRecording | None:
        """Return the record of a start. If None, there is no such record.

        Args:
            start_id: The tracker's ID of the start.
        """
        return self._records.get(start_id)

    def existing(self, record: FollowedRecording) -> FollowedRecording | None:
        """Return the record that prevents a new record from being created.

        Args:
            record: The new record.

        Returns:
            The record with the same ``dedupe_key``, or else the one with the same ``start_id``. If None, there is none.
        """
        start_id = record.start_id
        if record.dedupe_key is not None:
            start_id = self._by_dedupe_key.get(record.dedupe_key, start_id)
        return self._records.get(start_id)

    def first_dedupe_key(self, prefix: str) -> str | None:
        """Return the smallest dedupe key that begins with a prefix, or None if there is no such key.

        Args:
            prefix: The beginning of the key.
        """
        return min((key for key in self._by_dedupe_key if key.startswith(prefix)), default=None)

    def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        """Return the record with a given Plivo ID. If several have it, return the one created first.

        Args:
            kind: The attribute of the record.
            value: The ID.

        Returns:
            The record. If None, there is no such record.
        """
        found = [self._records[start_id] for start_id in self._by_plivo_id.get((kind, value), ())]
        return min(found, key=lambda record: record.created_at, default=None)

    def due(self, now: datetime, *, silent: bool | None) -> Iterator[FollowedRecording]:
        """Return the records whose ``due_at`` is not later than ``now``, the earliest ``due_at`` first.

        Args:
            now: The current time.
            silent: If True, return only the silent records. If False, return only the others. If None, return both.
        """
        kinds = (True, False) if silent is None else (silent,)
        due = [self._due[kind][: bisect_right(self._due[kind], now, key=_time)] for kind in kinds]
        return (self._records[start_id] for _, start_id in merge(*due))

    def newest_first(
        self,
        *,
        states: Collection[RecordingState] | None,
        conference_name: str | None,
        updated_after: datetime | None,
        older_than: FollowedRecording | None,
    ) -> Iterator[FollowedRecording]:
        """Return the records that all filters select, the latest ``updated_at`` first.

        Args:
            states: Return only the records in one of these states. If None, return those in any state.
            conference_name: Return only the records of this conference. If None, return those of any conference.
            updated_after: Return only the records that were last updated at this time or later. If None, return those
                of any time.
            older_than: Return only the records that come after this one in the order. If None, begin with the newest.
        """
        self._update_lists()
        lists = [
            self._by_state.get(state, [])
            if conference_name is None
            else self._by_conference.get((conference_name, state), [])
            for state in set(self._by_state if states is None else states)
        ]
        end = None if older_than is None else (older_than.updated_at, older_than.start_id)
        found = merge(*(_backwards(positions, updated_after, end) for positions in lists), reverse=True)
        return (self._records[start_id] for _, start_id in found)

    def counts(self) -> dict[RecordingState, int]:
        """Return how many records are in each state that occurs."""
        self._update_lists()
        return {state: len(positions) for state, positions in self._by_state.items() if positions}

    def put(self, record: FollowedRecording) -> None:
        """Add a record, or replace its previous version.

        Args:
            record: The record.
        """
        self._set_due(self._records.get(record.start_id), record)
        self._set_plivo_ids(record.start_id, _plivo_ids(record))
        self._records[record.start_id] = record
        self._unlisted[record.start_id] = None
        if record.dedupe_key is not None:
            self._by_dedupe_key[record.dedupe_key] = record.start_id

    def remove(self, record: FollowedRecording) -> None:
        """Remove a record.

        Args:
            record: The record as it is kept.
        """
        self._set_due(record, None)
        self._set_plivo_ids(record.start_id, ())
        del self._records[record.start_id]
        self._unlisted.pop(record.start_id, None)
        self._unlist(record.start_id)
        if record.dedupe_key is not None:
            del self._by_dedupe_key[record.dedupe_key]

    def _set_due(self, before: FollowedRecording | None, after: FollowedRecording | None) -> None:
        if before is not None and before.due_at is not None:
            entries = self._due[is_silent(before)]
            del entries[bisect_left(entries, (before.due_at, before.start_id))]
        if after is not None and after.due_at is not None:
            insort(self._due[is_silent(after)], (after.due_at, after.start_id))

    def _update_lists(self) -> None:
        """Update the lists with the records that were put since they were last read."""
        if len(self._unlisted) * _FEW > len(self._records):
            self._make_lists()
        else:
            for start_id in self._unlisted:
                self._unlist(start_id)
                listed = self._list(self._records[start_id])
                for positions in self._lists_of(listed):
                    insort(positions, listed.position)
        self._unlisted.clear()

    def _make_lists(self) -> None:
        """Make the lists again, which takes less time than many single changes."""
        self._listed.clear()
        self._by_state.clear()
        self._by_conference.clear()
        for record in self._records.values():
            listed = self._list(record)
            for positions in self._lists_of(listed):
                positions.append(listed.position)
        for positions in (*self._by_state.values(), *self._by_conference.values()):
            positions.sort()

    def _list(self, record: FollowedRecording) -> _Listed:
        listed = _Listed((record.updated_at, record.start_id), record.state, record.conference_name)
        self._listed[record.start_id] = listed
        return listed

    def _lists_of(self, listed: _Listed) -> tuple[list[_Position], list[_Position]]:
        return self._by_state[listed.state], self._by_conference[listed.conference_name, listed.state]

    def _unlist(self, start_id: str) -> None:
        """Remove a record from the lists, if it is in them."""
        listed = self._listed.pop(start_id, None)
        if listed is None:
            return
        for positions in self._lists_of(listed):
            del positions[bisect_left(positions, listed.position)]
        if not self._by_conference[listed.conference_name, listed.state]:
            del self._by_conference[listed.conference_name, listed.state]

    def _set_plivo_ids(self, start_id: str, plivo_ids: tuple[_PlivoIdValue, ...]) -> None:
        before = self._plivo_ids.pop(start_id, ())
        if plivo_ids:
            self._plivo_ids[start_id] = plivo_ids
        if plivo_ids == before:
            return
        for key in before:
            self._by_plivo_id[key].discard(start_id)
            if not self._by_plivo_id[key]:
                del self._by_plivo_id[key]
        for key in plivo_ids:
            self._by_plivo_id[key].add(start_id)


def _time(position: _Position) -> datetime:
    return position[0]


def _backwards(positions: list[_Position], first: datetime | None, end: _Position | None) -> Iterator[_Position]:
    """Return the positions from the last one before ``end`` back to the first one at the time ``first`` or later."""
    begin = 0 if first is None else bisect_left(positions, first, key=_time)
    stop = len(positions) if end is None else bisect_left(positions, end)
    return (positions[index] for index in range(stop - 1, begin - 1, -1))


def _plivo_ids(record: FollowedRecording) -> tuple[_PlivoIdValue, ...]:
    ids: tuple[tuple[PlivoId, str | None], ...] = (("api_id", record.api_id), ("recording_id", record.recording_id))
    return tuple([(kind, value) for kind, value in ids if value is not None])
