"""`FleetClient`: submits batches to a fleet and reads their progress and outcomes, without being a worker."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from hashlib import sha256
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import attrs

from plivo_record_async._value import Value
from plivo_record_async.errors import ClosedError
from plivo_record_async.fleet.encoding import decode_item, decode_outcome, encode_item
from plivo_record_async.fleet.engine import Engine
from plivo_record_async.protocol.arguments import utf8_text
from plivo_record_async.protocol.models import Outcome, StartRequest
from plivo_record_async.tracking.starter import request_of

__all__ = ["BatchProgress", "FleetClient", "Requests"]

Requests: TypeAlias = Iterable[str | StartRequest] | AsyncIterable[str | StartRequest]
"""The items of a batch."""

_GROUP: Final = 200
"""The number of items that are stored in one transaction."""

_LATE: Final = 20_000
"""An outcome may become visible this many milliseconds after its time, because it has to be committed first."""


@attrs.frozen(kw_only=True)
class BatchProgress(Value):
    """How many items of a batch are in which state.

    Attributes:
        total: How many items were submitted.
        waiting: How many no worker has taken yet.
        running: How many a worker has taken. If the worker has died, another one takes them.
        started: How many Plivo has accepted.
        failed: How many Plivo has rejected, and of how many nothing was sent.
        unknown: How many may have been executed: no response says whether they were.
    """

    total: int
    waiting: int
    running: int
    started: int
    failed: int
    unknown: int


class FleetClient:
    """Submits batches to a fleet, and reads their progress and their outcomes.

    It does not need a tracker, and starts nothing itself: the workers do.

    .. code-block:: python

        from plivo_record_async.fleet import FleetClient


        async def submit(rooms: list[str]) -> int:
            async with FleetClient("postgresql://me@db.example/plivo") as client:
                return await client.submit("monday", rooms)

    Args:
        database_url: The address of the fleet's database: ``sqlite:///`` and the path of a file, or ``postgresql://``.
        name: The name of the fleet: 3 to 256 lowercase letters, digits, ``-`` and ``_``. Fleets with different names
            can share a database.

    Raises:
        ConfigurationError: ``database_url`` is not such an address, ``name`` is not valid, or the extra ``fleet`` is
            not installed. Importing the class raises the last one.
    """

    def __init__(self, database_url: str = "sqlite:///fleet.db", *, name: str = "plivo-record") -> None:
        self._engine = Engine(database_url, name)
        self._is_open = False

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._engine.open)
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        await asyncio.to_thread(self._engine.close)

    async def submit(self, batch: str, requests: Requests, *, transcribe: bool = False) -> int:
        """Add items to a batch. It is safe to repeat the call: an item that the batch already has is not added again.

        An item is identified by its content, so the order of the items does not matter. If several items have the same
        content, the first, the second and so on are different items. The items are read lazily and stored in groups. If
        the call fails or is cancelled, repeat it.

        Args:
            batch: The name of the batch: any text.
            requests: An iterable or async iterable of conference names, or of ``StartRequest`` values without
                ``callback_url`` and ``transcription_url``, because the tracker issues these URLs.
            transcribe: Whether to request transcripts.

        Returns:
            How many items are new.

        Raises:
            TypeError: ``requests`` is not iterable or is a single string, or an item has the wrong type.
            ValueError: An item is not valid. The items before it may have been stored.
            StoreError: The fleet's database cannot be used.
            ClosedError: The client is closed.
        """
        key = self._key_of(batch)
        if isinstance(requests, str | bytes) or not isinstance(requests, Iterable | AsyncIterable):
            raise TypeError(f"requests must be an iterable of names or requests, not {type(requests).__name__}")
        new, group, occurrences = 0, dict[str, Sequence[Any]](), Counter[bytes]()
        async for item in _iterated(requests):
            content = json.dumps(encode_item(request_of(item), transcribe=transcribe), sort_keys=True)
            content_hash = sha256(content.encode()).digest()
            occurrences[content_hash] += 1
            digest = sha256(content_hash + b"%d" % occurrences[content_hash]).hexdigest()[:32]
            dedupe_key = f"fleet {self._engine.name} {batch} {digest}"
            group[f"{key}{digest}"] = (dedupe_key, encode_item(item, transcribe=transcribe))
            if len(group) == _GROUP:
                new += await asyncio.to_thread(self._engine.submit, group)
                group = {}
        return new + (await asyncio.to_thread(self._engine.submit, group) if group else 0)

    async def progress(self, batch: str) -> BatchProgress:
        """Return how many items of a batch are in which state.

        Args:
            batch: The name of the batch. If there is no such batch, all numbers are 0.

        Raises:
            StoreError: The fleet's database cannot be used.
            ClosedError: The client is closed.
        """
        counts = await asyncio.to_thread(self._engine.counts, self._key_of(batch))
        names = ("waiting", "running", "started", "failed", "unknown")
        return BatchProgress(total=sum(counts.values()), **{name: counts.get(name, 0) for name in names})

    async def outcomes(self, batch: str) -> AsyncGenerator[Outcome[str | StartRequest, str], None]:
        """Yield the outcome of each item of a batch, until every item that was submitted has one.

        Outcomes that exist already are yielded at once, and the others as they arrive. If no worker runs, the method
        waits for one.

        Args:
            batch: The name of the batch.

        Yields:
            One ``Outcome`` for each item. Its ``request`` is equal to the item, its ``result`` is the ``start_id``, and
            its ``error`` is the exception that ``tracker.start`` raised.

        Raises:
            StoreError: The fleet's database cannot be used.
            ClosedError: The client is closed.
        """
        at, key = 0, ""
        seen: dict[str, int] = {}
        while True:
            progress = await self.progress(batch)
            while page := await asyncio.to_thread(self._engine.finished, self._key_of(batch), (at, key)):
                for at, key, item, outcome in page:
                    if key not in seen:
                        seen[key] = at
                        yield decode_outcome(decode_item(item)[0], outcome)
            if not progress.waiting + progress.running:
                return
            at, key = at - _LATE, ""
            seen = {each: time for each, time in seen.items() if time >= at}
            await asyncio.sleep(0.5)

    def _key_of(self, batch: str) -> str:
        """Return the beginning of the keys of the items of a batch."""
        if not self._is_open:
            raise ClosedError("the fleet is closed: use it within `async with`")
        return sha256(f"{self._engine.name} {utf8_text('batch', batch)}".encode()).hexdigest()[:24]


async def _iterated(requests: Requests) -> AsyncIterator[str | StartRequest]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
