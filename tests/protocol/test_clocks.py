"""The estimate of Plivo's clock from the ``Date`` of its responses, although local clocks may be wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.clocks import DueTime, Period, PlivoClock, Reading, Sending, http_date

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float, *, wrong: float = 0.0, run: str = "this run") -> Reading:
    """Return the clocks of this machine at some seconds after noon. The wall clock is wrong by some seconds."""
    return Reading(wall=noon(seconds + wrong), steady=1_000.0 + seconds, run=run)


def noon(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def date(seconds: float) -> str:
    """Return the ``Date`` header that Plivo sends at some seconds after noon."""
    return format_datetime(noon(seconds), usegmt=True)


def measured(*, wrong: float = 0.0, times: int = 2, since: float = 0.0) -> PlivoClock:
    clock = PlivoClock()
    for number in range(times):
        moment = since + number
        clock.observe_date(date(moment), at(moment, wrong=wrong), at(moment + 0.1, wrong=wrong))
    return clock


def is_about(time: datetime | None, expected: datetime) -> bool:
    return time is not None and abs(time - expected) < timedelta(seconds=2)


def sent(seconds: float, *, run: str = "this run", ahead: float | None = None) -> Sending:
    return Sending(steady=1_000.0 + seconds, run=run, ahead=ahead, within=30.0)


@pytest.mark.parametrize("wrong", [0.0, 60.0, -60.0, 86_400.0])
def test_two_responses_give_the_time_at_plivo_whatever_the_local_clock_shows(wrong: float) -> None:
    clock = measured(wrong=wrong)
    assert is_about(clock.time(at(100, wrong=wrong)), noon(100))


@pytest.mark.parametrize(("clock", "time"), [(PlivoClock(), noon(160)), (measured(wrong=60, times=1), None)])
def test_fewer_than_two_responses_measure_nothing(clock: PlivoClock, time: datetime | None) -> None:
    """If no response has a ``Date``, the clock of this machine is used."""
    assert clock.time(at(100, wrong=60)) == time
    assert clock.sending(at(100, wrong=60), within=30).ahead is None
    assert not clock.when_sent(noon(65), sent(5), at(100, wrong=60)).measured


NO_DATES = ["", "soon", "12:00", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Sun, 31 Dec 9999 23:59:59 -0500"]


@pytest.mark.parametrize("value", NO_DATES)
def test_malformed_date_is_read_as_none(value: str) -> None:
    assert http_date(value) is None


@pytest.mark.parametrize("value", [*NO_DATES, "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_impossible_date_is_ignored(value: str) -> None:
    clock = PlivoClock()
    clock.observe_date(value, at(0), at(1))
    assert clock.time(at(100, wrong=60)) == noon(160)


def test_dates_are_read_with_and_without_a_zone() -> None:
    assert http_date("Sun, 01 Mar 2026 12:00:00 GMT") == NOON
    assert http_date("Sun, 01 Mar 2026 12:00:00 -0000") == NOON
    assert http_date("Sun, 01 Mar 2026 17:30:00 +0530") == NOON


def test_an_old_date_from_a_cache_is_outvoted() -> None:
    clock = measured(times=3)
    clock.observe_date(date(-3_600), at(10), at(10.1))
    assert is_about(clock.time(at(11)), noon(11))


def test_dates_that_contradict_each_other_measure_nothing() -> None:
    clock = measured(wrong=60)
    for number in (10, 11):
        clock.observe_date(date(-3_600 + number), at(number, wrong=60), at(number + 0.1, wrong=60))
    assert clock.time(at(11, wrong=60)) is None
    assert not clock.when_sent(noon(65), sent(5), at(11, wrong=60)).measured


def test_only_the_latest_responses_count() -> None:
    clock = measured(times=16)
    for number in range(16):  # Plivo's clock was corrected by a minute
        clock.observe_date(date(60 + 20 + number), at(20 + number), at(20.1 + number))
    assert is_about(clock.time(at(40)), noon(100))


@pytest.mark.parametrize("step", [60.0, -60.0])
def test_measurement_is_dropped_when_the_local_clocks_disagree(step: float) -> None:
    clock = measured(wrong=60, times=16)
    assert clock.time(at(100, wrong=60 + step)) is None
    assert clock.sending(at(100, wrong=60 + step), within=30).ahead is None
    for seconds in (101, 101.5):
        clock.observe_date(date(seconds), at(seconds, wrong=60 + step), at(seconds, wrong=60 + step))
    assert is_about(clock.time(at(102, wrong=60 + step)), noon(102))
    ahead = clock.sending(at(102, wrong=60 + step), within=30).ahead
    assert ahead == pytest.approx(-60 - step, abs=2)


@pytest.mark.parametrize("clock", [PlivoClock(), measured()])
def test_response_during_which_a_clock_was_set_is_ignored(clock: PlivoClock) -> None:
    before = clock.sending(at(60), within=30)
    clock.observe_date(date(50), at(50), at(51, wrong=60))
    assert clock.sending(at(60), within=30) == before


# When a start was sent


@pytest.mark.parametrize("then", [0.0, 60.0, -60.0])
@pytest.mark.parametrize("step", [0.0, 60.0, -120.0])
def test_send_time_of_this_run_is_known_although_the_local_clock_was_wrong_or_set(then: float, step: float) -> None:
    clock = measured(wrong=then + step, since=50)
    period = clock.when_sent(noon(5 + then), sent(5), at(60, wrong=then + step))
    assert period.measured
    assert period.earliest <= noon(5) <= period.latest
    assert period.latest - period.earliest < timedelta(seconds=3 + abs(step))


@pytest.mark.parametrize("paused", [60.0, 7_200.0])
def test_send_time_of_this_run_is_known_although_the_steady_clock_stopped(paused: float) -> None:
    def after_the_pause(seconds: float) -> Reading:
        return attrs.evolve(at(seconds), steady=1_000.0 + seconds - paused)

    clock = measured()
    assert clock.sending(after_the_pause(paused + 5), within=30).ahead is None
    for seconds in (paused + 50, paused + 51):
        clock.observe_date(date(seconds), after_the_pause(seconds), after_the_pause(seconds))
    period = clock.when_sent(noon(5), sent(5), after_the_pause(paused + 60))
    assert period.measured
    assert period.earliest <= noon(5) <= period.latest


def test_stored_measurement_is_used_instead_of_the_current_one() -> None:
    for clock in (PlivoClock(), measured(wrong=-7_200, since=50)):
        sending = measured(wrong=60).sending(at(5, wrong=60), within=30)
        assert (sending.run, sending.steady, sending.within) == ("this run", 1_005.0, 30)
        period = clock.when_sent(noon(65), sending, at(500, wrong=-7_200, run="another run"))
        assert period.measured
        assert period.earliest <= noon(5) <= period.latest
        assert period.latest - period.earliest == timedelta(seconds=10)


def test_imprecise_measurement_is_not_stored() -> None:
    clock = PlivoClock()
    for _ in range(2):
        clock.observe_date(date(0), at(0), at(9))
    assert clock.sending(at(10), within=30).ahead is None
    clock.observe_date(date(11), at(11), at(12))
    assert clock.sending(at(13), within=30).ahead is not None


def test_old_measurement_is_not_stored() -> None:
    clock = measured()
    assert clock.sending(at(100), within=30).ahead is not None
    assert clock.sending(at(86_400), within=30).ahead is None


def test_without_measurement_the_local_clock_gives_the_send_time() -> None:
    set_back = at(60, wrong=-120)
    assert PlivoClock().when_sent(noon(5), sent(5), set_back) == Period(
        earliest=noon(-115), latest=noon(5), measured=False
    )
    for sending in (sent(5, run="another run"), None):
        assert PlivoClock().when_sent(noon(5), sending, set_back) == Period(
            earliest=noon(5), latest=noon(5), measured=False
        )


def test_present_clock_error_is_assumed_for_sendings_of_another_run() -> None:
    period = measured(wrong=60, since=50).when_sent(noon(65), None, at(60, wrong=60))
    assert not period.measured
    assert period.latest == noon(65)
    assert abs(period.earliest - noon(5)) < timedelta(seconds=2)


# Due records


def test_due_work_does_not_wait_after_the_clock_is_set_back() -> None:
    due = DueTime()
    assert due.at(at(10)) == noon(10)
    assert due.at(at(20, wrong=-120)) == noon(20)
    assert due.at(at(30, wrong=-3_600)) == noon(30)
    assert due.at(at(40, wrong=600)) == noon(640)


def test_clock_far_ahead_is_trusted_again_after_it_is_set_back() -> None:
    due = DueTime()
    assert due.at(at(10, wrong=86_400)) == noon(86_410)
    assert due.at(at(20)) == noon(20)


offsets = st.floats(-100_000, 100_000)
answers = st.lists(st.tuples(st.floats(0, 3_600), st.floats(0, 30), st.floats(0, 1)), max_size=20)


@given(
    offset=offsets,
    drift=st.floats(-1e-4, 1e-4),
    steps=st.lists(offsets, max_size=3),
    answers=answers,
    data=st.data(),
)
def test_measured_period_always_contains_the_true_time(
    offset: float, drift: float, steps: list[float], answers: list[tuple[float, float, float]], data: st.DataObject
) -> None:
    """The wall clock is wrong and is set repeatedly, the steady clock drifts, and responses take up to 30 s."""

    def read(true: float) -> Reading:
        passed = sum(step for number, step in enumerate(steps, 1) if true > number * 900)
        return Reading(wall=noon(true + offset + passed), steady=true * (1 + drift), run="r")

    was_sent = data.draw(st.floats(0, 3_600), label="sent")
    is_now = data.draw(st.floats(3_600, 7_200), label="now")
    clock = PlivoClock()
    sending = None
    for true, took, part in [*sorted(answers), *[(3_600.0, 1.0, 0.5)] * 2]:
        if sending is None and true >= was_sent:
            sending = clock.sending(read(was_sent), within=30)
        clock.observe_date(date(true + took * part), read(true), read(true + took))
    assert sending is not None
    period = clock.when_sent(read(was_sent).wall, sending, read(is_now))
    assert period.measured
    assert period.earliest <= noon(was_sent) <= period.latest
