"""What is known of a followed recording, and what that means to those who wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, Literal

import attrs

from plivo_record_async._value import Value
from plivo_record_async.protocol.clocks import Sending
from plivo_record_async.protocol.models import (
    ApiResponse,
    Recording,
    RecordingEnded,
    RecordingState,
    RecordingStatus,
    StartRequest,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.evidence import EventName, Kind
from plivo_record_async.protocol.recording.handler_runs import HandlerRun, described, next_run
from plivo_record_async.protocol.recording.tracking_policy import TrackingPolicy

__all__ = [
    "Answer",
    "FollowedRecording",
    "Progress",
    "Stage",
    "Step",
    "is_due",
    "is_silent",
    "lacks_end",
    "lacks_text",
    "next_due",
    "progress",
    "status_of",
]

Stage = Literal["accepted", "recorded", "transcribed"]
"""What can be awaited."""

Progress = Literal["reached", "lost", "waiting"]
"""How a stage stands: it has come, it can no longer come, or it may still come."""

_LOST: Final[frozenset[RecordingState]] = frozenset({"not_sent", "rejected", "absent", "failed"})
_ACCEPTED: Final[frozenset[RecordingState]] = frozenset(
    {"accepted", "unconfirmed", "started", "recorded", "transcribed"}
)


@attrs.frozen(kw_only=True)
class Answer:
    """What the answer to the start said of it; the attributes are those of `StartAccepted`."""

    api_id: str | None = None
    recording_id: str | None = None
    url: str | None = None


@attrs.frozen(kw_only=True)
class Step:
    """One line of a recording's history.

    Attributes:
        kind: What was learned; ``planned`` for the first.
        state: The state by it.
        at: When it was learned (aware, UTC).
        evidence: The evidence in words; what callbacks said is in the record itself.
    """

    kind: Kind | Literal["planned"]
    state: RecordingState
    at: datetime
    evidence: str


@attrs.frozen(kw_only=True)
class FollowedRecording(Value):
    """All that is known of one followed recording; made by ``plan``, changed by ``apply`` only.

    Attributes:
        start_id: Our id of the start.
        request: What is sent; its URLs are the issued ones, against which callbacks are verified.
        dedupe_key: The user's key of the start, unique in a store.
        version: How often it has changed; a store keeps a change only if it has the version before it.
        state: Where it stands.
        due_at: When somebody has to look after it, by ``CameDue``; ``None`` if nobody has to.
        sending: What our clocks showed when it was about to be sent; None in records of older versions.
        gone_at: When its conference was first seen to be over, by Plivo's clock.
        answer: What the answer to the start said.
        response: The asynchronous response.
        begun: What a callback said of the recording when it had begun.
        ended: The end of the recording.
        transcription: The end of the transcription.
        candidates: The rows in Plivo's list that are, or may be, this recording.
        unhandled: The events that the user's handlers have still to be run for.
        handler_runs: How these handlers stand; empty where none of them has failed.
        steps: Its history; the first is that it was planned.
    """

    start_id: str
    request: StartRequest
    dedupe_key: str | None = None
    version: int = 0
    state: RecordingState = "planned"
    due_at: datetime | None = None
    sending: Sending | None = None
    gone_at: datetime | None = None
    answer: Answer | None = None
    response: ApiResponse | None = None
    begun: Recording | None = None
    ended: RecordingEnded | None = None
    transcription: TranscriptionEnded | None = None
    candidates: tuple[Recording, ...] = ()
    unhandled: tuple[EventName, ...] = ()
    handler_runs: tuple[HandlerRun, ...] = ()
    steps: tuple[Step, ...]

    @property
    def conference_name(self) -> str:
        """The conference's name."""
        return self.request.conference_name

    @property
    def created_at(self) -> datetime:
        """When it was planned."""
        return self.steps[0].at

    @property
    def updated_at(self) -> datetime:
        """When the last of this was learned."""
        return self.steps[-1].at

    @property
    def since(self) -> datetime:
        """When it got into its state."""
        *_, first = takewhile(lambda step: step.state == self.state, reversed(self.steps))
        return first.at

    @property
    def api_id(self) -> str | None:
        """Plivo's id of the request: the answer says it first, callbacks repeat it."""
        return (
            (self.answer and self.answer.api_id)
            or (self.response and self.response.api_id)
            or (self.ended and self.ended.api_id)
            or None
        )

    @property
    def recording_id(self) -> str | None:
        """Plivo's id of the recording, by the most telling source that has it."""
        return (
            (self.ended and self.ended.recording_id)
            or (self.transcription and self.transcription.recording_id)
            or (self.response and _text(self.response.answer.get("recording_id")))
            or (self.answer and self.answer.recording_id)
            or (self.begun and self.begun.recording_id)
            or (self._found and self._found.recording_id)
            or None
        )

    @property
    def record_url(self) -> str | None:
        """Where the file is, or will be."""
        return (
            (self.ended and self.ended.record_url)
            or (self.response and _text(self.response.answer.get("url")))
            or (self.answer and self.answer.url)
            or (self.begun and self.begun.recording_url)
            or (self._found and self._found.recording_url)
            or None
        )

    @property
    def error(self) -> str | None:
        """What is wrong with it, in words."""
        if self.state in {"recorded", "transcribed"}:
            return (self.transcription and self.transcription.error) or None
        if self.state == "failed":
            return (self.response and self.response.error) or None
        reason = None
        if self.state in _LOST or self.state in {"unknown", "unconfirmed"}:
            reason = next((step.evidence for step in self.steps if step.state == self.state), None)
        if len(self.candidates) > 1:
            may_be = ", ".join(row.recording_id or "?" for row in self.candidates)
            reason = "; ".join(filter(None, [reason, f"it may be any of the recordings {may_be}"]))
        return reason

    @property
    def handler_error(self) -> str | None:
        """Which of the user's handlers have failed, and what comes of it, in words."""
        return described(self.handler_runs)

    @property
    def _found(self) -> Recording | None:
        return self.candidates[0] if len(self.candidates) == 1 else None


