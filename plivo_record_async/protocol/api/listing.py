"""Reading Plivo's list of recordings page by page: which page comes next, what is new on it, and which is the last.

https://plivo.com/docs/voice/api/recordings.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import attrs

from plivo_record_async.protocol.api.endpoints import FIRST_PAGE, PAGE_SIZE, list_recordings
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.results import Page
from plivo_record_async.protocol.api.wire import PLIVO_BEGAN
from plivo_record_async.protocol.arguments import aware_datetime
from plivo_record_async.protocol.models import Recording

__all__ = ["Listing", "time_windows"]

TimeWindow = tuple[datetime | None, datetime | None]
"""The first and the last time at which recordings were added, both inclusive. None leaves that end open."""

_LONGEST_WINDOW: Final = timedelta(days=29)
"""The longest window of one request. Plivo accepts 30 days; one day allows for the difference between the clocks."""

_DEFAULT_SPAN: Final = timedelta(days=7)
"""How far back Plivo's list reaches unless a request says it."""

_DAY: Final = timedelta(days=1)

_REMEMBERED_RECORDINGS: Final = 10_000
"""How many recordings are remembered as already listed."""

_MOST_LISTED: Final = 1_000_000
"""How many recordings of one window are listed if the server does not say how many there are."""

_MOST_REPEATED: Final = 10_000
"""How many recordings may occur twice because others are added while the list is read."""

_LONGEST_ADDRESS: Final = 8_000
"""Characters. No server accepts a longer address."""

_MOST_DIGITS: Final = 19
"""No list holds 2**63 recordings."""


def time_windows(added_after: datetime | None, added_before: datetime | None, now: datetime) -> Iterator[TimeWindow]:
    """Split a span of time into windows that Plivo accepts, the newest first.

    Neighbouring windows share the time between them, so that no recording is lost however the server rounds times.

    Args:
        added_after: The beginning. If None, 7 days before the end.
        added_before: The end. If None, the span has no end.
        now: The current time.

    Yields:
        Each `TimeWindow`.
    """
    if added_after is None and added_before is None:
        yield None, None
        return
    end = added_before if added_before is not None and added_before <= now + _DAY else None
    newest = end or now
    if newest < PLIVO_BEGAN:
        return
    beginning = newest - _DEFAULT_SPAN if added_after is None else min(max(added_after, PLIVO_BEGAN), now + _DAY)
    while True:
        oldest = max(beginning, newest - _LONGEST_WINDOW)
        yield oldest, end
        if oldest == beginning:
            return
        newest = end = oldest


@attrs.define(kw_only=True)
class _WindowProgress:
    """How far one window was listed.

    Attributes:
        window: The window.
        offset: How many recordings precede the page that is requested next.
        page: The parameters of that page.
        listed: How many recordings were listed.
        repeated: How many occurred again although they had been listed.
        first_total: How many there were when the listing began. If None, the server does not say it.
    """

    window: TimeWindow
    offset: int = 0
    page: Mapping[str, str] = FIRST_PAGE
    listed: int = 0
    repeated: int = 0
    first_total: int | None = None

    def advance(self, page: Page, *, listed: int) -> bool:
        """Go on to the next page of the window.

        Args:
            page: The page that was requested.
            listed: How many of its recordings had not been listed before.

        Returns:
            Whether the window has another page.
        """
        self.listed += listed
        self.repeated += len(page.rows) - listed
        if self.first_total is None:
            self.first_total = page.total
        if self._repeats_itself(page, listed) or self._is_last(page):
            return False
        next_query = _query_parameters(page.next)
        self.offset = self._next_offset(page, next_query)
        self.page = {**FIRST_PAGE, **next_query, "offset": str(self.offset)}
        return True

    def is_whole(self, last: Page) -> bool:
        """Return whether nothing on the last page indicates that the window holds more recordings."""
        return self._is_last(last) if last.rows else last.total is None or last.total <= self.offset

    def _repeats_itself(self, page: Page, listed: int) -> bool:
        added_meanwhile = 0 if page.total is None or self.first_total is None else page.total - self.first_total
        if not listed and (not page.rows or self.repeated > min(added_meanwhile, _MOST_REPEATED)):
            return True
        return self.listed > (_MOST_LISTED if page.total is None else 2 * page.total + 1_000)

    def _is_last(self, page: Page) -> bool:
        after_page = self.offset + len(page.rows)
        if _query_parameters(page.next) or (page.total is not None and page.total > after_page):
            return False
        return (page.ends and page.total is not None) or len(page.rows) < (page.limit or PAGE_SIZE)

    def _next_offset(self, page: Page, next_query: Mapping[str, str]) -> int:
        """Return the offset of the server's own address, if it is greater and skips no recording."""
        offset = _offset_in(next_query.get("offset", ""))
        after_page = self.offset + len(page.rows)
        return (
            offset if self.offset < offset <= max(after_page, self.offset + (page.limit or PAGE_SIZE)) else after_page
        )


class Listing:
    """One reading of the list, from the first page to the last.

    It follows the server's addresses of further pages, but uses only their query, because the rest could send the
    account's credentials anywhere. It always ends: a page without a new recording is the last one of its window, unless
    as many recordings were added meanwhile as occurred twice. So is a page after which far more recordings were listed
    than the server counts.

    Args:
        conference_name: Only recordings of this conference. If None, of all conferences and calls.
        added_after: Only recordings added at or after this time (aware). If None, 7 days before the end.
        added_before: Only recordings added at or before this time (aware). If None, there is no limit.
        now: The current time.

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
        after = None if added_after is None else aware_datetime("added_after", added_after)
        before = None if added_before is None else aware_datetime("added_before", added_before)
        if after is not None and before is not None and after > before:
            raise ValueError(f"added_after must not be later than added_before: {after} > {before}")
        self._conference_name = conference_name
        self._windows = (_WindowProgress(window=window) for window in time_windows(after, before, now))
        self._current = next(self._windows, None)
        self._whole = True
        self._seen: dict[tuple[str, datetime | None], None] = {}

    @property
    def complete(self) -> bool:
        """Whether everything was listed, as far as the server's pages indicate."""
        return self._current is None and self._whole

    @property
    def request(self) -> Request[Page] | None:
        """The request for the next page. If None, the last page was read."""
        if self._current is None:
            return None
        added_after, added_before = self._current.window
        return list_recordings(
            conference_name=self._conference_name,
            added_after=added_after,
            added_before=added_before,
            page=self._current.page,
        )

    def take(self, page: Page) -> list[Recording]:
        """Go on to the next page.

        Args:
            page: The page that was returned for `request`.

        Returns:
            The recordings of the page that were not on an earlier one.
        """
        new = [row for row in page.rows if self._is_new(row)]
        if self._current is not None and not self._current.advance(page, listed=len(new)):
            self._whole &= self._current.is_whole(page)
            self._current = next(self._windows, None)
        return new

    def _is_new(self, row: Recording) -> bool:
        key = (row.recording_id or _content(row), row.added_at)  # two recordings may have an ID like "N/A"
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED_RECORDINGS:
            del self._seen[next(iter(self._seen))]
        return True


def _query_parameters(address: str | None) -> dict[str, str]:
    if address is None or len(address) > _LONGEST_ADDRESS:
        return {}
    try:
        return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
    except ValueError:
        return {}


def _offset_in(digits: str) -> int:
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < _MOST_DIGITS else 0


def _content(row: Recording) -> str:
    try:
        return json.dumps(row.raw, sort_keys=True)
    except RecursionError:
        return str(row)
