"""Copying everything that one store keeps into another, for example from an SQLite file to PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import attrs

from plivo_record_async._value import Value
from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.stores.interface import MAX_ORPHANS_WITHOUT_START, FollowedRecording, Store

__all__ = ["Copied", "copy_store"]

_PAGE: Final = 200
_ALL_ORPHANS: Final = 1000 * MAX_ORPHANS_WITHOUT_START


@attrs.frozen(kw_only=True)
class Copied(Value):
    """What was copied.

    Attributes:
        records: The number of records that the new store has now.
        orphans: The number of orphans that the new store has now.
    """

    records: int
    orphans: int


async def copy_store(source: Store, target: Store, *, resume: bool = False) -> Copied:
    """Copy all records and orphans of a store into another one, and compare the numbers of both.

    No program may use one of the stores meanwhile. The memory of starts that were forgotten is not copied.

    Args:
        source: The store that is read.
        target: The store that is written.
        resume: Whether the target may contain records, because an earlier copy was interrupted. A record that it has
            already must be equal to the one in the source.

    Returns:
        What was copied.

    Raises:
        ConfigurationError: The target is not empty. Nothing was copied.
        StoreError: The target has another record with the same ``start_id`` or ``dedupe_key``, or has
            other numbers of records than the source afterwards; or one of the stores failed.
    """
    if not resume and (number := sum((await target.counts()).values())):
        raise ConfigurationError(
            f"{target!r} is not empty: it has {number} recordings. Nothing was copied. To continue a copy that was "
            "interrupted, give --resume"
        )
    async with aclosing(_pages(source)) as pages:
        async for page in pages:
            await asyncio.gather(*(_copy_record(record, target) for record in page))
    for orphan in reversed(await source.orphans(limit=_ALL_ORPHANS)):  # one after another, to keep their order
        await target.keep_orphan(orphan)
    before, after = Counter(await source.counts()), Counter(await target.counts())
    if before != after:
        raise StoreError(
            f"{source!r} has {before.total()} recordings and {target!r} has {after.total()} now, or they are in other "
            "states: a program uses one of them, or some recordings cannot be read with this version of the package"
        )
    return Copied(records=after.total(), orphans=len(await target.orphans(limit=_ALL_ORPHANS)))


async def _pages(source: Store) -> AsyncGenerator[list[FollowedRecording], None]:
    page: list[FollowedRecording] = []
    while True:
        page = list(await source.records(older_than=page[-1] if page else None, limit=_PAGE))
        yield page
        if len(page) < _PAGE:
            return


async def _copy_record(record: FollowedRecording, target: Store) -> None:
    kept = await target.create(record)
    if kept != record:
        raise StoreError(
            f"{target!r} has another recording for start {record.start_id}: start {kept.start_id} of "
            f"{kept.conference_name!r}, which is {kept.state}; it was not changed"
        )
