"""Evidence in, stored record and its effects out: the only way in which a followed recording changes.

The record and the new evidence go into the pure lifecycle; what comes out is stored if nobody was faster, and only
then its effects are handed out. So two processes may learn of one recording at the same time, and nothing is
acknowledged before it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

import attrs

from plivo_record_async import _clock
from plivo_record_async.errors import UnknownStartError
from plivo_record_async.protocol.clocks import DueTime, Reading
from plivo_record_async.protocol.recording.evidence import (
    CameDue,
    EventName,
    Evidence,
    SendingContinued,
    StartAccepted,
    StartNotSent,
    StartRefused,
    StartUnanswered,
)
from plivo_record_async.protocol.recording.lifecycle import Effect, apply
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING, TrackingPolicy
from plivo_record_async.stores.interface import Store

__all__ = ["ContradictionError", "Ledger"]

_OF_ONE_SENDING = (SendingContinued, StartAccepted, StartNotSent, StartRefused, StartUnanswered)


class ContradictionError(Exception):
    """Evidence contradicts what is known, so nothing was learned; the text says in what."""


@attrs.define(kw_only=True, eq=False)
class Ledger:
    """The records of one store.

    Attributes:
        store: Where they are kept.
        tracking: The intervals and timeouts.
        handled: The events that have handlers.
        read: Reads the clocks that decide which records are due.
    """

    store: Store
    tracking: TrackingPolicy = DEFAULT_TRACKING
    handled: Collection[EventName] = ()
    read: Callable[[], Reading] = _clock.read
    _due: DueTime = attrs.field(factory=DueTime)

    def due_time(self) -> datetime:
        """Return the time that decides which records are due."""
        return self._due.at(self.read())

    async def get(self, start_id: str) -> FollowedRecording:
        """The record as it is now.

        Raises:
            UnknownStartError: The store has none, or none any more.
            StoreError: The store could not be read.
        """
        record = await self.store.get(start_id)
        if record is None:
            raise UnknownStartError(start_id)
        return record

    async def apply_due(self, record: FollowedRecording) -> tuple[FollowedRecording, tuple[Effect, ...]] | None:
        """Store that the time of a record has come. Of several who try, one does.

        Args:
            record: The record as the store returned it.

        Returns:
            As `apply`; None if somebody has changed the record since.

        Raises:
            ValueError: Nothing follows from its time, so it would be due for ever.
            StoreError: It could not be stored.
        """
        changed, effects = apply(record, CameDue(), self.due_time(), self.tracking, handled=self.handled)
        if changed is record:
            raise ValueError(f"start {record.start_id} is {record.state} and due at {record.due_at}, but for nothing")
        return (changed, effects) if await self.store.replace(changed) else None

    async def apply(
        self,
        record: FollowedRecording,
        evidence: Evidence,
        *,
        contradiction: Callable[[FollowedRecording], str | None] | None = None,
    ) -> tuple[FollowedRecording, tuple[Effect, ...]]:
        """Take in one piece of evidence.

        Args:
            record: What was known last; it need not be the newest.
            evidence: What is new. What our own sending tells counts for the sending that ``record`` knows of: if
                another has begun since, it says nothing.
            contradiction: Says in what the evidence contradicts the record; asked for each state of the record that the
                evidence would change. If None, the evidence is believed.

        Returns:
            The record as it is stored now, with or without a change; and what is to be done.

        Raises:
            ContradictionError: The evidence contradicts the record.
            UnknownStartError: The record was pruned meanwhile.
            StoreError: It could not be stored, so nothing was learned.
        """
        known = record
        while True:
            reason = contradiction and contradiction(record)
            if reason:
                raise ContradictionError(reason)
            changed, effects = apply(record, evidence, _clock.now(), self.tracking, handled=self.handled)
            if changed is record:
                return record, ()
            if await self.store.replace(changed):
                return changed, effects
            record = await self.get(record.start_id)
            if isinstance(evidence, _OF_ONE_SENDING) and _sendings(record) != _sendings(known):
                return record, ()


def _sendings(record: FollowedRecording) -> int:
    return sum(step.kind == "sending_began" for step in record.steps)
