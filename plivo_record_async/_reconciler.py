"""Asking Plivo about recordings that are silent, with at most a tenth of the account's rate."""

from __future__ import annotations

from plivo_record_async import _clock
from plivo_record_async._limiter import Quota
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import NotFoundError
from plivo_record_async.interfaces import Store
from plivo_record_async.protocol.evidence import Evidence
from plivo_record_async.protocol.followed import FollowedRecording, Terms
from plivo_record_async.protocol.models import RateLimit, Recording
from plivo_record_async.protocol.reconcile import candidates, conclude, send_window

__all__ = ["Reconciler"]

_SHARE = 10
"""One call in so many of the account's quota goes into looking."""


class Reconciler:
    """Looks at Plivo's list of recordings and at the conference."""

    def __init__(self, client: RecordClient, store: Store) -> None:
        rate = client.rate_limit
        self._client = client
        self._store = store
        self._quota = Quota(rate and RateLimit(max(1, rate.limit // _SHARE), per=rate.per))

    async def look(self, record: FollowedRecording, terms: Terms) -> Evidence | None:
        """Bring the evidence that Plivo has on a recording, or ``None`` if there is nothing to tell yet.

        Raises:
            PlivoRecordError: Plivo could not be asked, or the store not be read.
        """
        rows = await self._rows(record)
        others = {row.recording_id for row in rows if await self._is_anothers(row, record)}
        found = candidates(record, rows, others)
        live = not found and await self._is_live(record.conference_name)
        return conclude(record, found, live=live, now=_clock.now(), terms=terms)

    async def _rows(self, record: FollowedRecording) -> list[Recording]:
        await self._quota.acquire()
        try:
            listed = self._client.list_recordings(
                conference_name=record.conference_name, added_after=send_window(record)[0]
            )
            return [row async for row in listed]
        finally:
            self._quota.give_back(used=True)

    async def _is_anothers(self, row: Recording, record: FollowedRecording) -> bool:
        owner = await self._store.find("recording_id", row.recording_id)
        return owner is not None and owner.start_id != record.start_id

    async def _is_live(self, conference_name: str) -> bool:
        await self._quota.acquire()
        try:
            await self._client.get_conference(conference_name)
        except NotFoundError:
            return False
        finally:
            self._quota.give_back(used=True)
        return True
