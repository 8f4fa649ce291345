"""What records look like as rows."""

from __future__ import annotations

import pytest

from plivo_record_async.stores.sqlite.statements import MIGRATIONS, TROUBLES, column, row
from tests.support.samples.recordings import planned, recording


def test_a_row_has_what_a_record_is_found_by() -> None:
    its = row(recording("accepted"))
    assert (its.start_id, its.api_id, its.recording_id, its.version) == ("start-1", "api-1", "rec-1", 2)
    assert (row(planned()).api_id, row(recording("rejected")).due_at) == (None, None)


@pytest.mark.parametrize(("text", "kept"), [("é", "é"), ("", ""), ("\ud83d", "\\ud83d"), ("🎙", "🎙")])
def test_a_column_can_hold_any_text(text: str, kept: str) -> None:
    assert column(text) == kept


def test_the_schema_and_the_words_for_trouble_are_there() -> None:
    assert all(statement.strip().startswith("CREATE") for statement in MIGRATIONS[0])
    assert set(TROUBLES) == {5, 8, 10, 11, 13, 14, 26}
