"""The attributes of a record that a piece of evidence changes, apart from the state."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from plivo_record_async.protocol.models import ApiResponse, CallbackEvent, Recording, RecordingEnded, TranscriptionEnded
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    ConferenceGone,
    EventHandled,
    EventName,
    Evidence,
    HandlerProgress,
    RecordingBegan,
    RecordingFound,
    SendingBegan,
    StartAccepted,
    StartOutcomeUnknown,
    StartRejected,
    TranscriptMissing,
    TranscriptNotRequested,
    TranscriptRequestBegan,
    event_name,
)
from plivo_record_async.protocol.recording.handler_runs import (
    HandlerRun,
    drop_runs,
    next_runs,
    unfinished_events,
    update_runs,
)
from plivo_record_async.protocol.recording.kinds import kind_of
from plivo_record_async.protocol.recording.record import FollowedRecording, StartResponse
from plivo_record_async.protocol.recording.schedule import lacks_transcript
from plivo_record_async.protocol.tracking_policy import TrackingPolicy

__all__ = ["changes_by", "changes_by_time", "event_of"]

_ATTRIBUTES: Final[Mapping[EventName, str]] = {
    "ApiResponse": "async_response",
    "RecordingEnded": "ended",
    "TranscriptionEnded": "transcription",
}
"""The attribute of a record that contains each event."""

Event = ApiResponse | RecordingEnded | TranscriptionEnded


def event_of(record: FollowedRecording, name: EventName) -> Event:
    """Return an event that the record contains.

    Args:
        record: The record.
        name: The name of the event.
    """
    event: Event = getattr(record, _ATTRIBUTES[name])
    return event


def changes_by(  # noqa: C901, PLR0912 - one case for each kind of evidence
    record: FollowedRecording,
    evidence: Evidence,
    now: datetime,
    tracking: TrackingPolicy,
    events_with_handlers: Collection[EventName],
) -> dict[str, Any]:
    """Return the attributes that a piece of evidence changes, with their new values.

    Args:
        record: The record before the change.
        evidence: The evidence. For `DueTimeReached`, call `changes_by_time` instead.
        now: The time (aware).
        tracking: The intervals and timeouts.
        events_with_handlers: The events that have handlers.
    """
    changes: dict[str, Any] = {}
    match evidence:
        case ApiResponse() | RecordingEnded() | TranscriptionEnded():
            changes = _by_event(record, evidence, events_with_handlers)
        case StartAccepted(api_id=api_id, recording_id=recording_id, url=url):
            response = StartResponse(api_id=api_id, recording_id=recording_id, url=url)
            changes = _keep_better(record, "start_response", response)
        case StartRejected(api_id=api_id) | StartOutcomeUnknown(api_id=api_id):
            changes = _keep_better(record, "start_response", StartResponse(api_id=api_id))
        case RecordingBegan(recording=begun):
            changes = _keep_better(record, "begun", begun)
        case RecordingFound(recording=found):
            changes = _by_candidates(record, (found,))
            if kind_of(evidence) == "found_ended" and record.ended is None:
                changes |= _by_event(record, _ended_by(record, found), events_with_handlers)
        case CandidatesFound(recordings=several):
            changes = _by_candidates(record, tuple(sorted(several, key=lambda found: found.recording_id or "")))
        case SendingBegan(sending=sending, traceparent=traceparent):
            changes = {"sending": sending, "traceparent": traceparent}
        case ConferenceGone(at=at):
            changes = {} if record.gone_at is not None else {"gone_at": at or now}
        case TranscriptMissing() if _is_too_late(record, now, tracking):
            changes = _without_transcript(record, tracking, events_with_handlers)
        case TranscriptRequestBegan() | TranscriptNotRequested():
            requested_at = now if isinstance(evidence, TranscriptRequestBegan) else None
            is_new = (requested_at is None) != (record.transcript_requested_at is None)
            changes = {"transcript_requested_at": requested_at} if is_new else {}
        case EventHandled() | HandlerProgress():
            changes = _by_handlers(record, evidence, now, tracking)
        case _:
            pass
    return changes


def changes_by_time(
    record: FollowedRecording, now: datetime, tracking: TrackingPolicy, events_with_handlers: Collection[EventName]
) -> dict[str, Any]:
    """Return the attributes that `DueTimeReached` changes, with their new values.

    A transcription counts as failed if its callback was not received in time and Plivo cannot be asked for it, because
    Plivo's ID of the recording is not known. If the callback is received later, it replaces that result.

    Args:
        record: The record before the change.
        now: The time (aware).
        tracking: The intervals and timeouts.
        events_with_handlers: The events that have handlers.
    """
    changes: dict[str, Any] = {}
    if record.recording_id is None and _is_too_late(record, now, tracking):
        changes = _without_transcript(record, tracking, events_with_handlers)
    runs: tuple[HandlerRun, ...] = changes.get("handler_runs", record.handler_runs)
    later = next_runs(runs, now, lease=tracking.handler_lease, give_up_after=tracking.give_up_after)
    if later != runs:
        unhandled = unfinished_events(changes.get("unhandled", record.unhandled), later)
        changes |= {"handler_runs": later, "unhandled": unhandled}
    return changes


def _is_too_late(record: FollowedRecording, now: datetime, tracking: TrackingPolicy) -> bool:
    """Return whether a transcript is given up now if Plivo has none."""
    return lacks_transcript(record) and now >= record.since + tracking.give_up_after


def _without_transcript(
    record: FollowedRecording, tracking: TrackingPolicy, events_with_handlers: Collection[EventName]
) -> dict[str, Any]:
    error = f"no transcript was received within {tracking.give_up_after} after the end of the recording"
    ended = TranscriptionEnded(recording_id=record.recording_id or "", error=error)
    return _by_event(record, ended, events_with_handlers)


def _by_event(record: FollowedRecording, event: Event, events_with_handlers: Collection[EventName]) -> dict[str, Any]:
    name = event_name(event)
    old, changes = getattr(record, _ATTRIBUTES[name]), _keep_better(record, _ATTRIBUTES[name], event)
    is_new = bool(changes) and (old is None or _precedence(old)[0] != _precedence(event)[0])
    if is_new and name in events_with_handlers and name not in record.unhandled:
        return changes | {"unhandled": (*record.unhandled, name), "handler_runs": drop_runs(record.handler_runs, name)}
    return changes


def _keep_better(
    record: FollowedRecording, attribute: str, new: StartResponse | CallbackEvent | Recording
) -> dict[str, Any]:
    """Return the change of an attribute, if the new value has precedence over the old one.

    The value that remains does not depend on the order in which the values arrive.
    """
    old = getattr(record, attribute)
    return {} if old is not None and _precedence(old) >= _precedence(new) else {attribute: new}


def _precedence(value: StartResponse | CallbackEvent | Recording) -> tuple[bool, int, str]:
    """Return a sort key: of two values, the one with the greater key is kept.

    The key is whether the value is decisive, how many of its attributes are known, and a text that breaks ties.
    """
    # A response with an error says that the start failed, while a success is also known from later events. A missing
    # transcript may be an assumption of `changes_by_time`, so a transcript that arrives later replaces it.
    match value:
        case ApiResponse(error=error):
            decisive = error is not None
        case TranscriptionEnded(error=error):
            decisive = error is None
        case _:
            decisive = True
    attributes = attrs.asdict(value)
    known = sum(attribute is not None for attribute in attributes.values())
    return decisive, known, json.dumps(attributes, sort_keys=True, default=str)


def _by_candidates(record: FollowedRecording, candidates: tuple[Recording, ...]) -> dict[str, Any]:
    return {} if candidates == record.candidates else {"candidates": candidates}


def _ended_by(record: FollowedRecording, found: Recording) -> RecordingEnded:
    return RecordingEnded(
        api_id=record.api_id,  # the api_id in the list may be that of the list request
        conference_name=found.conference_name,
        record_url=found.recording_url or "",
        recording_id=found.recording_id,
        duration_ms=found.duration_ms,
        started_at=found.started_at,
        ended_at=found.ended_at,
        raw=found.raw,
    )


def _by_handlers(
    record: FollowedRecording, evidence: EventHandled | HandlerProgress, now: datetime, tracking: TrackingPolicy
) -> dict[str, Any]:
    name, runs = evidence.name, record.handler_runs
    if name not in record.unhandled:
        return {}
    if isinstance(evidence, HandlerProgress):
        lease = tracking.handler_lease  # also the first pause, so that a failed handler does not run again at once
        runs = update_runs(runs, evidence, now, lease=lease, first_pause=lease, max_backoff=tracking.max_backoff)
        return {} if runs == record.handler_runs else {"handler_runs": runs}
    unhandled = tuple(other for other in record.unhandled if other != name)
    return {"unhandled": unhandled, "handler_runs": drop_runs(runs, name, except_given_up=True)}
