"""`Page`, which reads one page of the records that several filters select."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import attrs

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.models.status import STATES
from plivo_record_async.stores.encoding import to_microseconds
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.stores.sqlite.queries import read_value
from plivo_record_async.stores.sqlite.statements import column

if TYPE_CHECKING:
    import sqlite3

__all__ = ["ListedRow", "Page", "page_of", "page_query"]

_EARLIEST: Final = -(2**63)
_LATEST: Final = 2**63 - 1
"""SQLite's smallest and largest integer, which no time reaches."""


class ListedRow(NamedTuple):
    """One row of a page: its position in the order, and its record, or the error if the record cannot be read."""

    updated_at: int
    start_id: str
    value: FollowedRecording | StoreError


@attrs.frozen(kw_only=True)
class Page:
    """One page of the records that all filters select, the latest ``updated_at`` first.

    Attributes:
        states: The states of the records.
        conference_name: The name of their conference. If None, any name.
        updated_after: The earliest ``updated_at``.
        end: The ``updated_at`` and the ``start_id`` of the row before the page.
        limit: The largest number of rows.
    """

    states: tuple[str, ...]
    conference_name: str | None
    updated_after: int
    end: tuple[int, str]
    limit: int

    @property
    def parameters(self) -> dict[str, int | str | None]:
        """The parameters of the query."""
        return {
            "conference_name": self.conference_name,
            "updated_after": self.updated_after,
            "end_time": self.end[0],
            "end_start_id": self.end[1],
            "limit": self.limit,
        } | {f"state_{number}": state for number, state in enumerate(self.states)}

    def read(self, connection: sqlite3.Connection) -> list[ListedRow]:
        """Return the rows of the page."""
        query = page_query(len(self.states), of_conference=self.conference_name is not None)
        return [
            ListedRow(updated_at, start_id, read_value(text, FollowedRecording))
            for updated_at, start_id, text in connection.execute(query, self.parameters)
        ]

    def following(self, row: ListedRow) -> Self:
        """Return the page that begins after a row."""
        return attrs.evolve(self, end=(row.updated_at, row.start_id))


def page_of(
    *,
    states: Collection[RecordingState] | None,
    conference_name: str | None,
    updated_after: datetime | None,
    older_than: FollowedRecording | None,
    limit: int,
) -> Page:
    """Return the page with these filters. `Store.records` describes the arguments."""
    no_state = ("",)
    return Page(
        states=STATES if states is None else tuple(dict.fromkeys(states)) or no_state,
        conference_name=None if conference_name is None else column(conference_name),
        updated_after=_EARLIEST if updated_after is None else to_microseconds(updated_after),
        end=(_LATEST, "")
        if older_than is None
        else (to_microseconds(older_than.updated_at), column(older_than.start_id)),
        limit=limit,
    )


@lru_cache
def page_query(states: int, *, of_conference: bool) -> str:
    """Return the query for a page.

    Each state has a SELECT of its own, whose rows an index finds in their order. SQLite merges them, and reads no more
    rows than the page contains: https://www.sqlite.org/eqp.html#compound_queries

    Args:
        states: The number of states.
        of_conference: Whether only the records of one conference are selected.
    """
    conference = "conference_name = :conference_name AND " if of_conference else ""
    selects = [
        f"""
        SELECT updated_at, start_id, value FROM recording
        WHERE {conference}state = :state_{number}
            AND updated_at >= :updated_after AND (updated_at, start_id) < (:end_time, :end_start_id)
        """  # noqa: S608 - the text consists of constants
        for number in range(states)
    ]
    return "UNION ALL".join(selects) + "ORDER BY updated_at DESC, start_id DESC LIMIT :limit"
