"""Outcomes: a success has a result and a failure an error, and type checkers know which it is."""

# pyright: strict

from __future__ import annotations

from typing import assert_never, assert_type

from plivo_record_async import (
    Failed,
    Outcome,
    PendingResponse,
    RecordClient,
    RecordingStarted,
    RecordingStopped,
    RecordingTracker,
    StartRequest,
    StopRequest,
    Succeeded,
    TrackedRecording,
)

Started = Outcome[str, TrackedRecording]


def by_ok(outcome: Started) -> str | Exception:
    if outcome.ok is True:
        assert_type(outcome, Succeeded[str, TrackedRecording])
        return outcome.result.start_id
    assert_type(outcome, Failed[str])
    return outcome.error


def by_not_ok(outcome: Started) -> str:
    if outcome.ok is False:
        raise outcome.error
    return outcome.result.start_id


def by_error(outcome: Started) -> str:
    if outcome.error is not None:
        raise outcome.error
    return outcome.result.start_id


def by_result(outcome: Started) -> str:
    if outcome.result is None:
        raise outcome.error
    return outcome.result.start_id


def by_class(outcome: Started) -> str:
    if isinstance(outcome, Failed):
        raise outcome.error
    return outcome.result.start_id


def by_positional_pattern(outcome: Started) -> str:
    match outcome:
        case Succeeded(request, result):
            return assert_type(request, str) + result.start_id
        case Failed(request, error):
            assert_type(error, Exception)
            return assert_type(request, str)
        case _:
            assert_never(outcome)


def by_keyword_pattern(outcome: Started) -> str:
    match outcome:
        case Succeeded(result=recording):
            return recording.start_id
        case Failed(error=TimeoutError()):
            return "timeout"
        case Failed(error=error):
            raise error


def by_unwrapping(outcome: Started) -> str:
    return assert_type(outcome.unwrap(), TrackedRecording).start_id


def in_one_expression(outcome: Started) -> tuple[str | Exception, ...]:
    return (
        outcome.result.start_id if outcome.ok is True else outcome.error,
        outcome.result.start_id if outcome.error is None else outcome.error,
        outcome.result.start_id if outcome.ok else outcome.error,  # error: reportOptionalMemberAccess, reportReturnType
    )


def by_plain_ok(outcome: Started) -> str:
    if not outcome.ok:
        raise outcome.error  # error: reportGeneralTypeIssues
    return outcome.result.start_id  # error: reportOptionalMemberAccess


def unseen(outcome: Started) -> str:
    return outcome.result.start_id  # error: union-attr, reportOptionalMemberAccess


def not_exhaustive(outcome: Started) -> None:
    match outcome:
        case Succeeded():
            pass
        case _:
            assert_never(outcome)  # error: arg-type, reportArgumentType


def wider(outcome: Outcome[str, RecordingStarted]) -> Outcome[str | StartRequest, RecordingStarted | PendingResponse]:
    return outcome


def narrower(outcome: Outcome[str, RecordingStarted | PendingResponse]) -> Outcome[str, RecordingStarted]:
    return outcome  # error: return-value, reportReturnType


def made() -> list[Outcome[str, int]]:
    return [
        Succeeded("a", 5),
        Failed("b", ValueError("no")),
        Succeeded("a", "five"),  # error: arg-type, reportReturnType
        Failed("b", "no"),  # error: arg-type, reportArgumentType
        Failed("b", KeyboardInterrupt()),  # error: arg-type, reportArgumentType
    ]


def made_wrongly() -> None:
    Succeeded("a")  # error: call-arg, reportCallIssue
    Succeeded("a", 5, ValueError("no"))  # error: call-arg, reportCallIssue
    Failed("a")  # error: call-arg, reportCallIssue
    Outcome("a", 5)  # error: operator, reportCallIssue


async def of_a_client(client: RecordClient, mixed: list[str | StartRequest]) -> None:
    async for outcome in client.start_many(["a", "b"]):
        assert_type(outcome, Outcome[str, RecordingStarted | PendingResponse])
        outcome.ok = True  # error: misc, reportAttributeAccessIssue
    async for either in client.start_many(mixed):
        assert_type(either.request, str | StartRequest)
    async for stopped in client.stop_many([StopRequest("a")]):
        assert_type(stopped, Outcome[StopRequest, RecordingStopped | PendingResponse])
    client.start_many([StopRequest("a")])  # error: type-var, reportArgumentType
    client.start_many([b"a"])  # error: type-var, reportArgumentType
    client.stop_many([StartRequest("a")])  # error: type-var, reportArgumentType
    client.start_many(5)  # error: arg-type, reportArgumentType
    await client.start_many(["a"])  # error: misc, reportGeneralTypeIssues


async def of_a_tracker(tracker: RecordingTracker) -> None:
    async for outcome in tracker.start_many([StartRequest("a")], dedupe_key=lambda request: request.conference_name):
        assert_type(outcome, Outcome[StartRequest, TrackedRecording])
    tracker.start_many(["a"], dedupe_key=len)  # error: arg-type, reportArgumentType
