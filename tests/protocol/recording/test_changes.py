"""Which attributes of a record a piece of evidence changes, and which of two values is kept."""

from __future__ import annotations

import attrs
import pytest

from plivo_record_async.protocol.clocks import Sending
from plivo_record_async.protocol.models import RecordingEnded
from plivo_record_async.protocol.recording.changes import changes_by, changes_by_time
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    ConferenceGone,
    DueTimeReached,
    EventHandled,
    EventName,
    Evidence,
    HandlerProgress,
    RecordingBegan,
    RecordingFound,
    SendingBegan,
    StartAccepted,
    StartNotSent,
    StartOutcomeUnknown,
    StartRejected,
    TranscriptMissing,
    TranscriptNotRequested,
    TranscriptRequestBegan,
)
from plivo_record_async.protocol.recording.lifecycle import Reconcile, RunHandlers, apply, begin_sending
from plivo_record_async.protocol.recording.record import StartResponse, progress_of
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING
from tests.support.samples.recordings import (
    CONFIRMED,
    ENDED,
    FAILED,
    NOW,
    OTHER_ROW,
    REQUEST,
    ROW,
    RUNNING_ROW,
    SECOND,
    TRANSCRIBED,
    UNTRANSCRIBED,
    planned,
    record_after,
    recording,
)


def test_more_detailed_of_two_callbacks_of_one_kind_is_kept() -> None:
    short = RecordingEnded(record_url="https://f/1.mp3", api_id="api-1")
    assert record_after(recording("accepted"), short, ENDED).ended == ENDED
    assert record_after(recording("accepted"), ENDED, short).ended == ENDED


def test_a_transcript_outweighs_an_error_and_an_error_outweighs_a_confirmation() -> None:
    transcribed = record_after(recording("recorded"), UNTRANSCRIBED, TRANSCRIBED)
    assert (transcribed.state, transcribed.transcription, transcribed.error) == ("transcribed", TRANSCRIBED, None)
    failed = record_after(recording("accepted"), FAILED, CONFIRMED)
    assert (failed.state, failed.async_response, failed.error) == ("failed", FAILED, "not found")


def test_row_of_the_list_replaces_a_lost_callback() -> None:
    found = record_after(recording("unknown"), RecordingFound(recording=ROW))
    assert found.ended == attrs.evolve(ENDED, api_id="api-1")
    assert found.ended is not None
    assert found.ended.raw == ROW.raw
    assert found.recording_id == "rec-1"


def test_row_of_the_list_does_not_replace_a_callback() -> None:
    ended = record_after(recording("accepted"), ENDED)
    found = record_after(ended, RecordingFound(recording=attrs.evolve(ROW, recording_url="https://elsewhere")))
    assert found.ended is ended.ended


def test_row_of_a_running_recording_is_not_its_end() -> None:
    running = record_after(recording("unknown"), RecordingFound(recording=RUNNING_ROW))
    assert (running.state, running.ended, running.recording_id) == ("started", None, "rec-1")
    assert record_after(running, RecordingFound(recording=RUNNING_ROW)) is running


def test_several_candidates_are_all_kept_and_none_is_chosen() -> None:
    record = record_after(recording("unknown"), CandidatesFound(recordings=(ROW, OTHER_ROW)))
    assert record.candidates == (OTHER_ROW, ROW)
    assert (record.state, record.recording_id) == ("unknown", None)
    assert record.error == "read timeout; it may be any of the recordings rec-0, rec-1"


def test_missing_transcript_counts_as_failed_until_it_arrives() -> None:
    record, missing = recording("recorded"), TranscriptMissing(description="Plivo answered that it has no transcript")
    given_up_at = NOW + DEFAULT_TRACKING.give_up_after
    early, effects = apply(record, missing, given_up_at - SECOND)
    assert (early, effects) == (record, ())
    asked, effects = apply(record, DueTimeReached(), given_up_at)
    assert (asked.transcription, effects) == (None, (Reconcile(),)), "Plivo is asked before it is given up"
    handled_events: frozenset[EventName] = frozenset({"TranscriptionEnded"})
    late, effects = apply(record, missing, given_up_at, events_with_handlers=handled_events)
    assert (late.state, late.error) == (
        "recorded",
        "no transcript was received within 2 days, 0:00:00 after the end of the recording",
    )
    assert progress_of(late, "transcribed") == "unreachable"
    assert late.history[-1].description == "Plivo answered that it has no transcript"
    [effect] = effects
    assert isinstance(effect, RunHandlers)
    assert effect.event == late.transcription
    handled = record_after(late, EventHandled(name="TranscriptionEnded"))
    assert handled.due_at is None
    at_last, effects = apply(handled, TRANSCRIBED, NOW, events_with_handlers=handled_events)
    assert progress_of(at_last, "transcribed") == "reached"
    assert effects == (RunHandlers(TRANSCRIBED),)


