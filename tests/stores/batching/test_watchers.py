"""Which futures wait for which version of which record."""

from __future__ import annotations

import asyncio
from typing import Any

from plivo_record_async.stores.batching.watchers import Watchers


def future() -> asyncio.Future[Any]:
    loop = asyncio.new_event_loop()
    loop.close()
    return asyncio.Future(loop=loop)


def test_new_future_makes_its_record_a_candidate() -> None:
    watchers = Watchers()
    watchers.add("start-1", 3, future())
    assert watchers.take_candidates() == ["start-1"]
    assert watchers.take_candidates() == []
    watchers.may_have_changed("start-1")
    assert watchers.take_candidates() == ["start-1"]
    watchers.all_may_have_changed()
    assert watchers.take_candidates() == ["start-1"]


def test_futures_that_know_another_version_are_taken() -> None:
    watchers = Watchers()
    current, outdated = future(), future()
    watchers.add("start-1", 3, current)
    watchers.add("start-1", 2, outdated)
    assert watchers.versions("start-1") == {2, 3}
    assert watchers.take("start-1", 3) == [outdated]
    assert watchers.take("start-1", 3) == []
    assert watchers.take("start-1", None) == [current]
    assert not watchers


def test_discarded_future_receives_nothing() -> None:
    watchers = Watchers()
    first, second = future(), future()
    watchers.add("start-1", 2, first)
    watchers.add("start-1", 2, second)
    watchers.discard("start-1", first)
    assert watchers.take("start-1", 3) == [second]
    watchers.add("start-1", 2, first)
    watchers.discard("start-1", first)
    assert not watchers
    assert watchers.take_candidates() == []


def test_clear_returns_all_futures() -> None:
    watchers = Watchers()
    first, second = future(), future()
    watchers.add("start-1", 3, first)
    watchers.add("start-2", 0, second)
    assert watchers.clear() == [first, second]
    assert not watchers
    assert watchers.clear() == []


def test_record_that_is_not_watched_uses_no_memory() -> None:
    watchers = Watchers()
    watchers.may_have_changed("start-1")
    assert watchers.take_candidates() == []
