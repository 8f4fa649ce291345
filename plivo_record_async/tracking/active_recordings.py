"""The number of recordings whose end is not known, for the metric ``plivo.recording.active``."""

from __future__ import annotations

from collections.abc import Mapping

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.schedule import UNRESOLVED_STATES
from plivo_record_async.stores.interface import Store

__all__ = ["ActiveRecordings"]


class ActiveRecordings:
    """Counts the recordings of a store, whenever a reader of metrics has asked for their number.

    A reader asks in any thread and does not wait, so it gets the numbers of the count that its last request caused.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counts: Mapping[RecordingState, int] = {}
        self._is_requested = False

    def read(self) -> Mapping[RecordingState, int]:
        """Return the number of recordings in each state in which the end is not known, and request a new count."""
        self._is_requested = True
        return self._counts

    async def count(self) -> None:
        """Count the recordings if this was requested.

        Raises:
            StoreError: The store could not be read.
        """
        if self._is_requested:
            self._is_requested = False
            counts = await self._store.counts()
            self._counts = {state: counts.get(state, 0) for state in UNRESOLVED_STATES}
