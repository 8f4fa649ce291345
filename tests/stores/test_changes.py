"""The changes that a store reports are values."""

from __future__ import annotations

import attrs

from plivo_record_async.stores.changes import Pruned, RecordReplaced
from tests.support.samples.recordings import next_version, planned


def test_changes_are_values() -> None:
    change = RecordReplaced(before=planned(), after=next_version(planned()))
    assert change == attrs.evolve(change)
    assert hash(Pruned(records=1)) == hash(Pruned(records=1, orphans=0))
