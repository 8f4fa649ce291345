"""`Fleet`: a worker of a fleet. It takes items from the fleet's database and starts them with a tracker."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
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
    StoreError,
    WaitTimeoutError,
)
from plivo_record_async.fleet.batches import FleetClient
from plivo_record_async.fleet.encoding import decode_item, failure, success
from plivo_record_async.fleet.engine import Engine
from plivo_record_async.protocol.arguments import integer, utf8_text
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.stores.sqlite.store import SQLiteStore
from plivo_record_async.tracker import RecordingTracker
from plivo_record_async.tracking.handle import TrackedRecording
from plivo_record_async.tracking.starter import request_of

__all__ = ["Fleet"]

log: logging.Logger = logging.getLogger("plivo_record_async")

_GRACE: Final = 10
"""How many seconds leaving a fleet waits for starts that are being sent."""

_PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""The seconds between two attempts to start an item of which nothing was sent. The last pause is repeated."""


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
    sent is tried again until it can be sent. Every other error is the outcome of its item. If Plivo
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

    Raises:
        ConfigurationError: ``database_url`` is not such an address, ``name`` is not valid, the store of the tracker
            does not survive its process, the fleet is in PostgreSQL and the store is an SQLite file, or the extra
            ``fleet`` is not installed. Importing the class raises the last one.
        ValueError: ``concurrency`` is less than 1, or ``worker`` is empty.
    """

    def __init__(
        self,
        tracker: RecordingTracker,
        database_url: str = "sqlite:///fleet.db",
        *,
        name: str = "plivo-record",
        worker: str | None = None,
        concurrency: int = 64,
    ) -> None:
        super().__init__(database_url, name=name)
        _check_store(tracker, self._engine)
        self._tracker = tracker
        self.worker: str = socket.gethostname() if worker is None else utf8_text("worker", worker)
        self._concurrency = integer("concurrency", concurrency, least=1)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._loop = asyncio.get_running_loop()
        self._closing, self._running = asyncio.Event(), 0
        self._is_rejected = False
        self._id = f"{self.worker} {_clock.new_id()}"  # a worker that is entered again is another one
        try:
            await asyncio.to_thread(self._engine.take_over, self._id)
            launch = self._engine.launch
            await asyncio.to_thread(launch, self._id, self._start_in_own_loop, concurrency=self._concurrency)
        except BaseException:
            await super().__aexit__(None, None, None)
            raise
        self._taking_over = asyncio.create_task(self._take_over())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        try:
            await self._taking_over
            await asyncio.to_thread(self._engine.stop, self._id, grace=_GRACE if self._running else 0)
        finally:
            await super().__aexit__(kind, error, trace)

    async def _take_over(self) -> None:
        """Let the workers take the items of workers that have ended, until the fleet is left."""
        while not self._closing.is_set():
            try:
                await asyncio.to_thread(self._engine.take_over, self._id)
            except StoreError as error:
                log.warning("The fleet cannot look for workers that have ended: %s. It tries again.", error)
            await self._rest(1.0)

    async def _rest(self, seconds: float) -> None:
        """Wait for some time, or until the fleet is left."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

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
                    log.warning("%s The fleet tries again in %g s.", error, pause)
                except Exception as error:  # noqa: BLE001 - the error is the outcome of the item
                    if isinstance(error, AuthenticationError):
                        self._reject(error)
                    return failure(error)
                await self._rest(pause)
            raise asyncio.CancelledError
        finally:
            self._running -= 1

    def _reject(self, error: AuthenticationError) -> None:
        """Start nothing more, because Plivo would reject each of the other items too."""
        if not self._is_rejected:
            self._is_rejected = True
            log.error("%s This worker of the fleet starts nothing more until it is entered again.", error)

    async def _start_once(self, dedupe_key: str, stored: Any) -> str:
        """Start an item, and return the ``start_id`` if Plivo has accepted it.

        If a worker that has ended started it, its start is not sent again. Its outcome is known when its lease is over.
        """
        item, transcribe = decode_item(stored)
        request = request_of(item)
        recording = await self._tracker.start(
            request.conference_name,
            file_format=request.file_format,
            transcription_type=request.transcription_type,
            transcribe=transcribe,
            dedupe_key=dedupe_key,
        )
        try:
            await self._accepted(recording)
        except WaitTimeoutError as error:
            raise OutcomeUnknownError(
                f"start of {request.conference_name!r}",
                f"a worker that has ended made it, and it is {error.recording.state}",
                phase="answer",
                evidence="no response is stored that says whether it was executed",
                start_id=recording.start_id,
            ) from error
        return recording.start_id

    async def _accepted(self, recording: TrackedRecording) -> None:
        """Wait until Plivo has accepted a start, but not longer than a worker that has ended may still send it.

        Raises:
            WaitTimeoutError: It is not known whether Plivo has executed the start.
        """
        try:
            await recording.accepted(timeout=0)
        except WaitTimeoutError as error:
            if error.recording.state not in {"planned", "sending"}:
                raise
            await recording.accepted(timeout=self._tracker.tracking.lease.total_seconds())


def _check_store(tracker: RecordingTracker, engine: Engine) -> None:
    """Check that no start can be sent twice because its record is lost or is in a place that other workers lack."""
    if isinstance(tracker.store, MemoryStore):
        raise ConfigurationError(
            "the tracker of a fleet needs a store that survives its process, because the fleet does: use a "
            "SQLiteStore, or a PostgresStore if there are several workers"
        )
    if isinstance(tracker.store, SQLiteStore) and not engine.is_sqlite:
        raise ConfigurationError(
            "the workers of a fleet in PostgreSQL must share one store, and an SQLite file is on one machine: use a "
            "PostgresStore"
        )
