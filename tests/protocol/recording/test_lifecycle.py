"""The lifecycle of a recording: its table, its effects, and that the order of callbacks does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from plivo_record_async.protocol.models import (
    ApiResponse,
    EvidenceKind,
    Recording,
    RecordingEnded,
    RecordingState,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    ConferenceGone,
    DueTimeReached,
    EventHandled,
    EventName,
    Evidence,
    HandlerProgress,
    NothingFound,
    RecordingBegan,
    RecordingFound,
    SendingBegan,
    SendingContinued,
    StartAccepted,
    StartNotSent,
    StartOutcomeUnknown,
    StartRejected,
)
from plivo_record_async.protocol.recording.handler_runs import HandlerRun
from plivo_record_async.protocol.recording.kinds import kind_of
from plivo_record_async.protocol.recording.lifecycle import (
    TABLE,
    Effect,
    GiveUpHandler,
    RunHandlers,
    apply,
    begin_sending,
)
from plivo_record_async.protocol.recording.record import FollowedRecording, progress_of
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING
from tests.support.samples.recordings import (
    ACCEPTED,
    CONFIRMED,
    ENDED,
    EVIDENCE,
    KINDS,
    NOW,
    OTHER_ROW,
    REQUEST,
    ROW,
    SECOND,
    STATES,
    TRANSCRIBED,
    UNTRANSCRIBED,
    due_time,
    planned,
    record_after,
    recording,
)

ORDER: dict[RecordingState, int] = {
    "planned": 0,
    "sending": 1,
    "unknown": 2,
    "not_sent": 3,
    "accepted": 3,
    "rejected": 4,
    "unconfirmed": 4,
    "absent": 5,
    "started": 6,
    "failed": 7,
    "recorded": 8,
    "transcribed": 9,
}
CALLBACKS: tuple[EvidenceKind, ...] = (
    "start_confirmed",
    "start_failed",
    "recording_began",
    "recording_ended",
    "transcribed",
    "transcription_failed",
)
HANDLED: frozenset[EventName] = frozenset({"RecordingEnded"})
TWO_HANDLED: frozenset[EventName] = frozenset({"RecordingEnded", "TranscriptionEnded"})


# The table


def test_the_table_has_a_row_for_every_kind_of_evidence() -> None:
    assert set(TABLE) == set(KINDS)
    assert {kind: kind_of(evidence) for kind, evidence in EVIDENCE.items()} == {kind: kind for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_no_transition_leads_back(kind: EvidenceKind) -> None:
    back = {
        (state, new)
        for state, new in TABLE[kind].items()
        if new is not None and new != state and ORDER[new] <= ORDER[state]
    }
    assert back == ({("not_sent", "sending")} if kind == "sending_began" else set())


@pytest.mark.parametrize("kind", CALLBACKS)
def test_a_callback_is_evidence_in_every_state(kind: EvidenceKind) -> None:
    assert set(TABLE[kind]) == set(STATES)
    assert None not in TABLE[kind].values()


def test_only_a_start_that_was_never_sent_is_sent() -> None:
    assert TABLE["sending_began"] == {"planned": "sending", "not_sent": "sending"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_state_and_evidence_follow_the_table(kind: EvidenceKind, state: RecordingState) -> None:
    record = recording(state)
    now = due_time(record)
    if state not in TABLE[kind]:
        with pytest.raises(ValueError, match=f"start-1 is {state}, and evidence of the kind '{kind}' is impossible"):
            apply(record, EVIDENCE[kind], now)
    elif TABLE[kind][state] is None:
        assert apply(record, EVIDENCE[kind], now) == (record, ())
        assert apply(record, EVIDENCE[kind], now)[0] is record
    else:
        assert apply(record, EVIDENCE[kind], now)[0].state == TABLE[kind][state]


@pytest.mark.parametrize("kind", ["accepted", "rejected", "not_sent", "outcome_unknown", *CALLBACKS])
@pytest.mark.parametrize("state", STATES)
def test_repeated_evidence_changes_nothing(kind: EvidenceKind, state: RecordingState) -> None:
    if TABLE[kind].get(state) is None:
        return
    once = record_after(recording(state), EVIDENCE[kind])
    again, effects = apply(once, EVIDENCE[kind], NOW + SECOND)
    assert again is once
    assert effects == ()


# History


def test_each_history_entry_has_its_time_and_evidence() -> None:
    record = planned()
    applied: tuple[Evidence, ...] = (SendingBegan(), ACCEPTED, CONFIRMED, ENDED, TRANSCRIBED)
    for number, evidence in enumerate(applied, start=1):
        record, _ = apply(record, evidence, NOW + number * SECOND)
    assert [(step.kind, step.state, (step.at - NOW) / SECOND, step.description) for step in record.history] == [
        ("planned", "planned", 0, "planned"),
        ("sending_began", "sending", 1, "sending began"),
        ("accepted", "accepted", 2, "202: conference recording started"),
        ("start_confirmed", "started", 3, "a callback reported that it was started"),
        ("recording_ended", "recorded", 4, "a callback reported that it has ended"),
        ("transcribed", "transcribed", 5, "Plivo delivered the transcript"),
    ]
    assert (record.created_at, record.since, record.updated_at) == (NOW, NOW + 5 * SECOND, NOW + 5 * SECOND)


def test_evidence_without_a_new_state_updates_the_record_but_not_the_age_of_its_state() -> None:
    early = record_after(recording("sending"), ENDED)
    record, effects = apply(early, ACCEPTED, NOW + SECOND)
    assert (record.state, record.since, record.updated_at, effects) == ("recorded", NOW, NOW + SECOND, ())
    assert record.start_response is not None
    assert record.start_response.url == "https://f/1"


def test_start_that_is_sent_at_once_is_planned_and_sent_in_one_version() -> None:
    begun = begin_sending("start-1", REQUEST, NOW, dedupe_key="monday")
    assert begun == record_after(planned(dedupe_key="monday"), SendingBegan())


def test_each_change_makes_a_version_and_evidence_without_effect_makes_none() -> None:
    record = planned()
    reconciled: list[Evidence] = [CandidatesFound(recordings=(ROW, OTHER_ROW)), ConferenceGone(), DueTimeReached()]
    reported: list[Evidence] = [ACCEPTED, CONFIRMED, ENDED, EventHandled(name="RecordingEnded")]
    changes = [SendingBegan(), SendingContinued(), EVIDENCE["outcome_unknown"], *reconciled, *reported]
    for version, evidence in enumerate(changes, start=1):
        record = record_after(record, evidence, events_with_handlers=TWO_HANDLED)
        assert record.version == version
        assert record_after(record, SendingContinued()).version == version + (record.state == "sending")


# Handlers


def test_event_is_dispatched_again_until_it_is_handled() -> None:
    record, effects = apply(recording("accepted"), ENDED, NOW, events_with_handlers=TWO_HANDLED)
    assert (record.unhandled, effects) == (("RecordingEnded",), (RunHandlers(ENDED),))
    assert apply(record, ENDED, NOW, events_with_handlers=TWO_HANDLED) == (record, ())
    record, effects = apply(record, TRANSCRIBED, NOW, events_with_handlers=TWO_HANDLED)
    assert effects == (RunHandlers(TRANSCRIBED),)
    assert record.due_at == NOW + DEFAULT_TRACKING.handler_lease

    record, effects = apply(record, DueTimeReached(), due_time(record), events_with_handlers=TWO_HANDLED)
    assert effects == (RunHandlers(ENDED), RunHandlers(TRANSCRIBED))

    history = record.history
    record = record_after(record, EventHandled(name="RecordingEnded"), events_with_handlers=TWO_HANDLED)
    assert (record.unhandled, record.history) == (("TranscriptionEnded",), history)
    assert record_after(record, EventHandled(name="RecordingEnded")) is record
    record = record_after(record, EventHandled(name="TranscriptionEnded"))
    assert (record.unhandled, record.due_at) == ((), None)


def ended_badly(**more: Any) -> HandlerProgress:
    return HandlerProgress(name="RecordingEnded", succeeded=frozenset({"a"}), failed=(("b", "ValueError: no"),), **more)


def test_only_the_handler_that_failed_runs_again_after_a_pause() -> None:
    before = record_after(recording("accepted"), ENDED, events_with_handlers=TWO_HANDLED)
    record, effects = apply(before, ended_badly(), NOW, events_with_handlers=TWO_HANDLED)
    assert (record.unhandled, effects) == (("RecordingEnded",), ())
    assert record.history == before.history, "a failed handler does not belong to the history of the recording"
    assert record.due_at == NOW + DEFAULT_TRACKING.handler_lease
    assert record.status.handler_error == (
        "handler b of RecordingEnded failed once, the last time with ValueError: no; it runs again at "
        "2026-03-01T12:01:00+00:00"
    )
    first_pause = due_time(record)
    record, effects = apply(record, DueTimeReached(), first_pause, events_with_handlers=TWO_HANDLED)
    assert effects == (RunHandlers(ENDED, skip=frozenset({"a"})),)
    assert record.due_at == first_pause + DEFAULT_TRACKING.handler_lease
    record, _ = apply(record, ended_badly(), first_pause, events_with_handlers=TWO_HANDLED)
    assert record.due_at == first_pause + 2 * DEFAULT_TRACKING.handler_lease
    record, _ = apply(record, EventHandled(name="RecordingEnded"), first_pause, events_with_handlers=TWO_HANDLED)
    assert (record.unhandled, record.handler_runs, record.due_at) == ((), (), due_time(record))
    assert record.status.handler_error is None


def test_other_evidence_does_not_shorten_the_pause_of_a_handler() -> None:
    record = record_after(recording("accepted"), ENDED, ended_badly(), events_with_handlers=TWO_HANDLED)
    later = NOW + DEFAULT_TRACKING.handler_lease
    record, _ = apply(record, DueTimeReached(), later, events_with_handlers=TWO_HANDLED)
    record, _ = apply(record, ended_badly(), later, events_with_handlers=TWO_HANDLED)
    assert record.due_at == later + 2 * DEFAULT_TRACKING.handler_lease
    record, effects = apply(record, TRANSCRIBED, later, events_with_handlers=TWO_HANDLED)
    assert effects == (RunHandlers(TRANSCRIBED),)
    assert record.due_at == later + DEFAULT_TRACKING.handler_lease
    record, effects = apply(record, DueTimeReached(), due_time(record), events_with_handlers=TWO_HANDLED)
    assert effects == (RunHandlers(ENDED, skip=frozenset({"a", "b"})), RunHandlers(TRANSCRIBED))


def test_a_handler_that_fails_for_two_days_is_given_up_and_that_stays_visible() -> None:
    record = record_after(recording("accepted"), ENDED, TRANSCRIBED, ended_badly(), events_with_handlers=HANDLED)
    now, effects = NOW, tuple[Effect, ...]()
    while record.unhandled:
        now = due_time(record)
        record, effects = apply(record, DueTimeReached(), now, events_with_handlers=HANDLED)
        record, _ = apply(record, ended_badly(), now, events_with_handlers=HANDLED)
    assert DEFAULT_TRACKING.give_up_after < now - NOW < DEFAULT_TRACKING.give_up_after + timedelta(hours=2)
    [run] = [effect.run for effect in effects if isinstance(effect, GiveUpHandler)]
    assert (run.handler, run.failures) == ("b", 53)
    assert run in record.handler_runs
    assert record.status.handler_error == str(run)
    assert str(run).endswith("it was given up")
    assert (len(effects), record.due_at) == (1, None), "nothing is handed over any more"


def test_repeated_event_is_handled_although_its_handlers_were_given_up_before() -> None:
    record = record_after(recording("accepted"), ENDED, UNTRANSCRIBED, events_with_handlers=TWO_HANDLED)
    run = HandlerRun(event="TranscriptionEnded", handler="a", since=NOW, failures=9, error="no")
    record = attrs.evolve(record, unhandled=(), handler_runs=(run,))
    record, effects = apply(record, TRANSCRIBED, NOW, events_with_handlers=TWO_HANDLED)
    assert (record.unhandled, record.handler_runs) == (("TranscriptionEnded",), ())
    assert effects == (RunHandlers(TRANSCRIBED),)


def test_error_of_a_handler_that_was_given_up_stays_when_the_others_succeed() -> None:
    record = record_after(recording("accepted"), ENDED, events_with_handlers=TWO_HANDLED)
    run = HandlerRun(event="RecordingEnded", handler="a", since=NOW, failures=9, error="no")
    done = HandlerRun(event="RecordingEnded", handler="b", since=NOW)
    record = record_after(attrs.evolve(record, handler_runs=(run, done)), EventHandled(name="RecordingEnded"))
    assert (record.unhandled, record.handler_runs) == ((), (run,))


def test_progress_of_handlers_matters_only_while_their_event_is_unhandled() -> None:
    record = recording("recorded")
    assert record_after(record, ended_badly()) is record
    noted = record_after(attrs.evolve(record, unhandled=("RecordingEnded",)), running := ended_badly())
    assert noted.handler_runs
    assert record_after(attrs.evolve(noted, unhandled=()), running) == attrs.evolve(noted, unhandled=())


def test_event_without_handlers_is_not_dispatched() -> None:
    record, effects = apply(recording("accepted"), CONFIRMED, NOW, events_with_handlers=TWO_HANDLED)
    assert (record.unhandled, effects) == ((), ())


def test_end_found_in_the_list_is_dispatched_too() -> None:
    record, effects = apply(recording("unknown"), RecordingFound(recording=ROW), NOW, events_with_handlers=TWO_HANDLED)
    assert record.ended is not None
    assert effects == (RunHandlers(record.ended),)


# Any order

ids = st.sampled_from(["a", "b"])
maybe = st.none() | ids
fields = st.dictionaries(st.sampled_from(["x", "y"]), ids)
callbacks = st.one_of(
    st.builds(
        ApiResponse,
        api_id=ids,
        message=maybe,
        error=maybe,
        answer=st.dictionaries(st.sampled_from(["recording_id", "url"]), ids),
        raw=fields,
    ),
    st.builds(
        RecordingEnded,
        api_id=maybe,
        record_url=st.just("https://f"),
        recording_id=maybe,
        duration_ms=st.none() | st.integers(0, 2),
        raw=fields,
    ),
    st.builds(TranscriptionEnded, recording_id=ids, transcription=maybe, error=maybe, raw=fields),
    st.builds(
        RecordingBegan, recording=st.builds(Recording, recording_id=ids, recording_url=st.just("https://f"), raw=fields)
    ),
)
answers: st.SearchStrategy[Evidence] = st.one_of(
    st.builds(StartAccepted, description=st.just("202"), api_id=maybe, recording_id=maybe),
    st.builds(StartRejected, description=st.just("404"), api_id=maybe),
    st.builds(StartOutcomeUnknown, description=st.just("503"), api_id=maybe),
    st.just(StartNotSent(description="no connection")),
    st.just(DueTimeReached()),
)


def facts(record: FollowedRecording) -> dict[str, Any]:
    """All that users and their handlers can see, apart from times and history."""
    events = (record.async_response, record.begun, record.ended, record.transcription)
    raws = [getattr(event, "raw", None) for event in events]
    return {
        "state": record.state,
        "api_id": record.api_id,
        "recording_id": record.recording_id,
        "record_url": record.record_url,
        "error": record.error,
        "events": (record.start_response, record.async_response, record.begun, record.ended, record.transcription),
        "raws": raws,
        "stages": [progress_of(record, stage) for stage in ("accepted", "recorded", "transcribed")],
    }


@given(st.data(), st.lists(callbacks, min_size=1, max_size=5), answers)
def test_order_and_repetition_of_callbacks_make_no_difference(
    data: st.DataObject, called: list[Evidence], answer: Evidence
) -> None:
    def record_with(evidence: Sequence[Evidence]) -> FollowedRecording:
        """Return the record after the evidence. `DueTimeReached` is applied when the lease expires."""
        record = recording("sending")
        for piece in evidence:
            now = NOW + DEFAULT_TRACKING.lease if isinstance(piece, DueTimeReached) else NOW
            record, _ = apply(record, piece, now)
        return record

    one = data.draw(st.permutations([*called, answer]))
    # The callbacks may be repeated. The response is not, because there is one request.
    other = data.draw(st.permutations([*called, *called[: data.draw(st.integers(0, len(called)))], answer]))
    assert facts(record_with(one)) == facts(record_with(other))


class Life(RuleBasedStateMachine):
    """Callbacks, responses, reconciliations and time change one recording in any order."""

    seen: Bundle[Evidence] = Bundle("seen")

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.record = planned()
        self.before = self.record
        self.outcomes = 0

    def apply(self, evidence: Evidence) -> None:
        self.before = self.record
        if self.record.state in TABLE[kind_of(evidence)]:
            self.record, _ = apply(self.record, evidence, self.now, events_with_handlers=TWO_HANDLED)
        else:
            with pytest.raises(ValueError, match="is impossible in it"):
                apply(self.record, evidence, self.now, events_with_handlers=TWO_HANDLED)

    @initialize(sent=st.booleans())
    def begin(self, *, sent: bool) -> None:
        if sent:
            self.apply(SendingBegan())

    @rule(target=seen, event=callbacks)
    def plivo_calls_back(self, event: Evidence) -> Evidence:
        self.apply(event)
        return event

    @rule(event=seen)
    def plivo_calls_back_again(self, event: Evidence) -> None:
        self.apply(event)

    @rule(answer=answers)
    def an_answer_comes(self, answer: Evidence) -> None:
        self.apply(answer)

    @rule(
        evidence=st.sampled_from(
            [
                SendingContinued(),
                ConferenceGone(),
                NothingFound(),
                *(EVIDENCE[k] for k in KINDS if k.startswith("found")),
            ]
        )
    )
    def somebody_looks(self, evidence: Evidence) -> None:
        self.apply(evidence)

    @rule(name=st.sampled_from(["RecordingEnded", "TranscriptionEnded"]))
    def handlers_run(self, name: Any) -> None:
        self.apply(EventHandled(name=name))

    @rule(seconds=st.sampled_from([1, 60, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.apply(DueTimeReached())

    @invariant()
    def states_move_forward_only(self) -> None:
        assert ORDER[self.record.state] >= ORDER[self.before.state]

    @invariant()
    def each_change_is_a_version(self) -> None:
        assert self.record.version == self.before.version + (self.record is not self.before)

    @invariant()
    def no_fact_is_lost(self) -> None:
        for name in ("start_response", "async_response", "ended", "transcription", "gone_at"):
            assert getattr(self.before, name) is None or getattr(self.record, name) is not None
        assert self.record.history[: len(self.before.history)] == self.before.history

    @invariant()
    def what_is_unfinished_is_looked_after(self) -> None:
        young = self.now - NOW < DEFAULT_TRACKING.give_up_after
        unfinished = self.record.state in {"planned", "sending", "unknown", "accepted", "unconfirmed", "started"}
        if (young and unfinished) or self.record.unhandled:
            assert self.record.due_at is not None

    @invariant()
    def a_reached_stage_stays_reached(self) -> None:
        for stage in ("recorded", "transcribed"):
            if progress_of(self.before, stage) == "reached":
                assert progress_of(self.record, stage) == "reached"


TestLife = Life.TestCase
