"""When a record has to be processed again, and what is left to do for it."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from plivo_record_async.protocol.models import RecordingState, StartRequest
from plivo_record_async.protocol.recording.evidence import (
    ConferenceGone,
    DueTimeReached,
    NothingFound,
    RecordingFound,
    SendingBegan,
    SendingContinued,
    StartAccepted,
    StartOutcomeUnknown,
)
from plivo_record_async.protocol.recording.lifecycle import Reconcile, apply, begin_sending, plan
from plivo_record_async.protocol.recording.schedule import OPEN_STATES, is_due, is_silent, needs_plivo
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING
from tests.support.samples.recordings import (
    ACCEPTED,
    ENDED,
    NOW,
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


def test_planned_and_sending_starts_are_due_when_their_lease_expires() -> None:
    record = recording("sending")
    assert record.due_at == NOW + DEFAULT_TRACKING.lease
    renewed, effects = apply(record, SendingContinued(), NOW + 9 * SECOND)
    assert (renewed.due_at, renewed.updated_at, effects) == (NOW + 9 * SECOND + DEFAULT_TRACKING.lease, NOW, ())
    assert len(renewed.history) == len(record.history)


@pytest.mark.parametrize("state", STATES)
def test_record_is_not_due_before_its_time(state: RecordingState) -> None:
    record = recording(state)
    early = due_time(record) - timedelta(microseconds=1)
    assert apply(record, DueTimeReached(), early) == (record, ())


def test_due_record_has_a_reason() -> None:
    assert record_after(planned(), DueTimeReached()).error == "the program ended before it sent anything"
    lost = record_after(recording("sending"), DueTimeReached())
    assert lost.error == "the program ended, or could not use its store, while it was sending"
    assert recording("unconfirmed").error == "Plivo accepted it, but no callback was received in time"


def test_silent_recording_is_asked_about_with_doubling_intervals() -> None:
    record = recording("unknown")
    reconciled_at: list[float] = []
    for _ in range(12):
        now = due_time(record)
        reconciled_at.append((now - NOW) / SECOND)
        record, effects = apply(record, DueTimeReached(), now)
        assert effects == (Reconcile(),)
    assert reconciled_at == [15, 30, 60, 120, 240, 480, 960, 1920, 3840, 7440, 11040, 14640]


def test_recording_that_may_still_run_is_asked_about_less_often() -> None:
    started = recording("started")
    assert started.due_at == NOW + DEFAULT_TRACKING.idle_backoff
    unconfirmed, effects = apply(recording("accepted"), DueTimeReached(), NOW + DEFAULT_TRACKING.confirm_within)
    assert (unconfirmed.state, effects) == ("unconfirmed", ())
    assert unconfirmed.due_at == NOW + DEFAULT_TRACKING.confirm_within + DEFAULT_TRACKING.idle_backoff


def test_requests_end_after_give_up_after() -> None:
    record = recording("unknown")
    while record.due_at is not None:
        record, _ = apply(record, DueTimeReached(), record.due_at)
    assert record.state == "unknown"


@pytest.mark.parametrize("state", ["not_sent", "rejected", "absent", "failed", "transcribed"])
def test_settled_recording_is_never_due(state: RecordingState) -> None:
    assert recording(state).due_at is None


def test_ended_recording_is_settled_unless_a_transcript_is_expected() -> None:
    without = plan("start-1", attrs.evolve(REQUEST, transcription_url=None), NOW)
    assert record_after(without, SendingBegan(), ACCEPTED, ENDED).due_at is None
    assert recording("recorded").due_at == NOW + DEFAULT_TRACKING.idle_backoff
    assert record_after(recording("recorded"), UNTRANSCRIBED).due_at is None


def test_recording_with_a_transcript_but_without_an_end_is_still_followed() -> None:
    record = record_after(recording("accepted"), TRANSCRIBED)
    assert (record.state, record.ended) == ("transcribed", None)
    now = due_time(record)
    assert apply(record, DueTimeReached(), now)[1] == (Reconcile(),)
    found = record_after(record, RecordingFound(recording=ROW))
    assert (found.state, found.due_at) == ("transcribed", None)
    assert found.ended is not None


def test_grace_period_begins_at_the_end_of_the_conference() -> None:
    gone, _ = apply(recording("unknown"), ConferenceGone(), NOW + SECOND)
    assert (gone.state, gone.gone_at) == ("unknown", NOW + SECOND)
    assert gone.due_at == NOW + SECOND + DEFAULT_TRACKING.absence_grace + DEFAULT_TRACKING.poll_interval
    assert record_after(gone, ConferenceGone()) is gone
    absent = record_after(gone, NothingFound())
    assert (absent.state, absent.error) == ("absent", "the conference is over, and Plivo does not list the recording")


def test_recording_is_asked_about_as_before_after_the_grace_period() -> None:
    gone = record_after(recording("started"), ConferenceGone())
    over = due_time(gone)
    late, _ = apply(gone, DueTimeReached(), over)
    assert late.due_at == over + (over - NOW)


def test_grace_period_is_waited_for_whatever_plivos_clock_shows() -> None:
    for ahead in (timedelta(hours=1), timedelta(hours=-1)):
        gone, _ = apply(recording("unknown"), ConferenceGone(at=NOW + ahead), NOW)
        assert gone.gone_at == NOW + ahead
        assert gone.due_at == NOW + DEFAULT_TRACKING.absence_grace + DEFAULT_TRACKING.poll_interval


def test_record_is_due_from_its_due_time_on() -> None:
    record = planned()
    assert record.due_at is not None
    assert is_due(record, record.due_at)
    assert not is_due(record, record.due_at - SECOND)
    assert not is_due(recording("rejected"), NOW)


def test_record_is_silent_if_only_plivo_can_say_more() -> None:
    unknown = recording("unknown")
    assert is_silent(unknown)
    assert not is_silent(attrs.evolve(unknown, due_at=None))
    assert not is_silent(attrs.evolve(unknown, unhandled=("ApiResponse",)))
    assert not is_silent(recording("accepted"))
    assert is_silent(recording("recorded"))
    assert not is_silent(recording("transcribed"))


def test_polled_recording_is_asked_about_rarely_because_the_list_shows_its_end() -> None:
    polled = begin_sending("start-1", StartRequest("standup"), NOW)
    record, _ = apply(polled, StartAccepted(description="started", recording_id="rec-1", confirmed=True), NOW)
    reconciled_at: list[float] = []
    while record.due_at is not None:
        record, effects = apply(record, DueTimeReached(), record.due_at)
        assert effects == (Reconcile(),)
        reconciled_at.append((due_time(record) - NOW) / timedelta(hours=1) if record.due_at else 0)
    assert reconciled_at == [2, 4, 8, 16, 32, 64, 0]
    unknown, _ = apply(polled, StartOutcomeUnknown(description="read timeout"), NOW)
    assert unknown.due_at == NOW + DEFAULT_TRACKING.initial_backoff


def test_plivo_may_know_more_about_open_recordings_and_missing_transcripts() -> None:
    assert {state for state in STATES if needs_plivo(recording(state))} == {*OPEN_STATES, "recorded"}
    assert not needs_plivo(record_after(recording("recorded"), UNTRANSCRIBED))
