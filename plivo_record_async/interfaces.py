"""What users may implement themselves: `Store`, the place where followed recordings are kept.

A store is dumb and durable. It decides nothing: `protocol.lifecycle` does, and its record travels through the
store as a value. ``tests/stores/test_contract.py`` says in running code what every store has to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

import attrs

from plivo_record_async._value import Value
from plivo_record_async.protocol.followed import FollowedRecording
from plivo_record_async.protocol.models import CallbackEvent

__all__ = ["FollowedRecording", "Orphan", "PlivoId", "Store"]

PlivoId = Literal["api_id", "recording_id"]
"""The ids of Plivo's by which a followed recording can be found."""


@attrs.frozen(kw_only=True)
class Orphan(Value):
    """A verified callback that belongs to no followed recording, or tells of nothing that is known.

    Attributes:
        received_at: When it came (aware, UTC).
        event: What it says.
    """

    received_at: datetime
    event: CallbackEvent


class Store(Protocol):
    """Where followed recordings are kept.

    What a verb has returned is durable. Each raises `StoreError` if it cannot be done, also after `aclose`;
    what was acknowledged before is not affected. A caller that is cancelled leaves the store whole; its own change
    may be made all the same, then or a moment later. Every instance belongs to one event loop at a time; several
    instances, in several processes too, may share what they keep.
    """

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        """Keep a new record; or, if its ``start_id`` or ``dedupe_key`` is kept already, return that one instead."""
        ...

    async def get(self, start_id: str) -> FollowedRecording | None:
        """The record as it is now."""
        ...

    async def replace(self, record: FollowedRecording) -> bool:
        """Keep a changed record, if nobody was faster.

        Returns:
            Whether it was kept; nothing is changed if the kept record is gone or its ``version`` is not the one before
            that of ``record``.
        """
        ...

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        """The record with that id of Plivo's; the one created first, if several have it."""
        ...

    async def due(self, now: datetime, *, limit: int = 100) -> Sequence[FollowedRecording]:
        """The records whose ``due_at`` is not after ``now``, those that have waited longest first.

        One that cannot be read, because a newer version of this package wrote it, is left out: it must not keep the
        others from being looked after.
        """
        ...

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        """Wait until the record's version is not ``version``, whoever changed it, and return it.

        Within half a second of the change, if another process made it. ``None`` as soon as the record is gone.
        """
        ...

    async def keep_orphan(self, orphan: Orphan) -> None:
        """Keep a callback that belongs to no record."""
        ...

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """The kept callbacks that belong to no record, the latest first."""
        ...

    async def prune(self, before: datetime) -> int:
        """Forget the records that nobody has to look after and whose last news is older than ``before``.

        Orphans received before then are forgotten too. Returns how many records were.
        """
        ...

    async def aclose(self) -> None:
        """Finish what was begun, end all watching with `StoreError`, let go of files. May be called again."""
        ...
