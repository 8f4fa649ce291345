"""The time of day, random numbers and IDs."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from plivo_record_async import _clock


def test_now_is_the_current_time_and_aware() -> None:
    now = _clock.now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=10)


def test_reading_has_all_clocks_and_the_steady_clock_never_goes_back() -> None:
    first, second = _clock.read(), _clock.read()
    assert abs(first.wall - datetime.now(UTC)) < timedelta(seconds=10)
    assert first.steady <= second.steady < first.steady + 10
    assert first.run == second.run != ""


def test_two_runs_of_a_program_have_different_ids() -> None:
    program = "from plivo_record_async import _clock; print(_clock.read().run)"
    names = {subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(names) == 2


def test_random_number_is_uniform_between_0_and_1() -> None:
    chances = [_clock.chance() for _ in range(1_000)]
    assert all(0 <= chance <= 1 for chance in chances)
    assert 0.4 < sum(chances) / len(chances) < 0.6


def test_ids_are_url_safe_ordered_by_time_and_unique() -> None:
    ids = [_clock.new_id() for _ in range(10_000)]
    assert len(set(ids)) == 10_000
    assert len({each[12:] for each in ids}) == 10_000, "chance alone tells them apart"
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
    times = [each[:12] for each in ids]
    assert times == sorted(times)
    assert abs(int(times[0], 16) / 1000 - datetime.now(UTC).timestamp()) < 10
