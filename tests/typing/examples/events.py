"""Events and states: a match over all of them is complete, and a state that does not exist is a mistake."""

# pyright: strict

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, assert_never, assert_type

from plivo_record_async import (
    ApiResponse,
    CallbackEvent,
    EvidenceKind,
    HistoryEntry,
    MemoryStore,
    OutcomeUnknownError,
    RecordClient,
    RecordingEnded,
    RecordingFailedError,
    RecordingState,
    RecordingStatus,
    RecordingTracker,
    SQLiteStore,
    TrackedRecording,
    TranscriptionEnded,
    UnknownCallback,
    WaitTimeoutError,
)
from plivo_record_async.stores.interface import Store


def all_events(event: CallbackEvent) -> str | None:
    match event:
        case ApiResponse():
            return event.message or event.error
        case RecordingEnded(record_url=url):
            return url
        case TranscriptionEnded():
            return event.transcription
        case UnknownCallback():
            return None
        case _:
            assert_never(event)


def all_but_one(event: CallbackEvent) -> str | None:
    match event:
        case ApiResponse() | RecordingEnded() | UnknownCallback():
            return None
        case _:
            assert_never(event)  # error: arg-type, reportArgumentType


def all_states(state: RecordingState) -> bool:
    match state:
        case "planned" | "sending" | "accepted" | "started":
            return False
        case "unknown" | "unconfirmed":
            return False
        case "not_sent" | "rejected" | "absent" | "failed":
            return True
        case "recorded" | "transcribed":
            return True
        case _:
            assert_never(state)


def states(status: RecordingStatus) -> None:
    assert_type(status.state, RecordingState)
    assert_type(status.updated_at, datetime)
    assert_type(status.duration_ms, int | None)
    assert_type(status.transcription, str | None)
    assert_type(status.history, tuple[HistoryEntry, ...])
    for step in status.history:
        assert_type(step.kind, EvidenceKind | Literal["planned"])
        if step.kind == "recording_starts":  # error: comparison-overlap, reportUnnecessaryComparison
            return
    if status.state == "recorder":  # error: comparison-overlap, reportUnnecessaryComparison
        return
    known: dict[str, Any] = {"start_id": "s", "conference_name": "c", "updated_at": status.updated_at}
    RecordingStatus(**known, state="recorded")
    RecordingStatus(**known, state="done")  # error: arg-type, reportArgumentType


def dictionaries(event: RecordingEnded, error: WaitTimeoutError) -> None:
    assert_type(event.to_dict(), dict[str, Any])
    assert_type(error.to_dict(), dict[str, Any])
    assert_type(error.recording, RecordingStatus)
    assert_type(event.raw, Mapping[str, Any])
    event.raw["record_url"] = "other"  # error: index, reportIndexIssue
    event.record_url = "other"  # error: misc, reportAttributeAccessIssue
    str(event.url)  # error: attr-defined, reportAttributeAccessIssue


async def following(tracker: RecordingTracker) -> TrackedRecording:
    try:
        recording = await tracker.start("standup", file_format="wav", transcribe=True)
        assert_type(await recording.accepted(), RecordingStatus)
        assert_type(await recording.recorded(timeout=3600), RecordingEnded)
        assert_type(await recording.transcribed(timeout=7200), TranscriptionEnded)
    except RecordingFailedError as error:
        assert_type(error.recording, RecordingStatus)
        raise
    except OutcomeUnknownError as error:
        return await tracker.get(error.start_id)
    await tracker.start("standup", file_format="flac")  # error: arg-type, reportArgumentType
    await tracker.start("standup", callback_url="https://h")  # error: call-arg, reportCallIssue
    recording.conference_name = "other"  # error: misc, reportAttributeAccessIssue
    return recording


async def finding(tracker: RecordingTracker, chosen: set[RecordingState], names: list[str]) -> None:
    async for status in tracker.recordings(state="unknown", conference_name="standup"):
        assert_type(status, RecordingStatus)
    tracker.recordings(state=["unknown", "unconfirmed"])
    tracker.recordings(state=chosen, updated_after=datetime.now(UTC))
    tracker.recordings(state="done")  # error: arg-type, reportArgumentType
    tracker.recordings(state=names)  # error: arg-type, reportArgumentType
    tracker.recordings("unknown")  # error: call-arg, reportCallIssue
    counts = await tracker.counts()
    assert_type(counts, Mapping[RecordingState, int])
    assert_type(counts["unknown"], int)


class HalfAStore:
    async def aclose(self) -> None: ...


def stores(client: RecordClient) -> tuple[Store, Store]:
    RecordingTracker(client, public_url="https://me.example", store=HalfAStore())  # error: arg-type, reportArgumentType
    RecordingTracker(client, public_url="https://me.example", store="a.db")  # error: arg-type, reportArgumentType
    RecordingTracker(client, "https://me.example", MemoryStore())  # error: call-arg, reportCallIssue
    return MemoryStore(), SQLiteStore("recordings.db")
