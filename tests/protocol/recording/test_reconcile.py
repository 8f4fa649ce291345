"""The conclusions that are drawn from Plivo's lists."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import attrs
import pytest

from plivo_record_async.protocol.clocks import PlivoClock, Reading, Sending
from plivo_record_async.protocol.models import ApiResponse, Recording, StartRequest
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    ConferenceGone,
    NothingFound,
    RecordingFound,
    SendingBegan,
    StartAccepted,
    StartNotSent,
    StartOutcomeUnknown,
)
from plivo_record_async.protocol.recording.lifecycle import apply, begin_sending, plan
from plivo_record_async.protocol.recording.outcomes import evidence_of_event
from plivo_record_async.protocol.recording.reconcile import (
    Assessment,
    Matches,
    Ownership,
    StartWindow,
    assess,
    conclude,
    match_rows,
    ownership_of,
    start_window,
)
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING
from tests.support.samples.recordings import (
    ACCEPTED,
    CONFIRMED,
    ENDED,
    NOW,
    OTHER_ROW,
    REQUEST,
    ROW,
    SECOND,
    TRANSCRIBED,
    planned,
    record_after,
    recording,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def reading(seconds: float, *, wrong: float = 0.0, run: str = "this run") -> Reading:
    """Return the clock readings this many seconds after `NOW`, with a wall clock that is wrong by ``wrong`` seconds."""
    return Reading(wall=NOW + (seconds + wrong) * SECOND, steady=1_000.0 + seconds, run=run)


def measured(wrong: float = 0.0) -> PlivoClock:
    """Return an estimate of Plivo's clock that is exact to the second."""
    clock = PlivoClock()
    for _ in range(2):
        clock.observe_date(
            format_datetime(NOW + 99 * SECOND, usegmt=True), reading(100, wrong=wrong), reading(100, wrong=wrong)
        )
    return clock


def began(seconds: float, *, within: float = 30.0, run: str = "this run", ahead: float | None = None) -> SendingBegan:
    return SendingBegan(sending=Sending(steady=1_000.0 + seconds, run=run, ahead=ahead, within=within))


def recording_with(*moments: tuple[float, Any], wrong: float = 0.0) -> FollowedRecording:
    """Return a record to which evidence was applied at these times by a wrong clock, all in seconds."""
    record = plan("start-1", REQUEST, NOW + wrong * SECOND)
    for seconds, evidence in moments:
        record, _ = apply(record, evidence, NOW + (seconds + wrong) * SECOND)
    return record


UNKNOWN = recording_with((5, began(5)), (35, StartOutcomeUnknown(description="timeout")))
"""A start that was sent at 5 seconds, without a response within 30 seconds."""

WINDOW = StartWindow(first=NOW - 25 * SECOND, last=NOW + 65 * SECOND, tolerance=60 * SECOND)
"""The period of the start, with 30 seconds for the delay of Plivo's machines."""


def row_at(seconds: float, recording_id: str | None = "rec-1", **changes: Any) -> Recording:
    return Recording(recording_id=recording_id, started_at=NOW + seconds * SECOND, **changes)


# When it began


@pytest.mark.parametrize(
    ("record", "first", "last"),
    [
        (UNKNOWN, 5, 35),
        (recording_with((5, began(5))), 5, 35),
        (recording_with((5, began(5, within=600))), 5, 605),
        (recording_with((5, began(5)), (7, StartAccepted(description="202"))), 5, 7),
        (recording_with((5, began(5)), (3, StartAccepted(description="202"))), 5, 35),
        (recording_with((5, began(5)), (6, CONFIRMED), (7, StartOutcomeUnknown(description="timeout"))), 5, 6),
        (recording_with((5, began(5)), (100, StartAccepted(description="202"))), 5, 35),
        # Of the first sending nothing left, so nothing that began then is this recording.
        (
            recording_with(
                (5, began(5)),
                (6, StartNotSent(description="no connection")),
                (60, began(60)),
                (90, StartOutcomeUnknown(description="timeout")),
            ),
            60,
            90,
        ),
    ],
)
def test_start_window_is_from_sending_to_the_response_or_the_deadline(
    record: FollowedRecording, first: float, last: float
) -> None:
    window = start_window(record, measured(), reading(100))
    assert abs(window.first - (NOW + (first - 30) * SECOND)) <= 1.1 * SECOND
    assert abs(window.last - (NOW + (last + 30) * SECOND)) <= 1.1 * SECOND


