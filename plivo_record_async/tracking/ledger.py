"""Storing evidence, which is the only way in which a followed recording changes.

The lifecycle computes the changed record and its effects. If no other process has changed the record meanwhile, it is
stored. Otherwise the evidence is applied to the newer record. The effects are returned only after the record was
stored, so nothing is acknowledged before that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

import attrs

from plivo_record_async import _clock
from plivo_record_async.errors import UnknownStartError
from plivo_record_async.protocol.clocks import DueTime, Reading
from plivo_record_async.protocol.recording.evidence import (
    DueTimeReached,
    EventName,
    Evidence,
    SendingContinued,
    StartAccepted,
    StartNotSent,
    StartOutcomeUnknown,
    StartRejected,
)
from plivo_record_async.protocol.recording.lifecycle import Effect, apply
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING, TrackingPolicy
from plivo_record_async.stores.interface import Store

__all__ = ["ContradictionError", "Ledger"]

_OF_ONE_SENDING = (SendingContinued, StartAccepted, StartNotSent, StartRejected, StartOutcomeUnknown)
"""The evidence that belongs to one sending of a start. A start of which nothing was sent may be sent again."""


class ContradictionError(Exception):
    """Evidence contradicts the record and was not stored. The text is the reason."""


@attrs.define(kw_only=True, eq=False)
class Ledger:
    """The records of one store.

    Attributes:
        store: The store.
        tracking: The intervals and timeouts.
        events_with_handlers: The events that have handlers.
        read: A function that reads the clocks.
        sleep: A function that waits for so many seconds of these clocks.
    """

    store: Store
    tracking: TrackingPolicy = DEFAULT_TRACKING
    events_with_handlers: Collection[EventName] = ()
    read: Callable[[], Reading] = _clock.read
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _due: DueTime = attrs.field(factory=DueTime)

    def now(self) -> datetime:
        """Return the time (aware, UTC)."""
        return self.read().wall

    def due_time(self) -> datetime:
        """Return the time that decides which records are due."""
        return self._due.at(self.read())

    async def get(self, start_id: str) -> FollowedRecording:
        """Return the current record of a start.

        Args:
            start_id: The ID of the start.

        Raises:
            UnknownStartError: The store has no start with this ID. It may have been pruned or forgotten.
            StoreError: The store could not be read.
        """
        record = await self.store.get(start_id)
        if record is None:
            raise UnknownStartError(start_id)
        return record

    async def apply_due(self, record: FollowedRecording) -> tuple[FollowedRecording, tuple[Effect, ...]] | None:
        """Apply `DueTimeReached` to a record that is due. If several processes try, one of them succeeds.

        Args:
            record: The record as the store returned it.

        Returns:
            The record as it is stored now, and the effects of the change. If None, another process has changed the
            record since it was read.

        Raises:
            ValueError: Nothing has to be done for the record, which would therefore stay due.
            StoreError: The record could not be stored.
        """
        changed, effects = self._changed_by(record, DueTimeReached(), self.due_time())
        if changed is record:
            raise ValueError(
                f"start {record.start_id} is {record.state} and due at {record.due_at}, but nothing has to be done for "
                "it, so it was left unchanged"
            )
        return (changed, effects) if await self.store.replace(changed) else None

    async def apply(
        self,
        record: FollowedRecording,
        evidence: Evidence,
        *,
        contradiction: Callable[[FollowedRecording], str | None] | None = None,
    ) -> tuple[FollowedRecording, tuple[Effect, ...]]:
        """Apply one piece of evidence to a record and store the result.

        Args:
            record: The record, which need not be the newest version.
            evidence: The evidence. If it belongs to a sending of the start, and the start was sent again since
                ``record`` was read, it changes nothing.
            contradiction: A function that returns how the evidence contradicts a record, or None if it does not. It is
                called for each version of the record to which the evidence is applied. If None, nothing is checked.

        Returns:
            The record as it is stored now, and the effects of the change. If nothing changed, there are no effects.

        Raises:
            ContradictionError: The evidence contradicts the record.
            UnknownStartError: The record was pruned or forgotten meanwhile.
            StoreError: The record could not be stored.
        """
        known = record
        while True:
            reason = contradiction and contradiction(record)
            if reason:
                raise ContradictionError(reason)
            changed, effects = self._changed_by(record, evidence, self.now())
            if changed is record:
                return record, ()
            if await self.store.replace(changed):
                return changed, effects
            record = await self.get(record.start_id)
            if isinstance(evidence, _OF_ONE_SENDING) and _sendings(record) != _sendings(known):
                return record, ()

    def _changed_by(
        self, record: FollowedRecording, evidence: Evidence, now: datetime
    ) -> tuple[FollowedRecording, tuple[Effect, ...]]:
        return apply(record, evidence, now, self.tracking, events_with_handlers=self.events_with_handlers)


def _sendings(record: FollowedRecording) -> int:
    """Return how often sending the start has begun."""
    return sum(entry.kind == "sending_began" for entry in record.history)
