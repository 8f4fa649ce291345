"""Asking Plivo about one recording, with at most a tenth of the account's quota."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from plivo_record_async import _clock
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import NotFoundError
from plivo_record_async.protocol.api.endpoints import get_conference, get_recording
from plivo_record_async.protocol.api.listing import Listing
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.clocks import Reading
from plivo_record_async.protocol.models import RateLimit, Recording
from plivo_record_async.protocol.recording.evidence import Evidence
from plivo_record_async.protocol.recording.reconcile import Claim, conclude, matching, ownership_of, start_window, weigh
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import TrackingPolicy
from plivo_record_async.stores.interface import Store
from plivo_record_async.transport.quota import Quota

__all__ = ["Reconciler"]

T = TypeVar("T")

_SHARE = 10
"""The account's quota divided by this is the quota of the questions."""

_MOST_PAGES = 50
"""The most pages that are read for one recording. They hold a thousand recordings of its conference."""


class Reconciler:
    """Asks Plivo for its list of recordings and for the conference.

    Args:
        client: The client that asks.
        store: The store, which knows the recordings of other starts.
        read: Reads the clocks of this machine.
    """

    def __init__(self, client: RecordClient, store: Store, *, read: Callable[[], Reading] = _clock.read) -> None:
        self._client = client
        self._store = store
        self._read = read
        self._quota = Quota(client.rate_limit and _share_of(client.rate_limit))

    async def reconcile(self, record: FollowedRecording, tracking: TrackingPolicy) -> Evidence | None:
        """Ask Plivo about a recording.

        Args:
            record: The recording.
            tracking: The intervals and timeouts.

        Returns:
            The evidence. If None, Plivo has to be asked again later.

        Raises:
            PlivoRecordError: Plivo could not be asked, or the store could not be read.
        """
        rows, complete = await self._listed(record)
        matches = matching(record, rows, start_window(record, self._client.plivo_clock, self._read()))
        claims: dict[Recording, Claim] = {
            row: await self._claim(row, record) for row in (*matches.likely, *matches.possible)
        }
        finding = weigh(record, matches, claims, complete=complete)
        live = finding.is_open and await self._is_live(record.conference_name)
        plivo_time = self._client.plivo_clock.time(self._read())
        return conclude(record, finding, live=live, plivo_time=plivo_time, tracking=tracking)

    async def _listed(self, record: FollowedRecording) -> tuple[Sequence[Recording], bool]:
        """Return the rows of the recording's conference, and whether the whole list was read."""
        if record.recording_id is not None:
            try:
                return [await self._ask(get_recording(record.recording_id))], True
            except NotFoundError:
                pass  # the list may have it with another id, and has the URL of its file
        now = self._read()
        search = start_window(record, self._client.plivo_clock, now)
        listing = Listing(conference_name=record.conference_name, added_after=search.added_after, now=now.wall)
        rows: list[Recording] = []
        for _ in range(_MOST_PAGES):
            if listing.request is not None:
                rows += listing.take(await self._ask(listing.request))
        return rows, listing.complete

    async def _claim(self, row: Recording, record: FollowedRecording) -> Claim:
        owner = None if row.recording_id is None else await self._store.find("recording_id", row.recording_id)
        return ownership_of(owner, row, record)

    async def _is_live(self, conference_name: str) -> bool:
        try:
            await self._ask(get_conference(conference_name))
        except NotFoundError:
            return False
        return True

    async def _ask(self, request: Request[T]) -> T:
        """Send a request once, within the quota of the questions. A retry by the client would exceed it."""
        await self._quota.acquire()
        try:
            return await self._client.call(request, max_retries=0)
        finally:
            self._quota.give_back(used=True)


def _share_of(rate: RateLimit) -> RateLimit:
    """Return a tenth of a rate, in windows at most half as long, so that the questions do not come all at once."""
    limit = max(1, rate.limit // (2 * _SHARE))
    return RateLimit(limit, per=limit * _SHARE * rate.per / rate.limit)
