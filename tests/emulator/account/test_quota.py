from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.emulator.account.quota import Quota

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)


def test_requests_are_admitted_until_the_quota_is_used_up() -> None:
    quota = Quota(2, 5.0)
    assert [quota.admit(NOW + timedelta(seconds=second)) for second in (0, 1, 2, 4)] == [None, None, 3.0, 1.0]
    assert quota.to_dict(NOW + timedelta(seconds=4)) == {
        "limit": 2,
        "per": 5.0,
        "used": 2,
        "left": 0,
        "refused": 2,
        "next_in": 1.0,
    }
    assert quota.admit(NOW + timedelta(seconds=5)) is None
    quota.clear()
    assert quota.to_dict(NOW)["used"] == quota.refused == 0


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5))
def test_no_period_has_more_requests_than_the_limit(pauses: list[float], limit: int) -> None:
    quota, now, admitted = Quota(limit, 5.0), NOW, list[datetime]()
    for pause in pauses:
        now += timedelta(seconds=pause)
        if quota.admit(now) is None:
            admitted.append(now)
    for start in admitted:
        assert sum(start <= each < start + timedelta(seconds=5) for each in admitted) <= limit