def progress(record: FollowedRecording, stage: Stage) -> Progress:
    """How a stage stands. Unknown and unconfirmed recordings may still come to everything."""
    if stage == "accepted":
        reached = record.state in _ACCEPTED
        lost = record.state in _LOST
    elif stage == "recorded":
        reached = record.ended is not None
        lost = record.state in _LOST
    else:
        failed = record.transcription is not None and record.transcription.error is not None
        reached = record.transcription is not None and not failed
        lost = failed or record.state in _LOST or record.request.transcription_url is None
    return "reached" if reached else "lost" if lost else "waiting"


def status_of(record: FollowedRecording) -> RecordingStatus:
    """What users see of a record."""
    return RecordingStatus(
        start_id=record.start_id,
        conference_name=record.conference_name,
        state=record.state,
        api_id=record.api_id,
        recording_id=record.recording_id,
        record_url=record.record_url,
        error=record.error,
        updated_at=record.updated_at,
        handler_error=record.handler_error,
    )


def is_due(record: FollowedRecording, now: datetime) -> bool:
    """Whether somebody has to look after the record now."""
    return record.due_at is not None and record.due_at <= now


def lacks_end(record: FollowedRecording) -> bool:
    """Whether Plivo may know more of it than we do."""
    return _lacks_end(record.state, record.ended)


def is_silent(record: FollowedRecording) -> bool:
    """Whether the one thing that is left to do for the record is to ask Plivo about it."""
    return record.due_at is not None and not record.unhandled and lacks_end(record)


def next_due(
    record: FollowedRecording, changes: Mapping[str, Any], now: datetime, tracking: TrackingPolicy
) -> datetime | None:
    """When somebody has to look after the record again, or ``None`` if nobody has to.

    Args:
        record: The record before its change.
        changes: The attributes that change.
        now: The time.
        tracking: The intervals and timeouts.
    """
    look_at = _look_at(record, changes, now, tracking)
    unhandled: tuple[EventName, ...] = changes.get("unhandled", record.unhandled)
    runs: tuple[HandlerRun, ...] = changes.get("handler_runs", record.handler_runs)
    times = [next_run(runs, name) or now + tracking.handler_lease for name in unhandled]
    return min(times if look_at is None else [*times, look_at], default=None)


def _look_at(
    record: FollowedRecording, changes: Mapping[str, Any], now: datetime, tracking: TrackingPolicy
) -> datetime | None:
    """When to look after the recording itself: the older the silence, the longer the next one."""
    state: RecordingState = changes.get("state", record.state)
    since = record.since if state == record.state else now
    if state in {"planned", "sending"}:
        return now + tracking.lease
    if state == "accepted":
        return since + tracking.confirm_within
    if not _lacks_end(state, changes.get("ended", record.ended)):
        return since + tracking.give_up_after if _lacks_text(record, state, changes) else None
    if now - record.created_at > tracking.give_up_after:
        return None
    if "gone_at" in changes:
        return (
            now + tracking.absence_grace + tracking.poll_interval
        )  # the clock that the grace is measured with is Plivo's
    first = tracking.initial_backoff if state == "unknown" else tracking.idle_backoff
    return now + min(max(first, now - since), tracking.max_backoff)


def lacks_text(record: FollowedRecording) -> bool:
    """Whether it was recorded, and its transcript is still to come."""
    return _lacks_text(record, record.state, {})


def _lacks_text(record: FollowedRecording, state: RecordingState, changes: Mapping[str, Any]) -> bool:
    transcription = changes.get("transcription", record.transcription)
    return state == "recorded" and transcription is None and record.request.transcription_url is not None


def _lacks_end(state: RecordingState, ended: RecordingEnded | None) -> bool:
    if state in {"recorded", "transcribed"}:
        return ended is None
    return state in {"unknown", "unconfirmed", "started"}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
