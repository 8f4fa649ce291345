"""The rows of records, and the hints for errors."""

from __future__ import annotations

import json

import pytest

from plivo_record_async.stores.id_hashes import hash_ids
from plivo_record_async.stores.sqlite.statements import ERROR_HINTS, column, orphan_row, row
from plivo_record_async.testing.store_contract.samples import orphan
from tests.support.samples.recordings import ENDED, planned, recording


def test_row_has_the_columns_by_which_a_record_is_found() -> None:
    its = row(recording("accepted"))
    assert (its.start_id, its.api_id, its.recording_id, its.version) == ("start-1", "api-1", "rec-1", 2)
    assert (its.state, its.conference_name) == ("accepted", "standup")
    assert (row(planned()).api_id, row(recording("rejected")).due_at) == (None, None)


@pytest.mark.parametrize(("text", "kept"), [("é", "é"), ("", ""), ("\ud83d", "\\ud83d"), ("🎙", "🎙")])
def test_column_can_hold_any_text(text: str, kept: str) -> None:
    assert column(text) == kept


def test_every_known_result_code_has_a_hint() -> None:
    assert set(ERROR_HINTS) == {5, 8, 10, 11, 13, 14, 26}


def test_row_of_an_orphan_has_the_ids_in_its_event_and_their_hashes() -> None:
    its = orphan_row(orphan(ENDED, digest="d", start_id="start-1"))
    assert (its.digest, its.start_id, its.api_id, its.recording_id) == ("d", "start-1", None, "rec-1")
    assert json.loads(its.id_hashes) == list(hash_ids(start_id="start-1", api_id=None, recording_id="rec-1"))
