"""`Fleet`: a worker of a fleet. It takes items from the fleet's database and starts them with a tracker."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Final, Self

from plivo_record_async import _clock
from plivo_record_async.errors import (
    AuthenticationError,
    ClosedError,
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RecordingFailedError,
    StoreError,
    UnknownStartError,
)
from plivo_record_async.fleet.batches import FleetClient
from plivo_record_async.fleet.database import FleetDatabase
from plivo_record_async.fleet.encoding import decode_item, failure, success
from plivo_record_async.fleet.engine import launch, shut_down
from plivo_record_async.fleet.locks import FileLock, PostgresLock
from plivo_record_async.protocol.arguments import integer, positive_number, utf8_text
from plivo_record_async.protocol.recording.record import progress_of
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.stores.sqlite.store import SQLiteStore
from plivo_record_async.tracker import RecordingTracker
from plivo_record_async.tracking.starter import request_of

__all__ = ["Fleet"]

log: logging.Logger = logging.getLogger("plivo_record_async")

_GRACE: Final = 10
"""How many seconds leaving a fleet waits for starts that are being sent."""

_PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""The seconds between two attempts to start an item of which nothing was sent. The last pause is repeated."""

_LOOK_FOR_ENDED_WORKERS_EVERY: Final = 1.0
"""Seconds."""


