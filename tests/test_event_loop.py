"""An object belongs to one event loop and one process at a time."""

from __future__ import annotations

import asyncio
import gc
import os

import pytest

from plivo_record_async import ConfigurationError
from plivo_record_async._event_loop import LoopBinding


async def bound(binding: LoopBinding) -> bool:
    return binding.bind()


async def test_an_object_is_bound_once() -> None:
    binding = LoopBinding("it")
    assert binding.bind()
    assert not binding.bind()


@pytest.mark.parametrize("until_closed", [False, True])
def test_another_loop_may_bind_an_object_whose_loop_was_closed(until_closed: bool) -> None:
    binding = LoopBinding("it", until_closed=until_closed)
    assert asyncio.run(bound(binding))
    assert asyncio.run(bound(binding))


def test_a_loop_that_has_stopped_does_not_keep_an_object() -> None:
    binding, stopped = LoopBinding("it"), asyncio.new_event_loop()
    assert stopped.run_until_complete(bound(binding))
    assert asyncio.run(bound(binding))
    assert stopped.run_until_complete(bound(binding))
    stopped.close()


def test_a_loop_that_has_stopped_keeps_an_object_with_connections_until_it_is_closed() -> None:
    binding = LoopBinding("it", until_closed=True)
    with asyncio.Runner() as stopped:
        assert stopped.run(bound(binding))
        assert not stopped.run(bound(binding))
        with pytest.raises(ConfigurationError, match="it is in use in another event loop that is still open; make one"):
            asyncio.run(bound(binding))
    assert asyncio.run(bound(binding))


def test_a_loop_that_was_deleted_does_not_keep_an_object() -> None:
    binding, deleted = LoopBinding("it"), asyncio.new_event_loop()
    assert deleted.run_until_complete(bound(binding))
    deleted.close()
    del deleted
    gc.collect()
    assert asyncio.run(bound(binding))


@pytest.mark.parametrize("until_closed", [False, True])
async def test_second_running_loop_raises(until_closed: bool) -> None:
    binding = LoopBinding("it", until_closed=until_closed)
    binding.bind()
    with pytest.raises(ConfigurationError, match=r"it is in use in another event loop that is still \w+; make one"):
        await asyncio.to_thread(asyncio.run, bound(binding))
    binding.unbind()
    assert await asyncio.to_thread(asyncio.run, bound(binding))


async def test_forked_process_cannot_use_an_object_that_was_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    used, unused, closed = LoopBinding("it"), LoopBinding("it"), LoopBinding("it")
    used.bind()
    closed.bind()
    closed.unbind()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert [binding.is_forked for binding in (used, unused, closed)] == [True, False, False]
    with pytest.raises(ConfigurationError, match="it was in use before this process was forked; make one in each"):
        used.bind()
    assert unused.bind()
    assert closed.bind()
