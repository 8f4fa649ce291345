"""The lifecycle of a followed recording: a table of the states, and the function that applies evidence to a record.

The table keeps these rules, in whatever order the evidence arrives:

* A later state never changes back to an earlier one. The only exception is from ``not_sent`` to ``sending``, because
  nothing was sent. No other start may be sent again.
* Callbacks are the strongest evidence. The resulting state and attributes do not depend on their order.
* A pair of state and evidence that is not in the table is an error in the program. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import attrs

from plivo_record_async.protocol.clocks import Sending
from plivo_record_async.protocol.models import (
    ApiResponse,
    EvidenceKind,
    HistoryEntry,
    RecordingEnded,
    RecordingState,
    StartRequest,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.changes import changes_by, changes_by_time, event_of
from plivo_record_async.protocol.recording.evidence import EventName, Evidence, SendingBegan
from plivo_record_async.protocol.recording.handler_runs import HandlerRun
from plivo_record_async.protocol.recording.kinds import describe, kind_of
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.recording.schedule import is_due, lacks_end, lacks_transcript, next_due
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING, TrackingPolicy

__all__ = ["IGNORED", "TABLE", "Effect", "GiveUpHandler", "Reconcile", "RunHandlers", "apply", "begin_sending", "plan"]

IGNORED: Final = None
"""This evidence changes nothing in this state."""

TABLE: Final[Mapping[EvidenceKind, Mapping[RecordingState, RecordingState | None]]] = {
    "sending_began": {"planned": "sending", "not_sent": "sending"},
    "sending_continued": {
        "planned": "planned", "sending": "sending", "not_sent": IGNORED, "rejected": IGNORED, "unknown": IGNORED,
        "absent": IGNORED, "accepted": IGNORED, "unconfirmed": IGNORED, "started": IGNORED, "failed": IGNORED,
        "recorded": IGNORED, "transcribed": IGNORED,
    },
    "accepted": {
        "sending": "accepted", "unknown": "accepted", "accepted": "accepted", "unconfirmed": "unconfirmed",
        "absent": "absent", "started": "started", "failed": "failed", "recorded": "recorded",
        "transcribed": "transcribed",
    },
    "rejected": {
        "sending": "rejected", "unknown": "rejected", "rejected": "rejected", "absent": "absent",
        "started": "started", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed",
    },
    "not_sent": {
        "planned": "not_sent", "sending": "not_sent", "unknown": "not_sent", "not_sent": "not_sent",
        "absent": "absent", "started": IGNORED, "failed": IGNORED, "recorded": IGNORED, "transcribed": IGNORED,
    },
    "outcome_unknown": {
        "sending": "unknown", "unknown": "unknown", "absent": "absent", "started": "started", "failed": "failed",
        "recorded": "recorded", "transcribed": "transcribed",
    },
    "start_confirmed": {
        "planned": "started", "sending": "started", "not_sent": "started", "rejected": "started",
        "unknown": "started", "absent": "started", "accepted": "started", "unconfirmed": "started",
        "started": "started", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed",
    },
    "start_failed": {
        "planned": "failed", "sending": "failed", "not_sent": "failed", "rejected": "failed",
        "unknown": "failed", "absent": "failed", "accepted": "failed", "unconfirmed": "failed",
        "started": "failed", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed",
    },
    "recording_began": {
        "planned": "started", "sending": "started", "not_sent": "started", "rejected": "started",
        "unknown": "started", "absent": "started", "accepted": "started", "unconfirmed": "started",
        "started": "started", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed",
    },
    "recording_ended": {
        "planned": "recorded", "sending": "recorded", "not_sent": "recorded", "rejected": "recorded",
        "unknown": "recorded", "absent": "recorded", "accepted": "recorded", "unconfirmed": "recorded",
        "started": "recorded", "failed": "recorded", "recorded": "recorded", "transcribed": "transcribed",
    },
    "transcribed": {
        "planned": "transcribed", "sending": "transcribed", "not_sent": "transcribed", "rejected": "transcribed",
        "unknown": "transcribed", "absent": "transcribed", "accepted": "transcribed",
        "unconfirmed": "transcribed", "started": "transcribed", "failed": "transcribed",
        "recorded": "transcribed", "transcribed": "transcribed",
    },
    # A recording that could not be transcribed was nevertheless recorded.
    "transcription_failed": {
        "planned": "recorded", "sending": "recorded", "not_sent": "recorded", "rejected": "recorded",
        "unknown": "recorded", "absent": "recorded", "accepted": "recorded", "unconfirmed": "recorded",
        "started": "recorded", "failed": "recorded", "recorded": "recorded", "transcribed": "transcribed",
    },
    # A row in a list is matched by name and time, so it is weaker evidence than a response or a callback.
    "found_running": {
        "sending": IGNORED, "not_sent": IGNORED, "rejected": IGNORED, "unknown": "started", "absent": "started",
        "accepted": "started", "unconfirmed": "started", "started": "started", "failed": IGNORED,
        "recorded": IGNORED, "transcribed": IGNORED,
    },
    "found_ended": {
        "sending": IGNORED, "not_sent": IGNORED, "rejected": IGNORED, "unknown": "recorded", "absent": "recorded",
        "accepted": "recorded", "unconfirmed": "recorded", "started": "recorded", "failed": IGNORED,
        "recorded": "recorded", "transcribed": "transcribed",
    },
    "found_several": {
        "sending": IGNORED, "not_sent": IGNORED, "rejected": IGNORED, "unknown": "unknown", "absent": "absent",
        "accepted": "accepted", "unconfirmed": "unconfirmed", "started": "started", "failed": IGNORED,
        "recorded": IGNORED, "transcribed": IGNORED,
    },
    "conference_gone": {
        "sending": IGNORED, "not_sent": IGNORED, "rejected": IGNORED, "unknown": "unknown", "absent": IGNORED,
        "accepted": "accepted", "unconfirmed": "unconfirmed", "started": "started", "failed": IGNORED,
        "recorded": IGNORED, "transcribed": IGNORED,
    },
    "nothing_found": {
        "sending": IGNORED, "not_sent": IGNORED, "rejected": IGNORED, "unknown": "absent", "absent": IGNORED,
        "accepted": IGNORED, "unconfirmed": "absent", "started": IGNORED, "failed": IGNORED,
        "recorded": IGNORED, "transcribed": IGNORED,
    },
    "transcript_missing": {"recorded": "recorded", "transcribed": IGNORED},
    "transcript_request_began": {"recorded": "recorded", "transcribed": IGNORED},
    "transcript_not_requested": {"recorded": "recorded", "transcribed": IGNORED},
    "due_time_reached": {
        "planned": "not_sent", "sending": "unknown", "not_sent": IGNORED, "rejected": IGNORED,
        "unknown": "unknown", "absent": IGNORED, "accepted": "unconfirmed", "unconfirmed": "unconfirmed",
        "started": "started", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed",
    },
    "handler_progress": {
        "started": "started", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed",
    },
    "event_handled": {"started": "started", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed"},
}  # fmt: skip
"""For each kind of evidence and each state, the state that follows. A pair that is missing cannot occur."""


@attrs.frozen
class Reconcile:
    """Ask Plivo about the recording, and apply the evidence that follows from the answers."""


@attrs.frozen
class RunHandlers:
    """Run the handlers of an event, then apply `EventHandled`, or `HandlerProgress` if one of them fails.

    Attributes:
        event: The event.
        skip: The handlers that do not run now, because they have succeeded, were given up, or run later.
    """

    event: ApiResponse | RecordingEnded | TranscriptionEnded
    skip: frozenset[str] = frozenset()


@attrs.frozen
class GiveUpHandler:
    """Give up a handler that has not succeeded in time.

    Attributes:
        run: The runs of the handler.
    """

    run: HandlerRun


Effect = Reconcile | RunHandlers | GiveUpHandler
"""What has to be done after a change was stored. Waiting calls need no effect, because the store wakes them."""


def plan(
    start_id: str,
    request: StartRequest,
    now: datetime,
    *,
    dedupe_key: str | None = None,
    auth_id: str | None = None,
    transcribe: bool = False,
    tracking: TrackingPolicy = DEFAULT_TRACKING,
) -> FollowedRecording:
    """Return the record of a start that is not being sent yet.

    Args:
        start_id: The ID of the start.
        request: The request to send.
        now: The time (aware).
        dedupe_key: The user's key of the start. If None, the start has no key.
        auth_id: The auth ID of the account. If None, it is not known.
        transcribe: Whether a transcript is requested without a URL.
        tracking: The intervals and timeouts.
    """
    return FollowedRecording(
        start_id=start_id,
        request=request,
        dedupe_key=dedupe_key,
        auth_id=auth_id,
        transcribe=transcribe,
        due_at=now + tracking.lease,
        history=(_planned(now),),
    )


def begin_sending(
    start_id: str,
    request: StartRequest,
    now: datetime,
    *,
    sending: Sending | None = None,
    traceparent: str | None = None,
    dedupe_key: str | None = None,
    auth_id: str | None = None,
    transcribe: bool = False,
    tracking: TrackingPolicy = DEFAULT_TRACKING,
) -> FollowedRecording:
    """Return the record of a start that is sent as soon as the record is stored.

    This is `plan` followed by `SendingBegan`, so that a single write stores both.

    Args:
        start_id: The ID of the start.
        request: The request to send.
        now: The time (aware).
        sending: The readings of this machine's clocks. If None, they are not known.
        traceparent: The trace and the span of the start. If None, the start is not traced.
        dedupe_key: The user's key of the start. If None, the start has no key.
        auth_id: The auth ID of the account. If None, it is not known.
        transcribe: Whether a transcript is requested without a URL.
        tracking: The intervals and timeouts.
    """
    began = HistoryEntry(kind="sending_began", state="sending", at=now, description=describe(SendingBegan(), "sending"))
    return FollowedRecording(
        start_id=start_id,
        request=request,
        dedupe_key=dedupe_key,
        auth_id=auth_id,
        transcribe=transcribe,
        version=1,
        state="sending",
        due_at=now + tracking.lease,
        sending=sending,
        traceparent=traceparent,
        history=(_planned(now), began),
    )


def _planned(now: datetime) -> HistoryEntry:
    return HistoryEntry(kind="planned", state="planned", at=now, description="planned")


def apply(
    record: FollowedRecording,
    evidence: Evidence,
    now: datetime,
    tracking: TrackingPolicy = DEFAULT_TRACKING,
    *,
    events_with_handlers: Collection[EventName] = (),
) -> tuple[FollowedRecording, tuple[Effect, ...]]:
    """Apply one piece of evidence to a record.

    Args:
        record: The record before the change.
        evidence: The evidence.
        now: The time (aware).
        tracking: The intervals and timeouts.
        events_with_handlers: The events that have handlers.

    Returns:
        The record after the change, which is the same object if nothing changed, and the effects of the change.

    Raises:
        ValueError: The table has no entry for the state of the record and this kind of evidence.
    """
    kind = kind_of(evidence)
    row = TABLE[kind]
    if record.state not in row:
        raise ValueError(
            f"start {record.start_id} is {record.state}, and evidence of the kind {kind!r} is impossible in it. "
            "The record was left unchanged."
        )
    state = row[record.state]
    if state is None or (kind == "due_time_reached" and not is_due(record, now)):
        return record, ()
    if kind == "due_time_reached":
        changes = changes_by_time(record, now, tracking, events_with_handlers)
    else:
        changes = changes_by(record, evidence, now, tracking, events_with_handlers)
    if state == record.state and not changes and kind not in {"due_time_reached", "sending_continued"}:
        return record, ()
    if state != record.state:
        changes["state"] = state
    if changes.keys() - {"unhandled", "handler_runs"}:
        entry = HistoryEntry(kind=kind, state=state, at=now, description=describe(evidence, state))
        changes["history"] = (*record.history, entry)
    due_at = next_due(record, changes, now, tracking)
    changed = attrs.evolve(record, **changes, version=record.version + 1, due_at=due_at)
    return changed, _effects(record, changed, kind, now, tracking)


def _effects(
    before: FollowedRecording, after: FollowedRecording, kind: EvidenceKind, now: datetime, tracking: TrackingPolicy
) -> tuple[Effect, ...]:
    due_time_reached = kind == "due_time_reached"
    known: tuple[EventName, ...] = () if due_time_reached else before.unhandled
    handlers = [_run_handlers(before, after, name) for name in after.unhandled if name not in known]
    if not due_time_reached:
        return tuple(handlers)
    given_up = [GiveUpHandler(run) for run in after.handler_runs if run.given_up and run not in before.handler_runs]
    lacks_something = lacks_end(after) or (lacks_transcript(after) and now >= after.since + tracking.idle_backoff)
    reconcile = [Reconcile()] if before.state == after.state and lacks_something else []
    return (*given_up, *handlers, *reconcile)


def _run_handlers(before: FollowedRecording, after: FollowedRecording, name: EventName) -> RunHandlers:
    """Return the effect that runs the handlers of an event, except those that do not run now."""
    runs = [run for run in after.handler_runs if run.event == name]
    skip = frozenset([run.handler for run in runs if run.due_at is None or run in before.handler_runs])
    return RunHandlers(event_of(after, name), skip)