@pytest.mark.parametrize("then", [60, -60, 7_200])
@pytest.mark.parametrize("step", [0, 60, -120])
def test_start_window_is_in_plivos_time_whatever_the_local_clock_showed(then: float, step: float) -> None:
    record = recording_with((5, began(5)), (35, StartOutcomeUnknown(description="timeout")), wrong=then)
    window = start_window(record, measured(then + step), reading(100, wrong=then + step))
    assert WINDOW.first - (2 + abs(step)) * SECOND <= window.first <= WINDOW.first
    assert WINDOW.last <= window.last <= WINDOW.last + (2 + abs(step)) * SECOND
    assert window.tolerance == timedelta(minutes=1)


def test_measurement_of_another_run_is_used() -> None:
    record = recording_with((5, began(5, run="another run", ahead=-60)), wrong=60)
    window = start_window(record, PlivoClock(), reading(100))
    assert window == attrs.evolve(WINDOW, first=WINDOW.first - 5 * SECOND, last=WINDOW.last + 5 * SECOND)


def test_start_window_is_wide_without_plivos_time() -> None:
    window = start_window(UNKNOWN, PlivoClock(), reading(100))
    assert window == StartWindow(first=NOW - 85 * SECOND, last=NOW + 125 * SECOND, tolerance=DAY)
    assert start_window(plan("old", REQUEST, NOW), PlivoClock(), reading(100)) == StartWindow(
        first=NOW - 90 * SECOND, last=NOW + 120 * SECOND, tolerance=DAY
    )
    assert start_window(recording_with((5, began(5, run="another run"))), measured(), reading(100)).tolerance == DAY


def test_start_window_grows_with_the_deadline() -> None:
    assert start_window(recording_with((5, began(5, within=600))), measured(), reading(100)).tolerance == 600 * SECOND


def test_list_is_requested_for_the_whole_start_window() -> None:
    assert WINDOW.added_after == NOW - 85 * SECOND


# Which rows are, or may be, the recording


@pytest.mark.parametrize(
    ("seconds", "kind"),
    [
        (-86, None),
        (-85, "possible"),
        (-25.001, "possible"),
        (-25, "likely"),
        (0, "likely"),
        (65, "likely"),
        (65.001, "possible"),
        (125, "possible"),
        (125.001, None),
    ],
)
def test_rows_in_the_start_window_are_likely_and_rows_near_it_are_possible(seconds: float, kind: str | None) -> None:
    row = row_at(seconds)
    matches = match_rows(UNKNOWN, [row], WINDOW)
    assert {name: rows for name, rows in attrs.asdict(matches, recurse=False).items() if rows} == (
        {} if kind is None else {kind: (row,)}
    )


LASTED: dict[str, Any] = {
    "duration_ms": 3_600_000,
    "ended_at": NOW + HOUR,
    "added_at": NOW + HOUR + 5 * SECOND,
}
"""What is known of a recording of one hour that began at `NOW`."""

MISSING_FIELDS = ["", "ended_at", "added_at", "duration_ms", "duration_ms ended_at", "duration_ms added_at"]


@pytest.mark.parametrize("unknown", MISSING_FIELDS)
def test_start_time_is_derived_from_other_fields_of_the_row(unknown: str) -> None:
    known = {name: value for name, value in LASTED.items() if name not in unknown.split()}
    row = Recording(recording_id="rec-1", **known)
    assert match_rows(UNKNOWN, [row], WINDOW) == Matches(likely=(row,))


def test_the_start_time_counts_more_than_the_time_when_it_was_added() -> None:
    ours, later = Recording(started_at=NOW, **LASTED), Recording(started_at=NOW + HOUR, added_at=NOW + 30 * SECOND)
    assert match_rows(UNKNOWN, [ours, later], WINDOW) == Matches(likely=(ours,))


@pytest.mark.parametrize("hours", [2, 25.5])
def test_row_without_a_start_time_that_began_later_does_not_match(hours: float) -> None:
    later = {name: value + hours * HOUR for name, value in LASTED.items() if name != "duration_ms"}
    row = Recording(recording_id="rec-1", duration_ms=3_600_000, **later)
    assert match_rows(UNKNOWN, [row], WINDOW) == Matches()


def test_a_recording_may_be_added_an_hour_after_its_end() -> None:
    row = Recording(recording_id="rec-1", duration_ms=60_000, added_at=NOW + HOUR + 90 * SECOND)
    assert match_rows(UNKNOWN, [row], WINDOW) == Matches(likely=(row,))
    assert match_rows(UNKNOWN, [attrs.evolve(row, added_at=NOW + HOUR + 600 * SECOND)], WINDOW) == Matches()


