"""`list_records`, which reads the records of a store page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from datetime import datetime
from typing import Final

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.stores.interface import FollowedRecording, Store

__all__ = ["list_records"]

_PAGE: Final = 50
"""The number of records in one page. A longer page would delay its first record and the other calls of the store."""


async def list_records(
    store: Store,
    *,
    states: Collection[RecordingState] | None = None,
    conference_name: str | None = None,
    updated_after: datetime | None = None,
) -> AsyncGenerator[FollowedRecording, None]:
    """Yield the records of a store that all filters select, the latest ``updated_at`` first.

    The store is read page by page, so memory does not grow with the number of records. Each record that does not change
    during the iteration is yielded exactly once, whatever happens to other records. A record that does change may be
    left out, or may be yielded twice. A record that cannot be read is left out.

    Args:
        store: The store.
        states: Yield only the records in one of these states. If None, the state does not matter.
        conference_name: Yield only the records of this conference. If None, the name does not matter.
        updated_after: Yield only the records that were last updated at this time or later. If None, the time does not
            matter.

    Yields:
        The records.

    Raises:
        StoreError: The store could not be read.
        ClosedError: The store is closed.
        ConfigurationError: The store is in use in another event loop.
    """
    last: FollowedRecording | None = None
    while True:
        page = await store.records(
            states=states,
            conference_name=conference_name,
            updated_after=updated_after,
            older_than=last,
            limit=_PAGE,
        )
        for record in page:
            yield record
        if len(page) < _PAGE:
            return
        last = page[-1]