class Fleet(FleetClient):
    """A fleet of workers that start recordings, and one of its workers.

    .. code-block:: python

        from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore
        from plivo_record_async.fleet import Fleet


        async def start_all(rooms: list[str]) -> None:
            tracker = RecordingTracker(RecordClient(), store=SQLiteStore("recordings.db"))
            async with tracker, Fleet(tracker, "sqlite:///fleet.db") as fleet:
                await fleet.submit("monday", rooms)
                async for outcome in fleet.outcomes("monday"):
                    print(outcome.request, outcome.result or outcome.error)

    The fleet is kept in a database. In an SQLite file, it has one worker. In PostgreSQL, it has any number of workers,
    on any number of machines. They share the database, the store of their trackers, and the quota of the account, if
    their clients have a ``PostgresRateLimit``.

    While the fleet is entered, this process is a worker. It has at most ``concurrency`` starts in progress. When it is
    left, it takes no more items, waits for starts that are being sent for up to ten seconds, and leaves the other
    items to the other workers. If a worker dies, the others take over its items.

    Each item is started with a ``dedupe_key``, so no start is sent twice, whatever dies. A start of which nothing was
    sent is tried again, for up to ``give_up_after`` seconds. Every other error is the outcome of its item. If Plivo
    rejects the credentials of a worker, this worker starts nothing more.

    Attributes:
        worker: The name of this worker.

    Args:
        tracker: The tracker that starts the items. It must be entered before the fleet, and is not closed by it.
        database_url: The address of the fleet's database: ``sqlite:///`` and the path of a file, or ``postgresql://``.
        name: The name of the fleet: 3 to 256 lowercase letters, digits, ``-`` and ``_``. Fleets with different names
            can share a database.
        worker: The name of this worker, for logs. If None, the name of this machine. Workers may have the same name.
        concurrency: How many items each worker has in progress at most. All workers should have the same value,
            because the value of the worker that was entered last applies to all.
        give_up_after: How many seconds a start of which nothing was sent is tried again.

    Raises:
        ConfigurationError: ``database_url`` is not such an address, ``name`` is not valid, the store of the tracker
            does not survive its process, the fleet is in PostgreSQL and the store is an SQLite file, or the extra
            ``fleet`` is not installed. Importing the class raises the last one.
        ValueError: ``concurrency`` is less than 1, ``give_up_after`` is not above 0, or ``worker`` is empty.
    """

    def __init__(
        self,
        tracker: RecordingTracker,
        database_url: str = "sqlite:///fleet.db",
        *,
        name: str = "plivo-record",
        worker: str | None = None,
        concurrency: int = 64,
        give_up_after: float = 3600.0,
    ) -> None:
        super().__init__(database_url, name=name)
        _check_store(tracker, self._database)
        self._tracker = tracker
        self.worker = socket.gethostname() if worker is None else utf8_text("worker", worker)
        self._concurrency = integer("concurrency", concurrency, least=1)
        self._give_up_after = positive_number("give_up_after", give_up_after)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        self._slots = asyncio.Semaphore(self._concurrency)
        self._running = 0
        self._is_rejected = False
        self._executor = f"{self.worker} {_clock.new_id()}"
        database = self._database
        self._lock = FileLock(database.path) if database.is_sqlite else PostgresLock(database.url, self._executor)
        async with AsyncExitStack() as stack:
            await super().__aenter__()
            stack.push_async_exit(super().__aexit__)
            stack.push_async_callback(asyncio.to_thread, self._lock.release)
            await asyncio.to_thread(self._lock.acquire)
            await asyncio.to_thread(database.register, self._concurrency)
            await asyncio.to_thread(launch, database, self._executor, self._start_in_own_loop)
            taking_over = asyncio.create_task(self._take_over())
            stack.push_async_callback(self._stop, taking_over)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _stop(self, taking_over: asyncio.Task[None]) -> None:
        """Take no more items, and wait for those in progress."""
        self._closing.set()
        await taking_over
        await asyncio.to_thread(shut_down, grace=_GRACE if self._running else 0)
        await asyncio.to_thread(self._database.release, self._executor)

    async def _start_in_own_loop(self, dedupe_key: str, item: Any) -> list[Any]:
        """Start an item. DBOS calls this method in its own event loop, and the tracker belongs to another one."""
        start = self._start(dedupe_key, item)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(start, self._loop))

    async def _start(self, dedupe_key: str, item: Any) -> list[Any]:
        """Start an item, and return its outcome as JSON.

        Raises:
            CancelledError: The fleet is being left, so the item has no outcome. Another worker takes it.
        """
        self._running += 1
        try:
            async with self._slots:
                until = self._loop.time() + self._give_up_after
                for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
                    if self._is_rejected:
                        await self._closing.wait()
                    if self._closing.is_set():
                        break
                    try:
                        return success(await self._start_once(dedupe_key, item))
                    except ClosedError:
                        break  # the tracker, the client or the store was closed before the fleet
                    except (NotSentError, StoreError) as error:
                        if self._closing.is_set():
                            break
                        if self._loop.time() + pause > until:
                            return failure(error)
                        log.warning("%s The fleet tries again in %g s.", error, pause)
                    except Exception as error:  # noqa: BLE001 - the error is the outcome of the item
                        if isinstance(error, AuthenticationError):
                            self._reject(error)
                        return failure(error)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._closing.wait(), pause)
                raise asyncio.CancelledError
        finally:
            self._running -= 1

    def _reject(self, error: AuthenticationError) -> None:
        """Start nothing more, because Plivo would reject each of the other items too."""
        if not self._is_rejected:
            self._is_rejected = True
            log.error("%s This worker of the fleet starts nothing more until it is entered again.", error)

    async def _start_once(self, dedupe_key: str, stored: Any) -> str:
        """Start an item unless its start was stored before, and return the ``start_id`` if Plivo has accepted it."""
        item, transcribe = decode_item(stored)
        request = request_of(item)
        recording = await self._tracker.start(
            request.conference_name,
            file_format=request.file_format,
            transcription_type=request.transcription_type,
            transcribe=transcribe,
            dedupe_key=dedupe_key,
        )
        store = self._tracker.store
        record = await store.get(recording.start_id)
        while record is not None and record.state in {"planned", "sending"}:  # a worker that lives is sending it
            record = await store.watch(recording.start_id, version=record.version)
        if record is None:
            raise UnknownStartError(recording.start_id)
        match progress_of(record, "accepted"):
            case "reached":
                return record.start_id
            case "pending":
                raise OutcomeUnknownError(
                    f"start of {record.conference_name!r}",
                    f"a worker that has died made it, and it is {record.state}",
                    phase="answer",
                    evidence="no response is stored that says whether it was executed",
                    start_id=record.start_id,
                    api_id=record.status.api_id,
                )
            case "unreachable":
                raise RecordingFailedError(
                    f"start {record.start_id} of {record.conference_name!r} is {record.state}: {record.error}",
                    recording=record.status,
                )

    async def _take_over(self) -> None:
        """Release the items of workers that have ended, as soon as the tracker can know the state of their starts."""
        ended_since: dict[str, float] = {}
        while not self._closing.is_set():
            try:
                ended_since = await asyncio.to_thread(self._release_items_of_ended_workers, ended_since)
            except StoreError as error:
                log.warning("The fleet cannot look for workers that have ended: %s. It tries again.", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _LOOK_FOR_ENDED_WORKERS_EVERY)

    def _release_items_of_ended_workers(self, ended_since: Mapping[str, float]) -> dict[str, float]:
        """Release the items of workers that ended long enough ago, and return since when the others have ended."""
        self._lock.acquire()
        now, ended = self._loop.time(), dict[str, float]()
        for executor in self._database.executors():
            if executor == self._executor:
                continue
            with self._lock.ended(executor) as has_ended:
                if not has_ended:
                    continue
                ended[executor] = ended_since.get(executor, now)
                if now - ended[executor] >= self._tracker.tracking.lease.total_seconds():
                    count = self._database.release(executor)
                    log.warning("Worker %s has ended. Other workers take over its %d items.", executor, count)
        return ended


def _check_store(tracker: RecordingTracker, database: FleetDatabase) -> None:
    """Check that no start can be sent twice because its record is lost or is in a place that other workers lack."""
    if isinstance(tracker.store, MemoryStore):
        raise ConfigurationError(
            "the tracker of a fleet needs a store that survives its process, because the fleet does: use a "
            "SQLiteStore, or a PostgresStore if there are several workers"
        )
    if isinstance(tracker.store, SQLiteStore) and not database.is_sqlite:
        raise ConfigurationError(
            "the workers of a fleet in PostgreSQL must share one store, and an SQLite file is on one machine: use a "
            "PostgresStore"
        )