def test_missing_transcript_is_given_up_by_time_if_plivo_cannot_be_asked_for_it() -> None:
    ended = attrs.evolve(ENDED, recording_id=None)
    record = record_after(begin_sending("start-1", REQUEST, NOW), StartAccepted(description="202"), ended)
    assert record.recording_id is None
    late, _ = apply(record, DueTimeReached(), NOW + DEFAULT_TRACKING.give_up_after)
    assert late.transcription is not None
    assert late.history[-1].description == "no transcript was received in time"


def test_transcript_is_requested_once_unless_the_request_was_certainly_not_executed() -> None:
    requested = record_after(recording("recorded"), TranscriptRequestBegan())
    assert requested.transcript_requested_at == NOW
    assert record_after(requested, TranscriptRequestBegan()) is requested
    again = record_after(requested, TranscriptNotRequested(description="connection refused"))
    assert again.transcript_requested_at is None
    assert record_after(again, TranscriptNotRequested(description="connection refused")) is again
    assert [entry.description for entry in again.history[-2:]] == ["a transcript is requested", "connection refused"]


def test_clock_readings_of_the_last_sending_are_kept() -> None:
    first, second = (Sending(steady=number, run="run", within=30) for number in (1.0, 2.0))
    began = record_after(planned(), SendingBegan(sending=first))
    assert began.sending == first
    again = record_after(began, StartNotSent(description="no connection"), SendingBegan(sending=second))
    assert again.sending == second
    assert begin_sending("start-1", REQUEST, NOW, sending=first).sending == first


def test_trace_of_the_last_sending_is_kept() -> None:
    began = record_after(planned(), SendingBegan(traceparent="00-1-1-01"))
    assert began.traceparent == "00-1-1-01"
    again = record_after(began, StartNotSent(description="no connection"), SendingBegan(traceparent="00-2-2-01"))
    assert again.traceparent == "00-2-2-01"
    assert begin_sending("start-1", REQUEST, NOW, traceparent="00-1-1-01").traceparent == "00-1-1-01"


def test_handlers_that_have_run_change_the_record_only_while_their_event_is_unhandled() -> None:
    handled = EventHandled(name="RecordingEnded")
    failed = HandlerProgress(name="RecordingEnded", failed=(("bad", "ValueError: no"),), running=frozenset({"slow"}))
    record = record_after(recording("accepted"), ENDED, events_with_handlers={"RecordingEnded"})
    assert changes_by(recording("recorded"), handled, NOW, DEFAULT_TRACKING, ()) == {}
    assert changes_by(recording("recorded"), failed, NOW, DEFAULT_TRACKING, ()) == {}
    noted = changes_by(record, failed, NOW, DEFAULT_TRACKING, ())
    assert [run.handler for run in noted["handler_runs"]] == ["slow", "bad"]
    assert changes_by(attrs.evolve(record, **noted), handled, NOW, DEFAULT_TRACKING, ()) == {
        "unhandled": (),
        "handler_runs": (),
    }


def test_time_lets_handlers_run_again_and_gives_them_up() -> None:
    failed = HandlerProgress(name="RecordingEnded", failed=(("bad", "ValueError: no"),))
    record = record_after(recording("accepted"), ENDED, failed, events_with_handlers={"RecordingEnded"})
    assert changes_by_time(record, NOW, DEFAULT_TRACKING, ()) == {}
    again = changes_by_time(record, NOW + DEFAULT_TRACKING.handler_lease, DEFAULT_TRACKING, ())
    assert again["unhandled"] == ("RecordingEnded",)
    given_up = changes_by_time(record, NOW + 2 * DEFAULT_TRACKING.give_up_after, DEFAULT_TRACKING, ())
    assert given_up["unhandled"] == ()
    assert [run.given_up for run in given_up["handler_runs"]] == [True]


def test_beginning_of_a_recording_is_kept() -> None:
    begun = changes_by(recording("accepted"), RecordingBegan(recording=RUNNING_ROW), NOW, DEFAULT_TRACKING, ())
    assert begun == {"begun": RUNNING_ROW}


def test_conference_that_is_gone_is_noted_once() -> None:
    gone = changes_by(recording("unknown"), ConferenceGone(), NOW, DEFAULT_TRACKING, ())
    assert gone == {"gone_at": NOW}
    record = attrs.evolve(recording("unknown"), gone_at=NOW)
    assert changes_by(record, ConferenceGone(at=NOW + SECOND), NOW, DEFAULT_TRACKING, ()) == {}


@pytest.mark.parametrize(
    "evidence", [StartRejected(description="no", api_id="a"), StartOutcomeUnknown(description="?", api_id="a")]
)
def test_api_id_of_an_error_is_kept(evidence: Evidence) -> None:
    changes = changes_by(recording("sending"), evidence, NOW, DEFAULT_TRACKING, ())
    assert changes == {"start_response": StartResponse(api_id="a")}
