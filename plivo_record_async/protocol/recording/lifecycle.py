"""The life of a followed recording: one table says what each piece of evidence makes of each state.

The rules it keeps, whatever comes in whatever order:

* A later state never goes back to an earlier one. The one way round is ``not_sent`` to ``sending``: nothing had
  left the machine, so it may be sent again. Nothing else may.
* Callbacks are the strongest evidence; the state and the facts they leave do not depend on their order.
* A pair that the table does not name is a mistake in the program: it raises, and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from plivo_record_async.protocol.clocks import Sending
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    Recording,
    RecordingEnded,
    RecordingState,
    StartRequest,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    ConferenceGone,
    EventHandled,
    EventName,
    Evidence,
    HandlersEnded,
    Kind,
    RecordingBegan,
    RecordingFound,
    SendingBegan,
    StartAccepted,
    StartRefused,
    StartUnanswered,
    event_name,
    kind_of,
    words_of,
)
from plivo_record_async.protocol.recording.handler_runs import HandlerRun, come_due, noted, unfinished, without
from plivo_record_async.protocol.recording.record import (
    Answer,
    FollowedRecording,
    Step,
    is_due,
    lacks_end,
    lacks_text,
    next_due,
)
from plivo_record_async.protocol.recording.tracking_policy import DEFAULT_TRACKING, TrackingPolicy

__all__ = ["IGNORED", "TABLE", "Effect", "GiveUpHandler", "Reconcile", "RunHandlers", "apply", "begin", "plan"]

IGNORED: Final = None
"""Decided: this evidence says nothing to a recording in this state; neither the state nor a fact changes."""

TABLE: Final[Mapping[Kind, Mapping[RecordingState, RecordingState | None]]] = {
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
    "refused": {
        "sending": "rejected", "unknown": "rejected", "rejected": "rejected", "absent": "absent",
        "started": "started", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed",
    },
    "not_sent": {
        "planned": "not_sent", "sending": "not_sent", "unknown": "not_sent", "not_sent": "not_sent",
        "absent": "absent", "started": IGNORED, "failed": IGNORED, "recorded": IGNORED, "transcribed": IGNORED,
    },
    "unanswered": {
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
    # A recording that could not be transcribed was recorded all the same.
    "transcription_failed": {
        "planned": "recorded", "sending": "recorded", "not_sent": "recorded", "rejected": "recorded",
        "unknown": "recorded", "absent": "recorded", "accepted": "recorded", "unconfirmed": "recorded",
        "started": "recorded", "failed": "recorded", "recorded": "recorded", "transcribed": "transcribed",
    },
    # A row in a list is matched by name and time, so it weighs less than Plivo's own word on this very start.
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
    "came_due": {
        "planned": "not_sent", "sending": "unknown", "not_sent": IGNORED, "rejected": IGNORED,
        "unknown": "unknown", "absent": IGNORED, "accepted": "unconfirmed", "unconfirmed": "unconfirmed",
        "started": "started", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed",
    },
    "handlers_ended": {
        "started": "started", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed",
    },
    "handled": {"started": "started", "failed": "failed", "recorded": "recorded", "transcribed": "transcribed"},
}  # fmt: skip
"""What each kind of evidence makes of each state; a state that is missing is one it cannot meet."""


@attrs.frozen
class Reconcile:
    """Ask Plivo what became of the recording; the answer is evidence too."""


@attrs.frozen
class RunHandlers:
    """Run the user's handlers for the event, then apply `EventHandled`, or `HandlersEnded` if one of them fails.

    Attributes:
        event: The event.
        skip: The handlers that are not to be run now: they have run, were given up, or have to wait.
    """

    event: ApiResponse | RecordingEnded | TranscriptionEnded
    skip: frozenset[str] = frozenset()


@attrs.frozen
class GiveUpHandler:
    """A handler has failed, or run, for too long: it is not run again for its event, and no longer waited for."""

    run: HandlerRun


Effect = Reconcile | RunHandlers | GiveUpHandler
"""What is to be done after the changed record was stored. Waiters need no effect: the store wakes them."""


def plan(
    start_id: str,
    request: StartRequest,
    now: datetime,
    *,
    dedupe_key: str | None = None,
    tracking: TrackingPolicy = DEFAULT_TRACKING,
) -> FollowedRecording:
    """A start of which nothing has been sent."""
    return _new(start_id, request, now, dedupe_key, tracking, _planned(now))


def begin(
    start_id: str,
    request: StartRequest,
    now: datetime,
    *,
    sending: Sending | None = None,
    dedupe_key: str | None = None,
    tracking: TrackingPolicy = DEFAULT_TRACKING,
) -> FollowedRecording:
    """A start that is sent as soon as it is stored: `plan` and `SendingBegan` in one, as one write keeps both."""
    began = Step(kind="sending_began", state="sending", at=now, evidence=words_of(SendingBegan(), "sending"))
    return attrs.evolve(_new(start_id, request, now, dedupe_key, tracking, _planned(now), began), sending=sending)


def _planned(now: datetime) -> Step:
    return Step(kind="planned", state="planned", at=now, evidence="planned")


def _new(
    start_id: str, request: StartRequest, now: datetime, dedupe_key: str | None, tracking: TrackingPolicy, *steps: Step
) -> FollowedRecording:
    return FollowedRecording(
        start_id=start_id,
        request=request,
        dedupe_key=dedupe_key,
        version=len(steps) - 1,
        state=steps[-1].state,
        due_at=now + tracking.lease,
        steps=steps,
    )


def apply(
    record: FollowedRecording,
    evidence: Evidence,
    now: datetime,
    tracking: TrackingPolicy = DEFAULT_TRACKING,
    *,
    handled: Collection[EventName] = (),
) -> tuple[FollowedRecording, tuple[Effect, ...]]:
    """Apply one piece of evidence to a record.

    Args:
        record: The record before the change.
        evidence: What was learned.
        now: The time (aware).
        tracking: The intervals and timeouts.
        handled: The events that have handlers.

    Returns:
        The record as it is now, the very same object if nothing changed; and what to do once it is stored.

    Raises:
        ValueError: A recording in this state cannot meet this evidence; nothing changes.
    """
    kind = kind_of(evidence)
    row = TABLE[kind]
    if record.state not in row:
        raise ValueError(f"start {record.start_id} is {record.state}; it cannot meet the evidence {kind!r}")
    state = row[record.state]
    if state is None or (kind == "came_due" and not is_due(record, now)):
        return record, ()
    if kind == "came_due":
        facts = _passed(record, now, tracking, handled)
    else:
        facts = _facts(record, evidence, now, tracking, handled)
    if state == record.state and not facts and kind not in {"came_due", "sending_continued"}:
        return record, ()
    if state != record.state:
        facts["state"] = state
    if facts.keys() - {"unhandled", "handler_runs"}:
        step = Step(kind=kind, state=state, at=now, evidence=words_of(evidence, state))
        facts["steps"] = (*record.steps, step)
    due_at = next_due(record, facts, now, tracking)
    learned = attrs.evolve(record, **facts, version=record.version + 1, due_at=due_at)
    return learned, _effects(record, learned, kind)


# What is kept of the evidence


_SLOTS: Final[Mapping[EventName, str]] = {
    "ApiResponse": "response",
    "RecordingEnded": "ended",
    "TranscriptionEnded": "transcription",
}
"""Where a record keeps what a callback said."""


def _facts(
    record: FollowedRecording,
    evidence: Evidence,
    now: datetime,
    tracking: TrackingPolicy,
    handled: Collection[EventName],
) -> dict[str, Any]:
    """The attributes that the evidence changes, apart from the state."""
    facts: dict[str, Any] = {}
    match evidence:
        case ApiResponse() | RecordingEnded() | TranscriptionEnded():
            facts = _reported(record, evidence, handled)
        case StartAccepted(api_id=api_id, recording_id=recording_id, url=url):
            facts = _kept(record, "answer", Answer(api_id=api_id, recording_id=recording_id, url=url))
        case StartRefused(api_id=api_id) | StartUnanswered(api_id=api_id):
            facts = _kept(record, "answer", Answer(api_id=api_id))
        case RecordingBegan(recording=begun):
            facts = _kept(record, "begun", begun)
        case RecordingFound(recording=row):
            facts = _listed(record, (row,))
            if kind_of(evidence) == "found_ended" and record.ended is None:
                facts |= _reported(record, _ended_by(record, row), handled)
        case CandidatesFound(recordings=rows):
            facts = _listed(record, tuple(sorted(rows, key=lambda row: row.recording_id or "")))
        case SendingBegan() | ConferenceGone():
            facts = _noted(record, evidence, now)
        case EventHandled() | HandlersEnded():
            facts = _handlers(record, evidence, now, tracking)
        case _:
            pass
    return facts


def _noted(record: FollowedRecording, evidence: SendingBegan | ConferenceGone, now: datetime) -> dict[str, Any]:
    if isinstance(evidence, SendingBegan):
        return {"sending": evidence.sending}
    return {} if record.gone_at is not None else {"gone_at": evidence.at or now}


def _reported(
    record: FollowedRecording,
    event: ApiResponse | RecordingEnded | TranscriptionEnded,
    handled: Collection[EventName],
) -> dict[str, Any]:
    name = event_name(event)
    old, kept = getattr(record, _SLOTS[name]), _kept(record, _SLOTS[name], event)
    is_news = bool(kept) and (old is None or _weight(old)[0] != _weight(event)[0])
    if is_news and name in handled and name not in record.unhandled:
        return kept | {"unhandled": (*record.unhandled, name), "handler_runs": without(record.handler_runs, name)}
    return kept


def _kept(record: FollowedRecording, slot: str, new: Answer | CallbackEvent | Recording) -> dict[str, Any]:
    """Of two that speak of the same, keep the one that says more: so it does not matter which came first."""
    old = getattr(record, slot)
    return {} if old is not None and _weight(old) >= _weight(new) else {slot: new}


def _weight(said: Answer | CallbackEvent | Recording) -> tuple[bool, int, str]:
    match said:
        case ApiResponse(error=error):
            decisive = error is not None
        case TranscriptionEnded(error=error):
            decisive = error is None
        case _:
            decisive = True
    values = attrs.asdict(said)
    known = sum(value is not None for value in values.values())
    return decisive, known, json.dumps(values, sort_keys=True, default=str)


def _listed(record: FollowedRecording, rows: tuple[Recording, ...]) -> dict[str, Any]:
    return {} if rows == record.candidates else {"candidates": rows}


def _ended_by(record: FollowedRecording, row: Recording) -> RecordingEnded:
    return RecordingEnded(
        api_id=record.api_id,  # the row's is that of the question
        conference_name=row.conference_name,
        record_url=row.recording_url or "",
        recording_id=row.recording_id,
        duration_ms=row.duration_ms,
        started_at=row.started_at,
        ended_at=row.ended_at,
        raw=row.raw,
    )


def _passed(
    record: FollowedRecording, now: datetime, tracking: TrackingPolicy, handled: Collection[EventName]
) -> dict[str, Any]:
    """What the passing of time changes: a transcript that never came has failed, until it comes all the same."""
    facts: dict[str, Any] = {}
    if lacks_text(record) and now >= record.since + tracking.give_up_after:
        error = f"no transcript came within {tracking.give_up_after} of the recording's end"
        facts = _reported(record, TranscriptionEnded(recording_id=record.recording_id or "", error=error), handled)
    runs: tuple[HandlerRun, ...] = facts.get("handler_runs", record.handler_runs)
    due = come_due(runs, now, lease=tracking.handler_lease, give_up_after=tracking.give_up_after)
    if due != runs:
        facts |= {"handler_runs": due, "unhandled": unfinished(facts.get("unhandled", record.unhandled), due)}
    return facts


def _handlers(
    record: FollowedRecording, evidence: EventHandled | HandlersEnded, now: datetime, tracking: TrackingPolicy
) -> dict[str, Any]:
    """What it changes that handlers of the user's have run."""
    name, runs = evidence.name, record.handler_runs
    if name not in record.unhandled:
        return {}
    if isinstance(evidence, HandlersEnded):
        runs = noted(runs, evidence, now, lease=tracking.handler_lease, longest=tracking.max_backoff)
        return {} if runs == record.handler_runs else {"handler_runs": runs}
    unhandled = tuple(other for other in record.unhandled if other != name)
    return {"unhandled": unhandled, "handler_runs": without(runs, name, but_given_up=True)}


# What is to be done, and when


def _effects(before: FollowedRecording, after: FollowedRecording, kind: Kind) -> tuple[Effect, ...]:
    came_due = kind == "came_due"
    known: tuple[EventName, ...] = () if came_due else before.unhandled
    handed = tuple([_hand_over(before, after, name) for name in after.unhandled if name not in known])
    if not came_due:
        return handed
    given_up = tuple(
        [GiveUpHandler(run) for run in after.handler_runs if run.given_up and run not in before.handler_runs]
    )
    looks = before.state == after.state and lacks_end(after)
    return (*given_up, *handed, Reconcile()) if looks else (*given_up, *handed)


def _hand_over(before: FollowedRecording, after: FollowedRecording, name: EventName) -> RunHandlers:
    """All handlers, but for those of which is noted that they are not to be run now."""
    runs = [run for run in after.handler_runs if run.event == name]
    skip = frozenset([run.handler for run in runs if run.due_at is None or run in before.handler_runs])
    return RunHandlers(getattr(after, _SLOTS[name]), skip)
