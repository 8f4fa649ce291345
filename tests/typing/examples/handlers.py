"""Handlers are compared with the event that they are registered for."""

# pyright: strict, reportUnusedFunction=false, reportUntypedFunctionDecorator=false

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, assert_type

from plivo_record_async import ApiResponse, RecordingEnded, RecordingTracker, TrackedRecording, TranscriptionEnded


def accepted(tracker: RecordingTracker) -> None:
    @tracker.on(RecordingEnded)
    async def alone(event: RecordingEnded) -> int:
        return event.duration_ms or 0

    @tracker.on(RecordingEnded)
    async def both(event: RecordingEnded, recording: TrackedRecording, *, bucket: str = "s3") -> None: ...

    @tracker.on(TranscriptionEnded)
    @tracker.on(RecordingEnded)
    async def several(event: RecordingEnded | TranscriptionEnded) -> None: ...

    @tracker.on(ApiResponse)
    @tracker.on(RecordingEnded)
    async def whichever(event: Any) -> None: ...

    @tracker.on(ApiResponse)
    @tracker.on(TranscriptionEnded)
    async def anything(*arguments: object) -> None: ...

    async def use(event: RecordingEnded, recording: TrackedRecording) -> None:
        assert_type(await alone(event), int)  # each keeps its own type
        await both(event, recording, bucket="gs")
        await several(event)
        await whichever(5)
        await anything()
        await both(event)  # error: call-arg, reportCallIssue

    tracker.on(RecordingEnded)(use)


class Service:
    async def ended(self, event: RecordingEnded, recording: TrackedRecording) -> None: ...

    async def __call__(self, event: TranscriptionEnded) -> None: ...


async def store(bucket: str, event: RecordingEnded) -> None: ...


def objects(tracker: RecordingTracker, service: Service, given: Callable[[RecordingEnded], Awaitable[None]]) -> None:
    assert_type(tracker.on(TranscriptionEnded)(service), Service)
    tracker.on(RecordingEnded)(service.ended)
    tracker.on(RecordingEnded)(partial(store, "s3"))
    tracker.on(RecordingEnded)(given)
    tracker.on(RecordingEnded)(service)  # error: type-var, reportArgumentType
    tracker.on(TranscriptionEnded)(service.ended)  # error: type-var, reportArgumentType
    tracker.on(TranscriptionEnded)(partial(store, "s3"))  # error: reportArgumentType
    tracker.on(TranscriptionEnded)(given)  # error: type-var, reportArgumentType


def refused(tracker: RecordingTracker) -> None:
    @tracker.on(RecordingEnded)  # error: type-var, reportArgumentType
    async def other(event: TranscriptionEnded) -> None: ...

    @tracker.on(ApiResponse)  # error: type-var, reportArgumentType
    async def other_with_recording(event: RecordingEnded, recording: TrackedRecording) -> None: ...

    @tracker.on(ApiResponse)  # error: type-var, reportArgumentType
    @tracker.on(RecordingEnded)
    async def one_of_two(event: RecordingEnded | TranscriptionEnded) -> None: ...

    @tracker.on(RecordingEnded)  # error: type-var, reportArgumentType
    async def swapped(recording: TrackedRecording, event: RecordingEnded) -> None: ...

    @tracker.on(RecordingEnded)  # error: type-var, reportArgumentType
    async def too_many(event: RecordingEnded, recording: TrackedRecording, bucket: str) -> None: ...

    @tracker.on(RecordingEnded)  # error: type-var, reportArgumentType
    async def none() -> None: ...

    @tracker.on(RecordingEnded)  # error: type-var, reportArgumentType
    def not_async(event: RecordingEnded) -> None: ...

    tracker.on(str)  # error: arg-type, reportArgumentType, reportCallIssue
