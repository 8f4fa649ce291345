"""The statements of a schema."""

from __future__ import annotations

from plivo_record_async.stores.postgres.statements import STATES, Statements
from plivo_record_async.testing.store_contract.samples import STATES as ALL_STATES


def test_states_are_all_states() -> None:
    assert tuple(STATES) == ALL_STATES


def test_name_of_the_schema_is_quoted() -> None:
    sql = Statements('100%"')
    assert 'JOIN "100%%""".recording' in sql.get
