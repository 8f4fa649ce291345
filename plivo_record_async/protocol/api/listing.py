"""Plivo's list of recordings, page by page: which page is next, which of its recordings are new, and which is the last.

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
from plivo_record_async.protocol.api.wire import EARLIEST_TIME
from plivo_record_async.protocol.arguments import aware_datetime
from plivo_record_async.protocol.models import Recording

__all__ = ["Listing", "time_windows"]

TimeWindow = tuple[datetime | None, datetime | None]
"""The first and the last time of a span in which recordings were added, both inclusive. None means no limit."""

_LONGEST_WINDOW: Final = timedelta(days=29)
"""The longest window of one request. Plivo accepts 30 days; one day allows for the difference between the clocks."""

_DEFAULT_SPAN: Final = timedelta(days=7)
"""How far back Plivo's list reaches if a request does not say it."""

_DAY: Final = timedelta(days=1)

_REMEMBERED_RECORDINGS: Final = 10_000
"""The number of listed recordings that are remembered, so that they are not listed again."""

_MOST_LISTED: Final = 1_000_000
"""The maximum number of recordings of one window, if the server does not say how many there are."""

_MOST_REPEATED: Final = 10_000
"""The maximum number of recordings that may occur twice because others are added while the list is read."""

_LONGEST_URL: Final = 8_000
"""Characters. No server accepts a longer URL."""

_MOST_DIGITS: Final = 19
"""No list contains 2**63 recordings or more."""


def time_windows(added_after: datetime | None, added_before: datetime | None, now: datetime) -> Iterator[TimeWindow]:
    """Split a span of time into windows that Plivo accepts, with the newest window first.

    A window ends at the time at which the next newer one begins, so that no recording is lost if the server rounds
    times.

    Args:
        added_after: The beginning of the span. If None, it is 7 days before the end.
        added_before: The end of the span. If None, the span has no end.
        now: The current time.

    Yields:
        Each `TimeWindow`.
    """
    if added_after is None and added_before is None:
        yield None, None
        return
    end = added_before if added_before is not None and added_before <= now + _DAY else None
    newest = end or now
    if newest < EARLIEST_TIME:
        return
    beginning = newest - _DEFAULT_SPAN if added_after is None else min(max(added_after, EARLIEST_TIME), now + _DAY)
    while True:
        oldest = max(beginning, newest - _LONGEST_WINDOW)
        yield oldest, end
        if oldest == beginning:
            return
        newest = end = oldest


@attrs.define(kw_only=True)
class _WindowProgress:
    """The progress of listing one window.

    Attributes:
        window: The window.
        offset: The number of recordings before the page that is requested next.
        page: The parameters of that page.
        listed: The number of recordings that were listed.
        repeated: The number of recordings that occurred again after they were listed.
        first_total: The number of recordings in the window when the listing began. If None, the server does not say it.
    """

    window: TimeWindow
    offset: int = 0
    page: Mapping[str, str] = FIRST_PAGE
    listed: int = 0
    repeated: int = 0
    first_total: int | None = None

    def advance(self, page: Page, *, listed: int) -> bool:
        """Move to the next page of the window.

        Args:
            page: The page that was requested.
            listed: The number of its recordings that had not been listed before.

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
        """Return whether nothing on the last page indicates that the window contains more recordings."""
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
        """Return the offset that the server gives, or that of the end of this page if the server skips recordings."""
        offset = _offset_in(next_query.get("offset", ""))
        after_page = self.offset + len(page.rows)
        return (
            offset if self.offset < offset <= max(after_page, self.offset + (page.limit or PAGE_SIZE)) else after_page
        )


class Listing:
    """The state of one listing, from the first page to the last.

    The server says at which URL the next page is. Only the query of that URL is used, because the rest could send the
    account's credentials anywhere.

    A listing always ends. A page without new recordings is the last page of its window, unless as many recordings were
    added in the meantime as occurred twice. A page is also the last one if far more recordings have been listed than
    the server says there are.

    Args:
        conference_name: List only recordings of this conference. If None, list those of all conferences and calls.
        added_after: List only recordings that were added at or after this time (aware). If None, the list begins 7 days
            before the end.
        added_before: List only recordings that were added at or before this time (aware). If None, there is no limit.
        now: The current time.

    Raises:
        ValueError: A time is not aware, or ``added_after`` is later than ``added_before``.
        TypeError: A time is not a ``datetime``.
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
        """Whether the last page was read, and no page indicates that recordings are missing."""
        return self._current is None and self._whole

    @property
    def request(self) -> Request[Page] | None:
        """The request for the next page. If None, the last page has been read."""
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
        """Take the recordings of a page, and move to the next page.

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
        key = (row.recording_id or _content(row), row.added_at)  # in case several recordings have an ID like "N/A"
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED_RECORDINGS:
            del self._seen[next(iter(self._seen))]
        return True


def _query_parameters(url: str | None) -> dict[str, str]:
    if url is None or len(url) > _LONGEST_URL:
        return {}
    try:
        return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    except ValueError:
        return {}


def _offset_in(digits: str) -> int:
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < _MOST_DIGITS else 0


def _content(row: Recording) -> str:
    try:
        return json.dumps(row.raw, sort_keys=True)
    except RecursionError:
        return str(row)
