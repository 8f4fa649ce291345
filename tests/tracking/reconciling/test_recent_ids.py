"""The rows that were processed last."""

from __future__ import annotations

from plivo_record_async.tracking.reconciling.recent_ids import RecentIds


def test_first_text_is_kept_and_the_oldest_ids_are_forgotten() -> None:
    recent = RecentIds(limit=2)
    assert recent.add("rec-1", "start-1") == "start-1"
    assert recent.add("rec-1", "start-2") == "start-1"
    recent.add("rec-2")
    recent.add("rec-3")
    assert ["rec-1" in recent, "rec-2" in recent, "rec-3" in recent] == [False, True, True]
