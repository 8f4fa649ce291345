"""The index of records in memory: each record is found by its present attributes, and not by its former ones."""

from __future__ import annotations

import attrs

from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.record_index import RecordIndex
from tests.support.samples.recordings import ENDED, NOW, SECOND, next_version, planned, record_after, recording


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