@pytest.mark.parametrize(
    "row",
    [
        Recording(recording_id="rec-1"),
        Recording(),
        Recording(recording_id="rec-1", duration_ms=60_000),
        row_at(-30 * 86_400, added_at=NOW + 60 * SECOND),
        row_at(30 * 86_400, ended_at=NOW + 60 * SECOND),
    ],
)
def test_row_without_any_time_is_possible(row: Recording) -> None:
    assert match_rows(UNKNOWN, [row], WINDOW) == Matches(possible=(row,))


@pytest.mark.parametrize("name", ["standup", "Standup", " standup ", "\uff53tandup", None])
def test_row_whose_name_plivo_corrected_matches(name: str | None) -> None:
    row = row_at(0, conference_name=name)
    assert match_rows(UNKNOWN, [row], WINDOW) == Matches(likely=(row,))


def test_a_row_with_another_name_is_only_possible() -> None:
    others = (row_at(0, conference_name="stand"), Recording(conference_name="N/A"))
    later = row_at(3_600, conference_name="another")
    assert match_rows(UNKNOWN, [*others, later], WINDOW) == Matches(possible=others)


def test_known_recording_id_decides_whatever_the_times() -> None:
    record = recording("accepted")
    assert record.recording_id == ROW.recording_id
    late = attrs.evolve(ROW, started_at=NOW + DAY, conference_name="another")
    assert match_rows(record, [row_at(0, "rec-0"), late], WINDOW) == Matches(certain=(late,))
    assert match_rows(record, [row_at(0, "rec-0"), Recording()], WINDOW) == Matches()


def test_known_file_url_decides_too() -> None:
    record = recording_with((5, began(5)), (6, StartAccepted(description="202", url="https://f/1")))
    row = row_at(9_999, recording_url="https://f/1")
    assert match_rows(record, [row_at(0, "rec-0"), row], WINDOW) == Matches(certain=(row,))
    assert match_rows(record, [row_at(0, "rec-0")], WINDOW) == Matches(likely=(row_at(0, "rec-0"),))


def test_api_id_decides_where_the_times_do_not() -> None:
    record = recording_with((5, began(5)), (6, StartAccepted(description="202", api_id="a")))
    late, another = row_at(9_999, api_id="a"), row_at(9_999, api_id="b")
    assert match_rows(record, [another, late], WINDOW) == Matches(likely=(late,))
    assert match_rows(record, [row_at(0, "rec-0"), late], WINDOW) == Matches(likely=(row_at(0, "rec-0"),))
    assert match_rows(UNKNOWN, [row_at(9_999)], WINDOW) == Matches()


# Whose a row is


def test_a_row_that_no_other_start_has_is_free() -> None:
    assert ownership_of(ROW, None, UNKNOWN) == "free"
    assert ownership_of(ROW, recording("recorded"), UNKNOWN) == "free"


def another(*evidence: Any) -> FollowedRecording:
    return record_after(planned("start-2"), SendingBegan(), *evidence)


def test_row_by_which_another_start_was_only_matched_may_belong_to_this_one() -> None:
    owner = another(StartOutcomeUnknown(description="timeout"), RecordingFound(recording=ROW))
    assert owner.recording_id == "rec-1"
    assert ownership_of(ROW, owner, UNKNOWN) == "matched"


@pytest.mark.parametrize(
    "evidence",
    [
        ACCEPTED,
        ENDED,
        TRANSCRIBED,
        ApiResponse(api_id="api-1", answer={"recording_id": "rec-1"}),
        evidence_of_event(attrs.evolve(ENDED, duration_ms=None, ended_at=None, raw={"recording_duration": "-1"})),
    ],
)
def test_a_row_that_plivo_assigned_to_another_start_is_proven(evidence: Any) -> None:
    owner = another(evidence)
    assert owner.recording_id == "rec-1"
    assert ownership_of(ROW, owner, UNKNOWN) == "proven"
    assert ownership_of(ROW, record_after(owner, RecordingFound(recording=ROW)), UNKNOWN) == "proven"


OWNERSHIPS: list[tuple[Ownership, Assessment, Assessment]] = [
    ("free", Assessment(found=(ROW,)), Assessment(in_doubt=True)),
    ("matched", Assessment(in_doubt=True), Assessment(in_doubt=True)),
    ("proven", Assessment(), Assessment()),
]


@pytest.mark.parametrize(("ownership", "if_likely", "if_possible"), OWNERSHIPS)
def test_weight_of_a_row_depends_on_its_owner(
    ownership: Ownership, if_likely: Assessment, if_possible: Assessment
) -> None:
    assert assess(UNKNOWN, Matches(likely=(ROW,)), {ROW: ownership}, complete=True) == if_likely
    assert assess(UNKNOWN, Matches(possible=(ROW,)), {ROW: ownership}, complete=True) == if_possible


