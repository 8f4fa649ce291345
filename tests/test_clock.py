"""The clock and chance: aware, in UTC, and within bounds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from plivo_record_async import _clock


def test_now_is_aware_and_now() -> None:
    now = _clock.now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=10)


def test_chance_is_even_from_0_to_1() -> None:
    chances = [_clock.chance() for _ in range(1_000)]
    assert all(0 <= chance <= 1 for chance in chances)
    assert 0.4 < sum(chances) / len(chances) < 0.6


def test_ids_are_fit_for_urls_and_never_come_twice() -> None:
    ids = {_clock.new_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", each) for each in ids)
