"""One event loop and one process at a time."""

from __future__ import annotations

import asyncio
import gc
import os

import pytest

from plivo_record_async import ConfigurationError
from plivo_record_async._event_loop import Home


async def claimed(home: Home) -> bool:
    return home.claim()


async def test_a_home_is_claimed_once() -> None:
    home = Home("it")
    assert home.claim()
    assert not home.claim()


def test_another_loop_may_claim_what_one_that_ended_has_left() -> None:
    home = Home("it")
    assert asyncio.run(claimed(home))
    assert asyncio.run(claimed(home))


def test_a_loop_that_stands_still_holds_nothing() -> None:
    home, still = Home("it"), asyncio.new_event_loop()
    assert still.run_until_complete(claimed(home))
    assert asyncio.run(claimed(home))
    assert still.run_until_complete(claimed(home))
    still.close()


def test_a_loop_that_nobody_holds_is_not_held() -> None:
    home, dropped = Home("it"), asyncio.new_event_loop()
    assert dropped.run_until_complete(claimed(home))
    dropped.close()
    del dropped
    gc.collect()
    assert asyncio.run(claimed(home))


async def test_two_loops_at_once_are_refused() -> None:
    home = Home("it")
    home.claim()
    with pytest.raises(ConfigurationError, match="it is in use in another event loop that is still running; make one"):
        await asyncio.to_thread(asyncio.run, claimed(home))
    home.leave()
    assert await asyncio.to_thread(asyncio.run, claimed(home))


async def test_a_forked_process_is_refused_what_was_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    used, unused, left = Home("it"), Home("it"), Home("it")
    used.claim()
    left.claim()
    left.leave()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert [home.is_forked for home in (used, unused, left)] == [True, False, False]
    with pytest.raises(ConfigurationError, match="it was in use before this process was forked; make one in each"):
        used.claim()
    assert unused.claim()
    assert left.claim()
