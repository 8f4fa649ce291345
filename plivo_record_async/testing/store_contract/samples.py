"""Records and orphans for the tests of the contract."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import attrs

from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    Recording,
    RecordingEnded,
    RecordingState,
    StartRequest,
    TranscriptionEnded,
)
from plivo_record_async.protocol.models.status import STATES
from plivo_record_async.protocol.recording.evidence import (
    DueTimeReached,
    EventName,
    Evidence,
    NothingFound,
    SendingBegan,
    StartAccepted,
    StartNotSent,
    StartOutcomeUnknown,
    StartRejected,
)
from plivo_record_async.protocol.recording.lifecycle import apply, plan
from plivo_record_async.stores.interface import FollowedRecording, Orphan, Store

__all__ = [
    "ACCEPTED",
    "CONFIRMED",
    "ENDED",
    "FAILED",
    "NOW",
    "OUTCOME_UNKNOWN",
    "REJECTED",
    "REQUEST",
    "ROWS",
    "SECOND",
    "STATES",
    "TRANSCRIBED",
    "UNSENT",
    "UNTRANSCRIBED",
    "changed",
    "let_watchers_run",
    "next_version",
    "orphan",
    "planned",
    "record_after",
    "record_in",
]

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)

REQUEST: Final = StartRequest(
    "standup",
    callback_url="https://me.example/plivo/recording?token=t#rc=5",
    transcription_url="https://me.example/plivo/transcription?token=t#rc=5",
)

ACCEPTED: Final = StartAccepted(
    description="202: conference recording started", api_id="api-1", recording_id="rec-1", url="https://f/1"
)
REJECTED: Final = StartRejected(description="404: not found", api_id="api-0")
OUTCOME_UNKNOWN: Final = StartOutcomeUnknown(description="read timeout", api_id="api-1")
UNSENT: Final = StartNotSent(description="connection refused")
CONFIRMED: Final = ApiResponse(api_id="api-1", message="conference recording started", raw={"response": "{}"})
FAILED: Final = ApiResponse(api_id="api-1", error="not found", raw={"response": "{}"})
ENDED: Final = RecordingEnded(
    api_id="api-1",
    conference_name="standup",
    record_url="https://f/1.mp3",
    recording_id="rec-1",
    duration_ms=61_000,
    started_at=NOW,
    ended_at=NOW + 61 * SECOND,
    raw={"record_url": "https://f/1.mp3", "recording_id": "rec-1"},
)
TRANSCRIBED: Final = TranscriptionEnded(
    recording_id="rec-1", transcription="good morning", raw={"transcription": "good morning"}
)
UNTRANSCRIBED: Final = TranscriptionEnded(recording_id="rec-1", error="too long", raw={"error": "too long"})
ROWS: Final = tuple(
    Recording(
        recording_id=recording_id,
        conference_name="standup",
        recording_url="https://f/1.mp3",
        duration_ms=61_000,
        started_at=NOW,
        ended_at=NOW + 61 * SECOND,
        raw={"recording_id": recording_id},
    )
    for recording_id in ("rec-1", "rec-0")
)

_PATHS: Final[Mapping[RecordingState, tuple[Evidence, ...]]] = {
    "planned": (),
    "sending": (SendingBegan(),),
    "not_sent": (SendingBegan(), UNSENT),
    "rejected": (SendingBegan(), REJECTED),
    "unknown": (SendingBegan(), OUTCOME_UNKNOWN),
    "absent": (SendingBegan(), OUTCOME_UNKNOWN, NothingFound()),
    "accepted": (SendingBegan(), ACCEPTED),
    "unconfirmed": (SendingBegan(), ACCEPTED, DueTimeReached()),
    "started": (SendingBegan(), ACCEPTED, CONFIRMED),
    "failed": (SendingBegan(), ACCEPTED, FAILED),
    "recorded": (SendingBegan(), ACCEPTED, ENDED),
    "transcribed": (SendingBegan(), ACCEPTED, ENDED, TRANSCRIBED),
}
"""The evidence that leads to each state."""


def planned(
    start_id: str = "start-1", *, dedupe_key: str | None = None, request: StartRequest = REQUEST
) -> FollowedRecording:
    """Return a new record in the state ``planned``.

    Args:
        start_id: The tracker's ID of the start.
        dedupe_key: The user's key of the start.
        request: The request.
    """
    return plan(start_id, request, NOW, dedupe_key=dedupe_key)


def record_after(
    record: FollowedRecording, *evidence: Evidence, events_with_handlers: Collection[EventName] = ()
) -> FollowedRecording:
    """Return the record after this evidence, in this order.

    Args:
        record: The record.
        evidence: The evidence. `DueTimeReached` is applied when the record is due, all other evidence at `NOW`.
        events_with_handlers: The events that have handlers.
    """
    for piece in evidence:
        due_at = record.due_at if isinstance(piece, DueTimeReached) else None
        record, _ = apply(record, piece, due_at or NOW, events_with_handlers=events_with_handlers)
    return record


def record_in(state: RecordingState, start_id: str = "start-1") -> FollowedRecording:
    """Return a record in a state, with the history that leads to it."""
    return record_after(planned(start_id), *_PATHS[state])


def next_version(record: FollowedRecording, **changes: Any) -> FollowedRecording:
    """Return the next version of a record."""
    return attrs.evolve(record, version=record.version + 1, **changes)


async def changed(store: Store, record: FollowedRecording, **changes: Any) -> FollowedRecording:
    """Replace a record by its next version, and return the next version."""
    record = next_version(record, **changes)
    assert await store.replace(record)
    return record


async def let_watchers_run(store: Store) -> None:
    """Wait until the calls of ``watch`` that were begun wait, or until those that were woken have returned."""
    for _ in range(3):
        await store.get("nobody")
        await asyncio.sleep(0)


def orphan(
    event: CallbackEvent, *, received_at: datetime = NOW, start_id: str | None = None, digest: str | None = None
) -> Orphan:
    """Return an orphan. If ``digest`` is None, it depends on the event alone."""
    text = f"{event!r} {event.raw!r}".encode(errors="surrogatepass")
    return Orphan(
        received_at=received_at,
        event=event,
        reason="a test kept it",
        digest=sha256(text).hexdigest() if digest is None else digest,
        start_id=start_id,
    )
