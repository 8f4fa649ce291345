"""What a look at Plivo's lists proves, and what it does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from plivo_record_async.protocol.evidence import (
    CandidatesFound,
    ConferenceGone,
    NothingFound,
    RecordingFound,
    SendingBegan,
    StartAccepted,
    StartNotSent,
    StartUnanswered,
)
from plivo_record_async.protocol.followed import DEFAULT_TERMS, FollowedRecording
from plivo_record_async.protocol.lifecycle import apply, plan
from plivo_record_async.protocol.models import Recording
from plivo_record_async.protocol.reconcile import candidates, conclude, send_window
from tests.protocol.lives import CONFIRMED, ENDED, NOW, OTHER_ROW, REQUEST, ROW, SECOND, recording

SKEW = timedelta(seconds=30)


def lived(*moments: tuple[float, Any]) -> FollowedRecording:
    """A recording that learned each of that at so many seconds."""
    record = plan("start-1", REQUEST, NOW)
    for seconds, evidence in moments:
        record, _ = apply(record, evidence, NOW + seconds * SECOND)
    return record


UNANSWERED = lived((5, SendingBegan()), (35, StartUnanswered(words="timeout")))


def row_at(seconds: float, recording_id: str = "rec-1", **changes: Any) -> Recording:
    return Recording(recording_id=recording_id, started_at=NOW + seconds * SECOND, **changes)


@pytest.mark.parametrize(
    ("record", "first", "last"),
    [
        (UNANSWERED, 5, 35),
        (lived((5, SendingBegan()), (7, StartAccepted(words="202"))), 5, 7),
        (lived((5, SendingBegan()), (6, CONFIRMED), (7, StartUnanswered(words="timeout"))), 5, 6),
        # Of the first sending nothing left, so nothing that began then is ours.
        (
            lived(
                (5, SendingBegan()),
                (6, StartNotSent(words="refused")),
                (60, SendingBegan()),
                (90, StartUnanswered(words="timeout")),
            ),
            60,
            90,
        ),
        (plan("start-1", REQUEST, NOW), 0, 0),
        (lived((5, SendingBegan())), 5, 5),
    ],
)
def test_a_recording_began_between_its_sending_and_the_next_news(
    record: FollowedRecording, first: float, last: float
) -> None:
    assert send_window(record) == (NOW + first * SECOND - SKEW, NOW + last * SECOND + SKEW)


@pytest.mark.parametrize(
    ("seconds", "taken"), [(-25.001, False), (-25, True), (0, True), (20, True), (65, True), (65.001, False)]
)
def test_only_rows_that_began_in_that_time_may_be_it(seconds: float, taken: bool) -> None:
    row = row_at(seconds)
    assert candidates(UNANSWERED, [row]) == ((row,) if taken else ())


def test_without_a_start_time_the_row_s_own_time_has_to_do() -> None:
    filed = Recording(recording_id="rec-1", added_at=NOW + 20 * SECOND)
    timeless = Recording(recording_id="rec-2")
    assert candidates(UNANSWERED, [filed, timeless]) == (filed,)


def test_where_the_id_is_known_it_decides() -> None:
    record = recording("accepted")
    assert record.recording_id == ROW.recording_id
    late = attrs.evolve(ROW, started_at=NOW + timedelta(days=1))
    assert candidates(record, [OTHER_ROW, late]) == (late,)


def test_one_row_is_the_recording_live_or_not() -> None:
    for live in (True, False):
        assert conclude(UNANSWERED, [ROW], live=live, now=NOW) == RecordingFound(recording=ROW)


def test_of_two_rows_both_are_reported() -> None:
    assert conclude(UNANSWERED, [ROW, OTHER_ROW], live=False, now=NOW) == CandidatesFound(recordings=(ROW, OTHER_ROW))


def test_no_row_says_nothing_while_the_conference_is_live() -> None:
    assert conclude(UNANSWERED, [], live=True, now=NOW + timedelta(days=1)) is None


def test_when_the_conference_has_gone_a_time_of_grace_begins() -> None:
    assert conclude(UNANSWERED, [], live=False, now=NOW) == ConferenceGone()


def test_after_the_grace_it_is_certain_that_there_is_none() -> None:
    gone, _ = apply(UNANSWERED, ConferenceGone(), NOW)
    over = NOW + DEFAULT_TERMS.grace
    assert conclude(gone, [], live=False, now=over - SECOND) is None
    assert conclude(gone, [], live=False, now=over) == NothingFound()
    assert conclude(gone, [], live=True, now=over) is None


def test_a_row_that_comes_late_still_counts() -> None:
    gone, _ = apply(UNANSWERED, ConferenceGone(), NOW)
    assert conclude(gone, [ROW], live=False, now=NOW + timedelta(days=1)) == RecordingFound(recording=ROW)


def test_the_end_is_looked_for_by_its_id_once_a_callback_said_it() -> None:
    record, _ = apply(recording("accepted"), ENDED, NOW)
    assert candidates(record, [OTHER_ROW, ROW]) == (ROW,)
