"""When a record has to be processed again, and what is left to do for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from plivo_record_async.protocol.models import RecordingEnded, RecordingState
from plivo_record_async.protocol.recording.evidence import EventName
from plivo_record_async.protocol.recording.handler_runs import HandlerRun, next_run
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import TrackingPolicy

__all__ = [
    "BEING_SENT",
    "OPEN_STATES",
    "UNRESOLVED_STATES",
    "is_due",
    "is_silent",
    "lacks_end",
    "lacks_transcript",
    "needs_plivo",
    "next_due",
]

OPEN_STATES: Final[frozenset[RecordingState]] = frozenset({"accepted", "unknown", "unconfirmed", "started"})
"""The states of recordings that may be running or may have ended."""

BEING_SENT: Final[frozenset[RecordingState]] = frozenset({"planned", "sending"})
"""The states of starts that a process is sending, or was sending when it ended."""

UNRESOLVED_STATES: Final = BEING_SENT | OPEN_STATES
"""The states of recordings whose end is not known."""


def is_due(record: FollowedRecording, now: datetime) -> bool:
    """Return whether a record has to be processed now.

    Args:
        record: The record.
        now: The time (aware).
    """
    return record.due_at is not None and record.due_at <= now


def lacks_end(record: FollowedRecording) -> bool:
    """Return whether the end of the recording is not known, so that Plivo has to be asked about it.

    Args:
        record: The record.
    """
    return _lacks_end(record.state, record.ended)


def lacks_transcript(record: FollowedRecording) -> bool:
    """Return whether the recording has ended and its transcript is still expected.

    Args:
        record: The record.
    """
    return _lacks_transcript(record, record.state, {})


def needs_plivo(record: FollowedRecording) -> bool:
    """Return whether Plivo may know something about the recording that the record lacks.

    Args:
        record: The record.
    """
    return record.state == "accepted" or lacks_end(record) or lacks_transcript(record)


def is_silent(record: FollowedRecording) -> bool:
    """Return whether asking Plivo is the only thing that is left to do for the record.

    Args:
        record: The record.
    """
    return record.due_at is not None and not record.unhandled and (lacks_end(record) or lacks_transcript(record))


def next_due(
    record: FollowedRecording, changes: Mapping[str, Any], now: datetime, tracking: TrackingPolicy
) -> datetime | None:
    """Return when a record has to be processed again. If None, nothing is left to do for it.

    Args:
        record: The record before its change.
        changes: The attributes that change, with their new values.
        now: The time (aware).
        tracking: The intervals and timeouts.
    """
    recording_due = _recording_due(record, changes, now, tracking)
    unhandled: tuple[EventName, ...] = changes.get("unhandled", record.unhandled)
    runs: tuple[HandlerRun, ...] = changes.get("handler_runs", record.handler_runs)
    times = [next_run(runs, name) or now + tracking.handler_lease for name in unhandled]
    return min(times if recording_due is None else [*times, recording_due], default=None)


def _recording_due(
    record: FollowedRecording, changes: Mapping[str, Any], now: datetime, tracking: TrackingPolicy
) -> datetime | None:
    """Return when a record has to be processed again, apart from its handlers.

    The longer the recording has been in its state, the longer is the pause.
    """
    state: RecordingState = changes.get("state", record.state)
    since = record.since if state == record.state else now
    if state in {"planned", "sending"}:
        return now + tracking.lease
    if state == "accepted":
        return since + tracking.confirm_within
    has_ended = not _lacks_end(state, changes.get("ended", record.ended))
    if has_ended and _lacks_transcript(record, state, changes):
        since = changes.get("transcript_requested_at", record.transcript_requested_at) or since
    elif has_ended or now - record.created_at > tracking.give_up_after:
        return None
    if "gone_at" in changes:
        # The grace period is measured with Plivo's clock, which may differ a little from this machine's.
        return now + tracking.absence_grace + tracking.poll_interval
    return now + _pause(now - since, state, tracking, is_polled=record.is_polled)


def _pause(age: timedelta, state: RecordingState, tracking: TrackingPolicy, *, is_polled: bool) -> timedelta:
    """Return the pause before Plivo is asked about a recording that has been in its state for some time."""
    if state == "started" and is_polled:  # Plivo's list, which is read much more often, shows the end
        return max(age, tracking.max_backoff)
    first = tracking.initial_backoff if state == "unknown" else tracking.idle_backoff
    return min(max(age, first), tracking.max_backoff)


def _lacks_transcript(record: FollowedRecording, state: RecordingState, changes: Mapping[str, Any]) -> bool:
    transcription = changes.get("transcription", record.transcription)
    return state == "recorded" and transcription is None and record.expects_transcript


def _lacks_end(state: RecordingState, ended: RecordingEnded | None) -> bool:
    if state in {"recorded", "transcribed"}:
        return ended is None
    return state in {"unknown", "unconfirmed", "started"}
