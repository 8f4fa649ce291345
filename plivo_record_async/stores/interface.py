"""What users may implement themselves: `Store`, the place where followed recordings are kept.

A store is dumb and durable. It decides nothing: `protocol.lifecycle` does, and its record travels through the
store as a value. ``tests/stores/test_contract.py`` says in running code what every store has to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import attrs

from plivo_record_async._value import Value
from plivo_record_async.protocol.callbacks.fields import PlivoId
from plivo_record_async.protocol.models import CallbackEvent
from plivo_record_async.protocol.recording.record import FollowedRecording

__all__ = ["ORPHANS_OF_A_START", "ORPHANS_OF_NO_START", "FollowedRecording", "Orphan", "PlivoId", "Store"]


ORPHANS_OF_A_START: Final = 20
"""The most orphans that are kept of one start."""

ORPHANS_OF_NO_START: Final = 1000
"""The most orphans that are kept of callbacks that name no start."""


@attrs.frozen(kw_only=True)
class Orphan(Value):
    """A callback with a good signature that was not believed, and is kept because something must have happened.

    Attributes:
        received_at: When it came (aware, UTC).
        event: What it says, or could be taken to say. It was not applied to any recording.
        reason: Why it was not believed.
        digest: The SHA-256 of the signed text, in hexadecimal digits. Whatever else the same text can be read as has
            the same digest, and is the same orphan.
        start_id: The start whose URL was called; ``None`` if the URL named none.
    """

    received_at: datetime
    event: CallbackEvent
    reason: str
    digest: str
    start_id: str | None = None


class Store(Protocol):
    """Where followed recordings are kept.

    What a verb has returned is durable. Each raises ``StoreError`` if it cannot be done, and what was acknowledged
    before is not affected. After `aclose` each raises ``ClosedError``, until `open` is called. A caller that is
    cancelled leaves the store whole; its own change may be made all the same, then or a moment later. Every instance
    belongs to one event loop at a time; several instances, in several processes too, may share what they keep.
    """

    async def open(self) -> None:
        """Allow calls again after `aclose`, in this event loop or another. Does nothing to a store that is open.

        A new store is open.
        """
        ...

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

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        """Return the records whose ``due_at`` is not after ``now``, those that have waited longest first.

        One that cannot be read, because a newer version of this package wrote it, is left out: it must not hold up the
        others.

        Args:
            now: The time.
            limit: How many to return at most.
            silent: Return only the records for which ``protocol.recording.record.is_silent`` is true, or only the
                others. If None, return both.
        """
        ...

    async def watch(self, start_id: str, *, version: int) -> FollowedRecording | None:
        """Wait until the record's version is not ``version``, whoever changed it, and return it.

        Within half a second of the change, if another process made it. ``None`` as soon as the record is gone.
        """
        ...

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep a callback that was not believed, once for each digest.

        Only the latest ``ORPHANS_OF_A_START`` orphans of each start are kept, and the latest ``ORPHANS_OF_NO_START``
        orphans without a start. Orphans of a forgotten start are not kept, nor those that carry the ``api_id`` or the
        ``recording_id`` of its record.

        Returns:
            Whether the orphan is new and was kept.
        """
        ...

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the orphans, the latest first."""
        ...

    async def forget(self, start_id: str, *, now: datetime) -> bool:
        """Erase a record and its orphans: those with its ``start_id``, its ``api_id`` or its ``recording_id``.

        No byte of them is left in what the store writes to a disk. That the start was forgotten is remembered until
        `prune`, in a form that does not tell which start it was.

        Args:
            start_id: The start.
            now: The time (aware).

        Returns:
            Whether there was anything to erase, or the start had been forgotten before.
        """
        ...

    async def prune(self, before: datetime) -> int:
        """Forget the records that nobody has to look after and whose last news is older than ``before``.

        Orphans received before then are deleted too, and so is the memory of starts that were forgotten before then.

        Returns:
            How many records were deleted.
        """
        ...

    async def check(self) -> None:
        """Commit something that changes nothing, so that it is certain that the store can commit.

        Raises:
            StoreError: It cannot.
        """
        ...

    async def aclose(self) -> None:
        """Finish what was begun, end all watching with ``ClosedError``, let go of files. May be called again."""
        ...
