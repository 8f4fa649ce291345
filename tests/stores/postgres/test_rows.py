"""The rows of records and orphans."""

from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.stores.encoding import decode
from plivo_record_async.stores.interface import FollowedRecording, Orphan
from plivo_record_async.stores.postgres.rows import column, json_of, orphan_row, row
from plivo_record_async.testing.store_contract.samples import orphan
from tests.support.samples.recordings import planned, recording


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("start-1", "start-1"),
        ("a\0b", "a\\u0000b"),
        ("\ud83d", "\\ud83d"),
        ("\\ud83d", "\\\\ud83d"),
        ("é", "\\u00e9"),
        ("x" * 1000, "x" * 1000),
    ],
)
def test_column_contains_only_ascii(text: str, expected: str) -> None:
    assert column(text) == expected


@given(st.text(st.characters(exclude_categories=[])), st.text(st.characters(exclude_categories=[])))
def test_different_texts_have_different_columns(one: str, other: str) -> None:
    assert (column(one) == column(other)) is (one == other)
    assert column(one).isascii()
    assert "\0" not in column(one)


def test_long_text_is_replaced_by_its_hash() -> None:
    first, second = column("é" * 2**20), column("é" * 2**20 + "x")
    assert first != second
    assert len(first) == len("sha256:") + 64


def test_row_contains_the_attributes_that_are_searched_for() -> None:
    record = attrs.evolve(recording("accepted"), dedupe_key="monday")
    columns = row(record)
    assert decode(columns.value, FollowedRecording) == record
    assert columns[:7] == ("start-1", "monday", record.version, "accepted", "standup", "api-1", "rec-1")
    assert columns[7:11] == (record.created_at, record.updated_at, record.due_at, False)
    assert row(planned()).dedupe_key is None


def test_row_of_an_orphan_contains_its_ids_and_their_hashes() -> None:
    kept = orphan(UnknownCallback(raw={"api_id": "api-1", "recording_id": "rec-1"}), start_id="start-1")
    columns = orphan_row(kept)
    assert decode(columns.value, Orphan) == kept
    assert columns[:5] == (kept.digest, "start-1", "api-1", "rec-1", kept.received_at)
    assert len(columns.id_hashes) == 3


def test_element_of_a_record_is_json() -> None:
    record = attrs.evolve(recording("accepted"), dedupe_key='a"\\\0é')
    element = json.loads(json_of(row(record)))
    assert element["dedupe_key"] == column('a"\\\0é')
    assert decode(element["value"], FollowedRecording) == record
    assert element["updated_at"] == record.updated_at.isoformat()
    assert json.loads(json_of(column("\0"))) == "\\u0000"
