"""The user's handlers: their names, their exceptions, and what is stored of them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.tracking.handling.handlers import (
    Handlers,
    describe_error,
    error_of,
    handler_of,
    label_of,
    name_of_event_class,
)
from tests.support.samples.recordings import CONFIRMED, ENDED, TRANSCRIBED, recording


async def archive(_: Any, __: Any) -> None: ...


class Archive:
    async def __call__(self, _: Any, __: Any) -> None: ...

    async def store(self, _: Any, __: Any) -> None: ...


@pytest.mark.parametrize(
    ("handler", "label"),
    [
        (archive, "archive"),
        (partial(partial(archive), None), "archive"),
        (Archive(), "Archive"),
        (Archive().store, "Archive.store"),
    ],
)
def test_a_handler_is_known_by_its_function_or_class(handler: object, label: str) -> None:
    assert label_of(handler) == f"{__name__}.{label}"


def test_handlers_of_one_name_are_numbered_for_each_event() -> None:
    handlers = Handlers()
    for _ in range(3):
        handlers.add("RecordingEnded", archive, "archive")
    handlers.add("ApiResponse", archive, "archive")
    handlers.add("RecordingEnded", archive, "other")
    assert list(handlers.of("RecordingEnded")) == ["archive", "archive#2", "archive#3", "other"]
    assert list(handlers.of("ApiResponse")) == ["archive"]
    assert handlers.of("TranscriptionEnded") == {}
    assert handlers.events == {"RecordingEnded", "ApiResponse"}


def raising(error: BaseException) -> Any:
    async def handler(_: FollowedRecording, __: Any) -> None:
        raise error

    return handler


async def test_a_handler_that_runs_to_its_end_has_no_error() -> None:
    assert await error_of(archive, recording("recorded"), ENDED) is None


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError(), GeneratorExit(), BaseException("odd")])
async def test_any_exception_of_a_handler_is_its_error(error: BaseException) -> None:
    assert await error_of(raising(error), recording("recorded"), ENDED) is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_exception_that_ends_the_program_is_raised(error: BaseException) -> None:
    with pytest.raises(type(error)):
        error_of(raising(error), recording("recorded"), ENDED).send(None)


async def test_a_task_that_is_cancelled_is_cancelled() -> None:
    async def wait(_: Any, __: Any) -> None:
        await asyncio.sleep(10)

    task = asyncio.create_task(error_of(wait, recording("recorded"), ENDED))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("first\nsecond"), "ValueError: first\nsecond"),
        (ValueError("x" * 1000), f"ValueError: {'x' * 488}"),
        (UnprintableError(), f"{__name__}.UnprintableError: <exception str() failed>"),
        (ExceptionGroup("two", [ValueError(), KeyError()]), "ExceptionGroup: two (2 sub-exceptions)"),
    ],
)
def test_stored_error_is_shortened(error: BaseException, words: str) -> None:
    assert describe_error(error) == words


def test_event_classes_have_names() -> None:
    assert [name_of_event_class(type(event)) for event in (CONFIRMED, ENDED, TRANSCRIBED)] == [
        "ApiResponse",
        "RecordingEnded",
        "TranscriptionEnded",
    ]
    with pytest.raises(TypeError, match=r"event must be one of ApiResponse, RecordingEnded, TranscriptionEnded, not"):
        name_of_event_class(UnknownCallback)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_handler_passes_the_recording_only_to_a_function_that_takes_it() -> None:
    calls: list[tuple[object, ...]] = []

    async def one(event: object) -> None:
        calls.append((event,))

    async def two(event: object, recording: object) -> None:
        calls.append((event, recording))

    record = recording("recorded")
    for function in (one, two, partial(two, ENDED)):
        await handler_of(function, lambda record: record.start_id)(record, ENDED)
    assert calls == [(ENDED,), (ENDED, record.start_id), (ENDED, ENDED)]


def not_async(event: object) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (not_async, "must be an async function"),
        (5, "must be an async function"),
        (partial(not_async), "must be an async function"),
        (asyncio.Event().wait, "must be callable with one argument, the event, or with two"),
    ],
)
def test_function_that_cannot_be_a_handler_is_rejected(function: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        handler_of(function, str)
