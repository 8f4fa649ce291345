"""Asking Plivo about one recording, with at most a tenth of the account's quota."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from plivo_record_async import _clock
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import NotFoundError
from plivo_record_async.protocol.api.endpoints import get_conference, get_recording
from plivo_record_async.protocol.api.listing import Listing
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.clocks import PlivoClock, Reading
from plivo_record_async.protocol.models import RateLimit, Recording
from plivo_record_async.protocol.recording.evidence import Evidence
from plivo_record_async.protocol.recording.reconcile import (
    Ownership,
    StartWindow,
    assess,
    conclude,
    match_rows,
    ownership_of,
    start_window,
)
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import TrackingPolicy
from plivo_record_async.stores.interface import Store
from plivo_record_async.transport.quota import Quota, SharedRateLimit

__all__ = ["Reconciler"]

T = TypeVar("T")

_SHARE = 10
"""Reconciliation may use one part in this many of the account's quota."""

_MAX_PAGES = 50
"""The maximum number of pages that are read for one recording. Together they have up to 1,000 recordings."""


class Reconciler:
    """Requests Plivo's list of recordings, and the conference, to find one recording.

    Args:
        client: The client that sends the requests.
        store: The store, which knows which recordings belong to other starts.
        read: A function that reads the clocks of this machine.
        plivo_clock: The estimate of Plivo's time. If None, the client's.
    """

    def __init__(
        self,
        client: RecordClient,
        store: Store,
        *,
        read: Callable[[], Reading] = _clock.read,
        plivo_clock: PlivoClock | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._read = read
        self._plivo_clock = plivo_clock or client.plivo_clock
        rate = client.rate_limit
        self._quota = Quota(None if rate is None else _share_of(rate))
        self._account_quota = (
            rate.quota_of(client.settings.auth_id) if isinstance(rate, SharedRateLimit) else Quota(None)
        )

    def owns(self, record: FollowedRecording) -> bool:
        """Return whether a recording belongs to the client's account, so that Plivo can be asked about it.

        Args:
            record: The recording.
        """
        return record.auth_id in {None, self._client.settings.auth_id}

    def plivo_time(self) -> datetime | None:
        """Return the time by Plivo's clock. If None, it is not known yet."""
        return self._plivo_clock.time(self._read())

    async def reconcile(self, record: FollowedRecording, tracking: TrackingPolicy) -> Evidence | None:
        """Ask Plivo about a recording.

        Args:
            record: The recording.
            tracking: The intervals and timeouts.

        Returns:
            The evidence that follows from the answers. If None, Plivo has to be asked again later.

        Raises:
            PlivoRecordError: Plivo could not be asked, or the store could not be read.
        """
        rows, complete = await self._list(record)
        matches = match_rows(record, rows, self.window(record))
        owners: dict[Recording, Ownership] = {
            row: ownership_of(row, await self._owner(row), record) for row in (*matches.likely, *matches.possible)
        }
        assessment = assess(record, matches, owners, complete=complete)
        live = assessment.needs_conference and await self._is_live(record.conference_name)
        return conclude(record, assessment, live=live, plivo_time=self.plivo_time(), tracking=tracking)

    def window(self, record: FollowedRecording) -> StartWindow:
        """Return the period in which a recording must have begun.

        Args:
            record: The recording.
        """
        return start_window(record, self._plivo_clock, self._read())

    async def _list(self, record: FollowedRecording) -> tuple[Sequence[Recording], bool]:
        """Return the rows of the recording's conference, and whether the whole list was read."""
        if record.recording_id is not None:
            try:
                return [await self.send(get_recording(record.recording_id))], True
            except NotFoundError:
                pass  # the list may contain the recording under another ID, with the URL of its file
        listing = Listing(
            conference_name=record.conference_name,
            added_after=self.window(record).added_after,
            now=self._read().wall,
        )
        rows: list[Recording] = []
        for _ in range(_MAX_PAGES):
            if listing.request is not None:
                rows += listing.take(await self.send(listing.request))
        return rows, listing.complete

    async def _owner(self, row: Recording) -> FollowedRecording | None:
        return None if row.recording_id is None else await self._store.find("recording_id", row.recording_id)

    async def _is_live(self, conference_name: str) -> bool:
        try:
            await self.send(get_conference(conference_name))
        except NotFoundError:
            return False
        return True

    async def send(self, request: Request[T]) -> T:
        """Send a request once, within the share of the quota. A retry by the client would exceed the share.

        If several processes share the quota of the account, they divide the tenth equally.

        Args:
            request: The request.

        Returns:
            The result.

        Raises:
            PlivoRecordError: Plivo could not be asked, or answered with an error.
        """
        await self._quota.acquire()
        try:
            return await self._client.call(request, max_retries=0)
        finally:
            self._quota.give_back(used=True, windows=self._account_quota.holders)


def _share_of(rate: RateLimit | SharedRateLimit) -> RateLimit:
    """Return a tenth of a rate.

    If the limit is at least 20, the window is at most half as long, so that the requests are spread over time.
    """
    limit = max(1, rate.limit // (2 * _SHARE))
    return RateLimit(limit, per=limit * _SHARE * rate.per / rate.limit)