def test_certain_row_is_found_whoever_owns_it() -> None:
    assert assess(UNKNOWN, Matches(certain=(ROW,)), {}, complete=True) == Assessment(found=(ROW,))


def test_incomplete_list_leaves_the_start_unknown() -> None:
    assert assess(UNKNOWN, Matches(), {}, complete=True) == Assessment()
    assert assess(UNKNOWN, Matches(), {}, complete=False) == Assessment(in_doubt=True)


def test_start_with_a_recording_id_is_never_absent() -> None:
    assert assess(recording("unconfirmed"), Matches(), {}, complete=True) == Assessment(in_doubt=True)


def test_conference_is_asked_about_only_if_no_row_matches_and_the_list_is_complete() -> None:
    assert Assessment().needs_conference
    assert not Assessment(in_doubt=True).needs_conference
    assert not Assessment(found=(ROW,)).needs_conference


# What follows


def concluded(
    record: FollowedRecording, *rows: Recording, live: bool = False, doubt: bool = False, at: float = 0
) -> Any:
    assessment = Assessment(found=rows, in_doubt=doubt)
    return conclude(record, assessment, live=live, plivo_time=NOW + at * SECOND)


def test_single_matching_row_is_the_recording_live_or_not() -> None:
    for live in (True, False):
        assert concluded(UNKNOWN, ROW, live=live) == RecordingFound(recording=ROW)


def test_two_matching_rows_are_both_reported() -> None:
    assert concluded(UNKNOWN, ROW, OTHER_ROW) == CandidatesFound(recordings=(ROW, OTHER_ROW))


def test_missing_row_is_no_evidence_while_the_conference_is_live() -> None:
    assert concluded(UNKNOWN, live=True, at=86_400) is None


def test_grace_period_begins_by_plivos_clock_when_the_conference_has_ended() -> None:
    evidence = concluded(UNKNOWN, at=17)
    assert evidence == ConferenceGone(at=NOW + 17 * SECOND)
    gone, _ = apply(UNKNOWN, evidence, NOW + DAY)
    assert gone.gone_at == NOW + 17 * SECOND
    assert gone.due_at == NOW + DAY + DEFAULT_TRACKING.absence_grace + DEFAULT_TRACKING.poll_interval


def test_start_is_absent_after_the_grace_period() -> None:
    gone, _ = apply(UNKNOWN, ConferenceGone(at=NOW), NOW)
    over = DEFAULT_TRACKING.absence_grace.total_seconds()
    assert concluded(gone, at=over - 1) is None
    assert concluded(gone, at=over) == NothingFound()
    assert concluded(gone, at=over, live=True) is None
    assert concluded(gone, at=over, doubt=True) is None


def test_missing_row_is_no_evidence_until_plivos_time_is_known() -> None:
    for gone_at in (None, NOW):
        record = attrs.evolve(UNKNOWN, gone_at=gone_at)
        assert conclude(record, Assessment(), live=False, plivo_time=None) is None
        assert conclude(record, Assessment(found=(ROW,)), live=False, plivo_time=None) == RecordingFound(recording=ROW)


def test_row_that_is_listed_late_still_counts() -> None:
    gone, _ = apply(UNKNOWN, ConferenceGone(), NOW)
    assert concluded(gone, ROW, at=86_400) == RecordingFound(recording=ROW)


# By the file


POLLED = StartAccepted(description="started", url="http://s3.amazonaws.com/plivocloud/one.mp3", confirmed=True)
"""An answer as in the oldest documents, without a recording_id."""


def named_by_url() -> FollowedRecording:
    record = begin_sending("start-1", StartRequest("standup"), NOW)
    return apply(record, POLLED, NOW)[0]


@pytest.mark.parametrize(
    ("url", "certain"),
    [
        ("http://s3.amazonaws.com/plivocloud/one.mp3", True),
        ("https://media.plivo.com/v1/Account/MA/Recording/one.mp3?a=b", True),
        ("https://media.plivo.com/v1/Account/MA/Recording/two.mp3", False),
        ("https://media.plivo.com/", False),
        (None, False),
    ],
)
def test_row_with_the_same_file_is_the_recording(url: str | None, certain: bool) -> None:
    record, row = named_by_url(), attrs.evolve(ROW, recording_url=url)
    assert match_rows(record, [row], WINDOW).certain == ((row,) if certain else ())


def test_row_with_another_file_is_not_the_recording_although_the_times_match() -> None:
    record, row = named_by_url(), attrs.evolve(ROW, recording_url="https://f/two.mp3")
    matches = match_rows(record, [row], WINDOW)
    assert (matches.certain, matches.likely, matches.possible) == ((), (), (row,))
    assert assess(record, Matches(), {}, complete=True).in_doubt
