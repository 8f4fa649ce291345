"""The calls of a batch that follows its recordings: each item is started, awaited, and downloaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any

import attrs

from plivo_record_async.cli.batch.followed.downloads import FileDownloads
from plivo_record_async.cli.batch.running import CallItems
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.cli.output.outcomes import Followed, Result, UnfinishedError
from plivo_record_async.errors import (
    ClosedError,
    OutcomeUnknownError,
    RecordingFailedError,
    StoreError,
    UnexpectedResponseError,
    UnknownStartError,
)
from plivo_record_async.protocol.models import Failed, Outcome, Succeeded
from plivo_record_async.protocol.recording.record import FollowedRecording, Stage, progress_of
from plivo_record_async.stores.interface import Store
from plivo_record_async.tracker import RecordingTracker
from plivo_record_async.tracking.handle import TrackedRecording
from plivo_record_async.transport.batch import run_many

__all__ = ["FollowedCalls"]

_Outcome = Outcome[Item[Any], Result]


@attrs.define(kw_only=True, eq=False)
class FollowedCalls:
    """Starts items with a tracker and follows them to a stage.

    Attributes:
        tracker: The tracker.
        store: The store of the tracker.
        stage: The stage to wait for.
        downloads: Downloads the files. If None, nothing is downloaded.
        dedupe_key: Returns the dedupe key of an item. If None, items have no keys.
        concurrency: The maximum number of starts at the same time.
        timeout: The time limit of each start, in seconds. If None, the client's own timeout.
        following: The number of recordings that are being followed.
    """

    tracker: RecordingTracker
    store: Store
    stage: Stage
    downloads: FileDownloads | None = None
    dedupe_key: Callable[[Item[Any]], str] | None = None
    concurrency: int
    timeout: float | None = None
    following: int = attrs.field(default=0, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _outcomes: asyncio.Queue[_Outcome | None] = attrs.field(factory=asyncio.Queue[_Outcome | None], init=False)
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set[asyncio.Task[None]], init=False)

    async def outcomes(self, items: CallItems) -> AsyncGenerator[Outcome[Item[Any], Result], None]:
        """Start the items, and yield each outcome as soon as the recording has reached the stage or cannot reach it.

        Args:
            items: The items.
        """
        starting = asyncio.create_task(self._start_all(items))
        try:
            while (outcome := await self._outcomes.get()) is not None:
                yield outcome
            await starting
        finally:
            for task in (starting, *self._tasks):
                task.cancel()
            await asyncio.wait([starting, *self._tasks])

    async def _start_all(self, items: CallItems) -> None:
        try:
            async with aclosing(run_many(items, self._start, concurrency=self.concurrency)) as starts:
                async for started in starts:
                    self._continue(started)
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            self._outcomes.put_nowait(None)

    def end_following(self) -> None:
        """End following. The outcome of each recording that is still followed is an `UnfinishedError`.

        A recording whose acceptance is awaited has its own outcome, because this wait ends at once.
        """
        if not self._ended and self.stage != "accepted":
            self._ended = True
            for task in self._tasks:
                _cancel_after_its_first_step(task)

    async def _start(self, item: Item[Any]) -> TrackedRecording:
        request = item.request
        try:
            return await self.tracker.start(
                request.conference_name,
                file_format=request.file_format,
                transcription_type=request.transcription_type,
                transcribe=self._is_transcribed(item),
                dedupe_key=self.dedupe_key and self.dedupe_key(item),
                timeout=self.timeout,
            )
        except (OutcomeUnknownError, UnexpectedResponseError) as error:
            if self.stage == "accepted" or self._ended:
                if isinstance(error, OutcomeUnknownError):
                    error.warning = _warning(error.start_id)
                raise
            return await self.tracker.get(error.start_id)

    def _is_transcribed(self, item: Item[Any]) -> bool:
        return self.stage == "transcribed" if item.transcribe is None else item.transcribe

    def _continue(self, started: Outcome[Item[Any], TrackedRecording]) -> None:
        """Follow a recording that was started in the background."""
        if started.error is not None:
            self._outcomes.put_nowait(Failed(started.request, started.error))
            return
        task = asyncio.create_task(self._follow(started.request, started.result))
        self.following += 1
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._ended:
            _cancel_after_its_first_step(task)

    async def _follow(self, item: Item[Any], recording: TrackedRecording) -> None:
        outcome: Outcome[Item[Any], Result]
        try:
            outcome = Succeeded(item, await self._result(item, recording))
        except asyncio.CancelledError:
            outcome = Failed(item, await self._unfinished(recording, f"the batch ended before it was {self.stage}"))
        except (ClosedError, StoreError) as error:
            outcome = Failed(item, await self._unfinished(recording, f"the store cannot be used: {error}"))
        except Exception as error:  # noqa: BLE001 - the error is the outcome of the item
            outcome = Failed(item, error)
        self.following -= 1
        self._outcomes.put_nowait(outcome)

    async def _result(self, item: Item[Any], recording: TrackedRecording) -> Followed:
        if self.stage == "accepted":
            return Followed(status=(await self._reach("accepted", recording)).status)
        status, path = (await self._reach("recorded", recording)).status, None
        if self.downloads is not None:
            path = await self.downloads.download(status)
        if self.stage == "transcribed" and self._is_transcribed(item):
            status = (await self._reach("transcribed", recording)).status
        return Followed(status=status, path=path)

    async def _reach(self, stage: Stage, recording: TrackedRecording) -> FollowedRecording:
        """Wait until a recording has reached a stage. A wait for acceptance ends at once."""
        record = await self.store.get(recording.start_id)
        while record is not None and progress_of(record, stage) == "pending":
            if stage == "accepted" or record.due_at is None:  # nothing more will be learned
                raise _unknown(record)
            record = await self.store.watch(recording.start_id, version=record.version)
        if record is None:
            raise UnknownStartError(recording.start_id)
        if progress_of(record, stage) == "unreachable":
            raise RecordingFailedError(
                f"start {record.start_id} of {record.conference_name!r} is {record.state} and cannot be {stage}: "
                f"{record.error or 'it was started without a transcript'}",
                recording=record.status,
            )
        return record

    async def _unfinished(self, recording: TrackedRecording, reason: str) -> Exception:
        """Return the error of a start whose recording is no longer followed."""
        record = None
        with suppress(ClosedError, StoreError):
            record = await self.store.get(recording.start_id)
        if record is not None and progress_of(record, "accepted") == "pending":
            return _unknown(record)
        return UnfinishedError(
            f"start {recording.start_id} of {recording.conference_name!r} was made, but {reason}",
            recording=None if record is None else record.status,
        )


def _cancel_after_its_first_step(task: asyncio.Task[None]) -> None:
    """Cancel a task that may have been created just now. If it were cancelled before it runs, it could not end itself.

    The event loop runs callbacks in the order in which they were scheduled.
    """
    asyncio.get_running_loop().call_soon(task.cancel)


def _unknown(record: FollowedRecording) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"start of {record.conference_name!r}",
        f"an earlier call made it, and it is {record.state}",
        phase="answer",
        evidence="no response is stored that says whether it was executed",
        start_id=record.start_id,
        warning=_warning(record.start_id),
        api_id=record.api_id,
    )


def _warning(start_id: str | None) -> str:
    return (
        "a second start records a second time, and Plivo bills both. 'plivo-record reconcile' asks Plivo about it, and "
        f"'plivo-record status {start_id}' shows what is known."
    )
