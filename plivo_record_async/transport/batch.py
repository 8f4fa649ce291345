"""Batches: calls for many items that run concurrently. Items are read lazily, and outcomes are yielded as calls end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from plivo_record_async.protocol.arguments import integer, positive_number
from plivo_record_async.protocol.models import Failed, Outcome, Succeeded

__all__ = ["run_many"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def run_many(
    items: Iterable[ItemT] | AsyncIterable[ItemT],
    call: Callable[[ItemT], Awaitable[ResultT]],
    *,
    concurrency: int,
    timeout: float | None = None,
) -> AsyncGenerator[Outcome[ItemT, ResultT], None]:
    """Make a call for each item, and yield each outcome as soon as its call ends.

    An item is read only when its call can begin, and no item is read while too many outcomes have not been consumed, so
    memory use is proportional to ``concurrency``. If ``items`` raises an exception, the calls that have begun are
    completed and their outcomes are yielded before the exception is raised. If the loop is left early, the calls that
    have begun are cancelled.

    Args:
        items: The items.
        call: The function that makes the call for one item.
        concurrency: The maximum number of calls at the same time.
        timeout: The time limit that ``call`` uses. It is only checked here, so that an invalid one raises an error at
            once, instead of one for each item. If None, ``call`` uses its default.

    Yields:
        One `Outcome` for each item.

    Raises:
        TypeError: ``items`` is a string or not iterable, ``concurrency`` is not an integer, or ``timeout`` is not a
            number.
        ValueError: ``concurrency`` is less than 1, or ``timeout`` is not a finite number above 0.
    """
    if isinstance(items, str | bytes) or not isinstance(items, Iterable | AsyncIterable):
        raise TypeError(f"requests must be an iterable of names or requests, not {type(items).__name__}: {items!r}")
    integer("concurrency", concurrency, least=1)
    if timeout is not None:
        positive_number("timeout", timeout)
    source = items if isinstance(items, AsyncIterable) else _Iterated(items)
    return _Workers(aiter(source), call, concurrency).outcomes()


class _Iterated(Generic[ItemT]):
    """An asynchronous iterator over an iterable. Unlike an asynchronous generator, it does not have to be closed."""

    def __init__(self, items: Iterable[ItemT]) -> None:
        self._items = iter(items)

    def __aiter__(self) -> _Iterated[ItemT]:
        return self

    async def __anext__(self) -> ItemT:
        for item in self._items:
            return item
        raise StopAsyncIteration


class _Workers(Generic[ItemT, ResultT]):
    """Workers that share one source of items. Each worker reads an item, makes its call, and reads the next item."""

    def __init__(
        self, source: AsyncIterator[ItemT], call: Callable[[ItemT], Awaitable[ResultT]], concurrency: int
    ) -> None:
        self._source = source
        self._call = call
        self._concurrency = concurrency
        self._reading = asyncio.Lock()
        self._exhausted = False
        self._failure: BaseException | None = None
        self._stopped = False
        self._workers: set[asyncio.Task[None]] = set()
        self._active_workers = 0
        self._outcomes: asyncio.Queue[Outcome[ItemT, ResultT] | None] = asyncio.Queue(maxsize=concurrency)

    async def outcomes(self) -> AsyncGenerator[Outcome[ItemT, ResultT], None]:
        self._start_worker()
        try:
            while (outcome := await self._outcomes.get()) is not None:
                yield outcome
        finally:
            self._stopped = True
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    def _start_worker(self) -> None:
        self._active_workers += 1
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
                    if self._stopped:
                        raise
                    # If the source raises an exception, even a CancelledError, the consumer of the outcomes gets it.
                    self._exhausted, self._failure = True, error
                    break
                if self._active_workers < self._concurrency:
                    self._start_worker()
            await self._outcomes.put(await self._outcome(item))
        self._active_workers -= 1
        if not self._active_workers:
            await self._outcomes.put(None)  # the last worker marks the end of the outcomes

    async def _outcome(self, item: ItemT) -> Outcome[ItemT, ResultT]:
        try:
            return Succeeded(item, await self._call(item))
        except Exception as error:  # noqa: BLE001 - the error is the outcome of the item
            return Failed(item, error)
