"""Many calls, bounded: read lazily, outcomes as they finish, nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from plivo_record_async.protocol.arguments import whole
from plivo_record_async.protocol.models import Failed, Outcome, Succeeded

__all__ = ["run_many"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def run_many(
    items: Iterable[ItemT] | AsyncIterable[ItemT],
    call: Callable[[ItemT], Awaitable[ResultT]],
    *,
    concurrency: int,
) -> AsyncGenerator[Outcome[ItemT, ResultT], None]:
    """Call ``call`` for each item, at most ``concurrency`` at a time, and yield outcomes as they finish.

    Items are read only when there is room for them, and outcomes that nobody takes hold the reading back, so
    memory stays O(concurrency). If ``items`` itself raises, what is under way is finished and yielded first, and
    then the exception is raised. Leaving the loop early cancels what is under way.

    Raises:
        TypeError: ``items`` is a text, or cannot be iterated; ``concurrency`` is not an ``int``.
        ValueError: ``concurrency`` is less than 1.
    """
    if isinstance(items, str | bytes) or not isinstance(items, Iterable | AsyncIterable):
        raise TypeError(f"requests must be an iterable of names or requests, not {type(items).__name__}: {items!r}")
    whole("concurrency", concurrency, least=1)
    source = items if isinstance(items, AsyncIterable) else _InTurn(items)
    return _Batch(aiter(source), call, concurrency).outcomes()


class _InTurn(Generic[ItemT]):
    """A plain iterable as an async iterator; unlike an async generator it needs no closing."""

    def __init__(self, items: Iterable[ItemT]) -> None:
        self._items = iter(items)

    def __aiter__(self) -> _InTurn[ItemT]:
        return self

    async def __anext__(self) -> ItemT:
        for item in self._items:
            return item
        raise StopAsyncIteration


class _Batch(Generic[ItemT, ResultT]):
    """Workers that take turns at reading; each reads an item, then calls, then reads again."""

    def __init__(
        self, source: AsyncIterator[ItemT], call: Callable[[ItemT], Awaitable[ResultT]], concurrency: int
    ) -> None:
        self._source = source
        self._call = call
        self._concurrency = concurrency
        self._reading = asyncio.Lock()
        self._exhausted = False
        self._failure: BaseException | None = None
        self._left_early = False
        self._workers: set[asyncio.Task[None]] = set()
        self._at_work = 0
        self._finished: asyncio.Queue[Outcome[ItemT, ResultT] | None] = asyncio.Queue(maxsize=concurrency)

    async def outcomes(self) -> AsyncGenerator[Outcome[ItemT, ResultT], None]:
        self._hire()
        try:
            while (outcome := await self._finished.get()) is not None:
                yield outcome
        finally:
            self._left_early = True
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    def _hire(self) -> None:
        self._at_work += 1
        worker = asyncio.create_task(self._work())
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        while True:
            async with self._reading:
                if self._exhausted:
                    break
                try:
                    item = await anext(self._source)
                except StopAsyncIteration:
                    self._exhausted = True
                    break
                except (Exception, asyncio.CancelledError) as error:
                    if self._left_early:
                        raise
                    # The source's own, a cancellation too: raised again at the consumer.
                    self._exhausted, self._failure = True, error
                    break
                if self._at_work < self._concurrency:
                    self._hire()
            await self._finished.put(await self._outcome(item))
        self._at_work -= 1
        if not self._at_work:
            await self._finished.put(None)  # the last one to go says that there is no more

    async def _outcome(self, item: ItemT) -> Outcome[ItemT, ResultT]:
        try:
            return Succeeded(item, await self._call(item))
        except Exception as error:  # noqa: BLE001 - it is the item's outcome
            return Failed(item, error)
