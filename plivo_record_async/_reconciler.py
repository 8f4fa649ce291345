"""Asking Plivo about recordings that are silent, with at most a tenth of the account's rate."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from plivo_record_async import _clock
from plivo_record_async._limiter import Quota
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import NotFoundError
from plivo_record_async.interfaces import Store
from plivo_record_async.protocol.endpoints import PAGE
from plivo_record_async.protocol.evidence import Evidence
from plivo_record_async.protocol.followed import FollowedRecording, Terms
from plivo_record_async.protocol.models import RateLimit, Recording
from plivo_record_async.protocol.reconcile import candidates, conclude, send_window

__all__ = ["Reconciler"]

_SHARE = 10
"""One call in so many of the account's quota goes into looking."""


class Reconciler:
    """Looks at Plivo's list of recordings and at the conference.

    Args:
        client: What asks.
        store: Where the other recordings are kept.
    """

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
        listed = candidates(record, await self._listed(record))
        found = [row for row in listed if not await self._is_anothers(row, record)]
        live = not found and await self._is_live(record.conference_name)
        return conclude(record, found, live=live, now=_clock.now(), terms=terms)

    async def _listed(self, record: FollowedRecording) -> list[Recording]:
        first, _ = send_window(record)
        coming = self._client.list_recordings(conference_name=record.conference_name, added_after=first)
        rows: list[Recording] = []
        while len(rows) % PAGE == 0:
            async with self._turn():
                page = await _page(coming)
            if not page:
                break
            rows += page
        return rows

    async def _is_anothers(self, row: Recording, record: FollowedRecording) -> bool:
        owner = await self._store.find("recording_id", row.recording_id)
        return owner is not None and owner.start_id != record.start_id

    async def _is_live(self, conference_name: str) -> bool:
        try:
            async with self._turn():
                await self._client.get_conference(conference_name)
        except NotFoundError:
            return False
        return True

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        await self._quota.acquire()
        try:
            yield
        finally:
            self._quota.give_back(used=True)


async def _page(coming: AsyncIterator[Recording]) -> list[Recording]:
    """As many as Plivo sends in one answer, so that no second one is asked for."""
    rows: list[Recording] = []
    async for row in coming:
        rows.append(row)
        if len(rows) == PAGE:
            break
    return rows
