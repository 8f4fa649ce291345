from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.emulator.history.log import Log, page_of


@attrs.frozen
class Entry:
    id: int
    text: str = ""

    def to_dict(self) -> dict[str, Any]:
        return attrs.asdict(self)


def test_new_entries_replace_the_oldest() -> None:
    log: Log[Entry] = Log(2)
    for _ in range(3):
        log.put(Entry(log.next_id()))
    assert [each.id for each in log.entries()] == [2, 3]
    assert (log.get(1), log.get(2), log.get(4)) == (None, Entry(2), None)


def test_entry_is_replaced_by_one_with_the_same_id() -> None:
    log: Log[Entry] = Log(2)
    for _ in range(3):
        log.put(Entry(log.next_id()))
    log.put(Entry(2, "changed"))
    log.put(Entry(1, "dropped"))
    assert log.entries() == [Entry(2, "changed"), Entry(3)]


def test_log_of_no_length_keeps_nothing_but_counts() -> None:
    log: Log[Entry] = Log(0)
    log.put(Entry(log.next_id()))
    assert (log.entries(), log.next_id()) == ([], 2)


def test_cleared_log_goes_on_with_new_ids() -> None:
    log: Log[Entry] = Log(5)
    log.put(Entry(1))
    log.clear()
    log.put(Entry(1, "late"))
    assert (log.entries(), log.next_id()) == ([], 2)


@pytest.mark.parametrize(
    ("limit", "before", "page"),
    [
        (None, None, "abcd"),
        (2, None, "cd"),
        (2, "c", "ab"),
        (0, None, ""),
        (9, "b", "a"),
        (None, "a", ""),
        (2, "z", "cd"),
    ],
)
def test_page_ends_before_an_item(limit: int | None, before: str | None, page: str) -> None:
    assert page_of("abcd", str, limit=limit, before=before) == list(page)


@given(st.integers(0, 30), st.integers(1, 7))
def test_pages_contain_every_item_once(count: int, limit: int) -> None:
    items = [f"item {number}" for number in range(count)]
    seen: list[str] = []
    while page := page_of(items, str, limit=limit, before=seen[0] if seen else None):
        seen = page + seen
        if len(seen) == count:
            break
    assert seen == items
