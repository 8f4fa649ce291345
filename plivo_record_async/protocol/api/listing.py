"""The way through Plivo's list of recordings: which page comes next, what is new on it, and when it is the last.

https://plivo.com/docs/voice/api/recordings.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import attrs

from plivo_record_async.protocol.api.endpoints import FIRST_PAGE, PAGE, Request, list_recordings
from plivo_record_async.protocol.api.responses import Page
from plivo_record_async.protocol.api.wire import PLIVO_BEGAN
from plivo_record_async.protocol.arguments import aware
from plivo_record_async.protocol.models import Recording

__all__ = ["Listing", "windows"]

Window = tuple[datetime | None, datetime | None]
"""From when until when recordings were added, both inclusive; None leaves that end open."""

_LONGEST: Final = timedelta(days=29)
"""Plivo takes 30 days at most; a day is left for the difference between its clock and ours."""

_DEFAULT: Final = timedelta(days=7)
"""How far Plivo looks back unless it is told."""

_DAY: Final = timedelta(days=1)

_REMEMBERED: Final = 10_000
"""Recordings of which it is known that they were listed already."""

_MOST: Final = 1_000_000
"""Recordings that are listed of one window of a server that does not say how many there are."""

_MOST_REPEATED: Final = 10_000
"""Recordings that may come twice because others are added while the list is read."""

_LONGEST_ADDRESS: Final = 8_000
"""Characters. No server would take an address that is longer."""

_MOST_DIGITS: Final = 19
"""No list holds 2**63 recordings."""


def windows(added_after: datetime | None, added_before: datetime | None, now: datetime) -> Iterator[Window]:
    """Cut a span of time into windows that Plivo takes, the newest first.

    Neighbours share the moment between them, so that none is lost whatever the server makes of fractions of a second.

    Args:
        added_after: The beginning. If None, 7 days before the end.
        added_before: The end. If None, the span has no end.
        now: The time.
    """
    if added_after is None and added_before is None:
        yield None, None
        return
    end = added_before if added_before is not None and added_before <= now + _DAY else None
    newest = end or now
    if newest < PLIVO_BEGAN:
        return
    beginning = newest - _DEFAULT if added_after is None else min(max(added_after, PLIVO_BEGAN), now + _DAY)
    while True:
        oldest = max(beginning, newest - _LONGEST)
        yield oldest, end
        if oldest == beginning:
            return
        newest = end = oldest


@attrs.define(kw_only=True)
class _Place:
    """How far one window was listed.

    Attributes:
        window: From when until when.
        offset: How many recordings come before the page that is asked for.
        page: The parameters of that page.
        listed: How many recordings were listed.
        repeated: How many came again that had been listed.
        first_total: How many there were when the listing began, if the server says so.
    """

    window: Window
    offset: int = 0
    page: Mapping[str, str] = FIRST_PAGE
    listed: int = 0
    repeated: int = 0
    first_total: int | None = None

    def advance(self, page: Page, *, listed: int) -> bool:
        """Go on to the next page of the window, and return whether there is one.

        Args:
            page: The page that was asked for.
            listed: How many of its recordings had not been listed before.
        """
        self.listed += listed
        self.repeated += len(page.rows) - listed
        if self.first_total is None:
            self.first_total = page.total
        if self._goes_in_circles(page, listed) or self._is_last(page):
            return False
        theirs = _query_of(page.next)
        self.offset = self._next_offset(page, theirs)
        self.page = {**FIRST_PAGE, **theirs, "offset": str(self.offset)}
        return True

    def is_whole(self, last: Page) -> bool:
        """Whether nothing that the server says of the last page means that there is more."""
        return self._is_last(last) if last.rows else last.total is None or last.total <= self.offset

    def _goes_in_circles(self, page: Page, listed: int) -> bool:
        added_meanwhile = 0 if page.total is None or self.first_total is None else page.total - self.first_total
        if not listed and (not page.rows or self.repeated > min(added_meanwhile, _MOST_REPEATED)):
            return True
        return self.listed > (_MOST if page.total is None else 2 * page.total + 1_000)

    def _is_last(self, page: Page) -> bool:
        after_page = self.offset + len(page.rows)
        if _query_of(page.next) or (page.total is not None and page.total > after_page):
            return False
        return (page.ends and page.total is not None) or len(page.rows) < (page.limit or PAGE)

    def _next_offset(self, page: Page, theirs: Mapping[str, str]) -> int:
        """The server's own, if it leads on and skips nothing."""
        offset = _number(theirs.get("offset", ""))
        after_page = self.offset + len(page.rows)
        return offset if self.offset < offset <= max(after_page, self.offset + (page.limit or PAGE)) else after_page


class Listing:
    """One passage through the list.

    It follows the server's own addresses of further pages, of which it takes only the query: the rest could lead to
    anybody, with the account's credentials. It always ends: a page without anything new is the last one of its window,
    unless as many recordings were added meanwhile as came twice; so is a page after which far more was listed than the
    server counts.

    Args:
        conference_name: Only recordings of this conference.
        added_after: Only those added at or after this time (aware).
        added_before: Only those added at or before this time (aware).
        now: The time.

    Raises:
        ValueError: A time is not aware, or the end is before the beginning.
    """

    def __init__(
        self,
        *,
        conference_name: str | None = None,
        added_after: datetime | None = None,
        added_before: datetime | None = None,
        now: datetime,
    ) -> None:
        after = None if added_after is None else aware("added_after", added_after)
        before = None if added_before is None else aware("added_before", added_before)
        if after is not None and before is not None and after > before:
            raise ValueError(f"added_after must not be later than added_before: {after} > {before}")
        self._conference_name = conference_name
        self._places = (_Place(window=window) for window in windows(after, before, now))
        self._place = next(self._places, None)
        self._whole = True
        self._seen: dict[tuple[str, datetime | None], None] = {}

    @property
    def complete(self) -> bool:
        """Whether everything was listed, as far as the server's own words tell."""
        return self._place is None and self._whole

    @property
    def request(self) -> Request[Page] | None:
        """Asks for the next page; None if there is none."""
        if self._place is None:
            return None
        added_after, added_before = self._place.window
        return list_recordings(
            conference_name=self._conference_name,
            added_after=added_after,
            added_before=added_before,
            page=self._place.page,
        )

    def take(self, page: Page) -> list[Recording]:
        """Return the recordings of a page that were not on an earlier one, and go on to the next page.

        Args:
            page: What was answered to `request`.
        """
        new = [row for row in page.rows if self._is_new(row)]
        if self._place is not None and not self._place.advance(page, listed=len(new)):
            self._whole &= self._place.is_whole(page)
            self._place = next(self._places, None)
        return new

    def _is_new(self, row: Recording) -> bool:
        key = (row.recording_id or _text_of(row), row.added_at)  # two may have an id like "N/A"
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True


def _query_of(address: str | None) -> dict[str, str]:
    if address is None or len(address) > _LONGEST_ADDRESS:
        return {}
    try:
        return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
    except ValueError:
        return {}


def _number(digits: str) -> int:
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < _MOST_DIGITS else 0


def _text_of(row: Recording) -> str:
    try:
        return json.dumps(row.raw, sort_keys=True)
    except RecursionError:
        return str(row)
