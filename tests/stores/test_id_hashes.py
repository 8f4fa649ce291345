"""Hashes of the IDs of erased starts: equal for equal IDs, and without the IDs in them."""

from __future__ import annotations

from plivo_record_async.stores.id_hashes import hash_ids


def test_each_kind_of_id_has_a_hash_of_its_own() -> None:
    assert hash_ids(start_id=None, api_id=None, recording_id=None) == ()
    all_three = hash_ids(start_id="x", api_id="x", recording_id="x")
    assert len(set(all_three)) == 3
    assert hash_ids(start_id="x", api_id=None, recording_id="x") == (all_three[0], all_three[2])


def test_hash_does_not_contain_the_id() -> None:
    [digest] = hash_ids(start_id="start-1 \ud83d", api_id=None, recording_id=None)
    assert len(digest) == 32
    assert "start" not in digest
