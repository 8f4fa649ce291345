"""The index of records in memory: each record is found by its present attributes, and not by its former ones."""

from __future__ import annotations

from typing import Any

import attrs

from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.record_index import RecordIndex
from tests.support.samples.recordings import (
    ENDED,
    NOW,
    SECOND,
    STATES,
    next_version,
    planned,
    record_after,
    recording,
    with_last_step_at,
)


def index_of(*records: FollowedRecording) -> RecordIndex:
    index = RecordIndex()
    for record in records:
        index.put(record)
    return index


def test_record_is_found_by_its_keys() -> None:
    record = attrs.evolve(recording("accepted"), dedupe_key="monday")
    index = index_of(record)
    assert list(index) == [record]
    assert index.get("start-1") == record
    assert index.existing(planned("start-2", dedupe_key="monday")) == record
    assert index.existing(planned("start-1")) == record
    assert index.existing(planned("start-2")) is None
    assert index.find("api_id", "api-1") == index.find("recording_id", "rec-1") == record
    assert index.find("api_id", "rec-1") is None


def test_first_of_several_records_with_one_id_is_found() -> None:
    later = recording("accepted", "start-0")
    later = attrs.evolve(later, history=tuple(attrs.evolve(entry, at=NOW + SECOND) for entry in later.history))
    assert index_of(later, recording("accepted", "start-1")).find("api_id", "api-1") == recording("accepted", "start-1")


def test_changed_record_is_found_by_its_new_values_only() -> None:
    record = attrs.evolve(recording("accepted"), due_at=NOW)
    index = index_of(record)
    changed = attrs.evolve(record_after(record, attrs.evolve(ENDED, recording_id="rec-2")), due_at=NOW + SECOND)
    index.put(changed)
    assert index.find("recording_id", "rec-1") is None
    assert index.find("recording_id", "rec-2") == index.find("api_id", "api-1") == changed
    assert list(index.due(NOW, silent=None)) == []
    assert list(index.due(NOW + SECOND, silent=None)) == [changed]
    index.put(next_version(changed, due_at=None))
    assert list(index.due(NOW + SECOND, silent=None)) == []


def test_due_records_are_ordered_by_time_and_selected_by_silence() -> None:
    silent = attrs.evolve(recording("unknown", "start-2"), due_at=NOW)
    other = attrs.evolve(planned("start-1"), due_at=NOW + SECOND)
    index = index_of(other, silent)
    assert list(index.due(NOW + SECOND, silent=None)) == [silent, other]
    assert list(index.due(NOW + SECOND, silent=True)) == [silent]
    assert list(index.due(NOW + SECOND, silent=False)) == [other]
    assert list(index.due(NOW, silent=None)) == [silent]


def test_removed_record_is_not_found() -> None:
    first, second = (attrs.evolve(recording("accepted", f"start-{n}"), dedupe_key=str(n), due_at=NOW) for n in (1, 2))
    index = index_of(first, second)
    index.remove(first)
    assert list(index) == list(index.due(NOW, silent=None)) == [second]
    assert index.get("start-1") is None
    assert index.existing(planned("start-3", dedupe_key="1")) is None
    assert index.find("api_id", "api-1") == second
    index.remove(second)
    assert index.find("api_id", "api-1") is None


def listed(index: RecordIndex, **filters: Any) -> list[str]:
    every: dict[str, Any] = {"states": None, "conference_name": None, "updated_after": None, "older_than": None}
    return [record.start_id for record in index.newest_first(**every | filters)]


def test_lists_follow_the_records_whenever_they_are_read() -> None:
    index = RecordIndex()
    for number in range(6):
        index.put(with_last_step_at(recording("started", f"start-{number}"), NOW + number * SECOND))
    assert listed(index) == [f"start-{number}" for number in (5, 4, 3, 2, 1, 0)]
    index.put(with_last_step_at(recording("recorded", "start-2"), NOW + 9 * SECOND))
    index.put(with_last_step_at(recording("recorded", "start-3"), NOW))
    index.put(with_last_step_at(recording("recorded", "start-3"), NOW + SECOND))
    assert listed(index) == ["start-2", "start-5", "start-4", "start-3", "start-1", "start-0"]
    assert listed(index, states=["recorded"], conference_name="standup") == ["start-2", "start-3"]
    assert listed(index, updated_after=NOW + 4 * SECOND) == ["start-2", "start-5", "start-4"]
    assert listed(index, older_than=with_last_step_at(planned("start-2"), NOW + SECOND)) == ["start-1", "start-0"]
    assert index.counts() == {"started": 4, "recorded": 2}


def test_removed_record_is_not_listed() -> None:
    first, second, third = (recording("started", f"start-{number}") for number in (1, 2, 3))
    index = index_of(first, second)
    assert listed(index) == ["start-2", "start-1"]
    index.put(third)
    for record in (first, third):  # the lists contain the first one, and not yet the third one
        index.remove(record)
    assert listed(index) == listed(index, conference_name="standup") == ["start-2"]
    index.remove(second)
    assert (listed(index), index.counts()) == ([], {})
    index.put(first)
    assert listed(index) == ["start-1"]


def test_few_changes_of_many_records_and_many_changes_lead_to_the_same_lists() -> None:
    step_by_step, at_once = RecordIndex(), RecordIndex()
    for number in range(200):
        start_id = f"start-{number * 37 % 100}"
        state = STATES[number * 7 % len(STATES)]
        record = with_last_step_at(recording(state, start_id), NOW + number * 13 % 50 * SECOND)
        for index in (step_by_step, at_once):
            index.put(record)
        listed(step_by_step)
    assert listed(step_by_step) == listed(at_once)
    assert len(listed(at_once)) == 100
    for state in STATES:
        one_list = {"states": [state], "conference_name": "standup"}
        assert listed(step_by_step, **one_list) == listed(at_once, **one_list)
    assert step_by_step.counts() == at_once.counts()
