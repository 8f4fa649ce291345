"""Marks of what was forgotten: the same for the same id, and silent about it."""

from __future__ import annotations

from plivo_record_async.stores.forgotten import marks


def test_each_id_has_a_mark_of_its_own() -> None:
    assert marks(start_id=None, api_id=None, recording_id=None) == ()
    all_three = marks(start_id="x", api_id="x", recording_id="x")
    assert len(set(all_three)) == 3
    assert marks(start_id="x", api_id=None, recording_id="x") == (all_three[0], all_three[2])


def test_a_mark_does_not_tell_the_id() -> None:
    [mark] = marks(start_id="start-1 \ud83d", api_id=None, recording_id=None)
    assert len(mark) == 32
    assert "start" not in mark
