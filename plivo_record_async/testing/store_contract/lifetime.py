"""Tests of opening, closing, event loops and cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

import pytest

from plivo_record_async.errors import ClosedError, ConfigurationError, PlivoRecordError
from plivo_record_async.stores.interface import Store
from plivo_record_async.testing.store_contract.event_loop import StoreTests, run_in_event_loop
from plivo_record_async.testing.store_contract.samples import (
    ENDED,
    NOW,
    SECOND,
    changed,
    let_watchers_run,
    next_version,
    orphan,
    planned,
)

__all__ = ["LifetimeContract"]


@run_in_event_loop
class LifetimeContract(StoreTests):
    """Tests of ``open``, ``aclose`` and ``check``, of several event loops, and of cancelled callers."""

    async def test_calls_on_a_closed_store_raise_closed_error(self, store: Store) -> None:
        await store.create(planned())
        await store.aclose()
        await store.aclose()
        for call in _calls(store):
            with pytest.raises(ClosedError):
                await call()

    async def test_closing_ends_all_calls_of_watch(self, store: Store) -> None:
        await store.create(planned())
        watchers = [asyncio.create_task(store.watch("start-1", version=0)) for _ in range(3)]
        await let_watchers_run(store)
        await store.aclose()
        await store.open()
        for watcher in watchers:
            with pytest.raises(ClosedError):
                await asyncio.wait_for(watcher, 5)

    async def test_reopened_store_has_its_records_and_orphans(self, store: Store) -> None:
        record = await store.create(planned())
        await store.keep_orphan(orphan(ENDED))
        for _ in range(3):
            await store.aclose()
            await store.open()
            assert await store.get("start-1") == record
            record = await changed(store, record, gone_at=NOW)
        assert len(await store.orphans()) == 1

    async def test_opening_an_open_store_has_no_effect(self, store: Store) -> None:
        record = await store.create(planned())
        watcher = asyncio.create_task(store.watch("start-1", version=0))
        await let_watchers_run(store)
        await store.open()
        stored = await changed(store, record)
        assert await asyncio.wait_for(watcher, 5) == stored

    def test_store_serves_one_event_loop_after_another(self, store: Store) -> None:
        waiting: list[asyncio.Task[Any]] = []

        async def begin() -> None:
            await store.create(planned())
            waiting.append(asyncio.create_task(store.watch("start-1", version=0)))
            await let_watchers_run(store)

        async def go_on() -> None:
            watcher = asyncio.create_task(store.watch("start-1", version=0))
            await let_watchers_run(store)
            kept = await changed(store, planned())
            assert await asyncio.wait_for(watcher, 5) == kept
            await store.aclose()

        asyncio.run(begin())
        asyncio.run(go_on())
        assert waiting[0].cancelled()

    def test_store_serves_an_event_loop_after_one_that_was_closed_without_shutdown(self, store: Store) -> None:
        closed = asyncio.new_event_loop()
        record = closed.run_until_complete(store.create(planned()))
        watcher = closed.create_task(store.watch("start-1", version=0))
        closed.run_until_complete(let_watchers_run(store))
        closed.close()
        asyncio.run(changed(store, record))
        asyncio.run(store.aclose())
        cast("Coroutine[Any, Any, Any]", watcher.get_coro()).close()

    def test_watcher_in_a_stopped_event_loop_gets_closed_error_when_another_event_loop_uses_the_store(
        self, store: Store
    ) -> None:
        stopped = asyncio.new_event_loop()
        stopped.run_until_complete(store.create(planned()))
        watcher = stopped.create_task(store.watch("start-1", version=0))
        stopped.run_until_complete(let_watchers_run(store))
        asyncio.run(changed(store, planned()))
        with pytest.raises(ClosedError):
            stopped.run_until_complete(asyncio.wait_for(watcher, 5))
        stopped.close()
        asyncio.run(store.aclose())

    async def test_use_in_two_running_event_loops_raises_configuration_error(self, store: Store) -> None:
        await store.create(planned())

        def elsewhere() -> list[Exception]:
            errors: list[Exception] = []
            for call in _calls(store):
                with pytest.raises(ConfigurationError) as caught:
                    asyncio.run(_awaited(call))
                errors.append(caught.value)
            return errors

        errors = await asyncio.to_thread(elsewhere)
        assert all(isinstance(error, PlivoRecordError) for error in errors)
        assert await store.get("start-1") == planned()

    async def test_closed_store_can_be_opened_in_another_event_loop(self, store: Store) -> None:
        await store.check()
        await store.aclose()

        async def elsewhere() -> None:
            await store.open()
            await store.check()
            await store.aclose()

        await asyncio.to_thread(asyncio.run, elsewhere())
        await store.open()
        await store.check()

    async def test_check_changes_nothing(self, store: Store) -> None:
        await store.check()
        record = await store.create(planned())
        watcher = asyncio.create_task(store.watch("start-1", version=0))
        await let_watchers_run(store)
        await store.check()
        await let_watchers_run(store)
        assert not watcher.done()
        assert await store.get("start-1") == record
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)

    async def test_unused_store_can_be_closed(self, store: Store) -> None:
        await store.aclose()

    async def test_calls_that_were_begun_before_closing_are_finished(self, store: Store) -> None:
        creating = [asyncio.create_task(store.create(planned(f"start-{number}"))) for number in range(20)]
        await asyncio.sleep(0)
        await store.aclose()
        assert len(await asyncio.gather(*creating)) == 20

    async def test_cancelled_caller_leaves_the_store_consistent(self, store: Store) -> None:
        record = await store.create(planned())
        for number in range(20):
            writing = asyncio.create_task(store.replace(next_version(record, gone_at=NOW + number * SECOND)))
            await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await store.prune(NOW)  # is done after the change, if the change is made
            kept = await store.get("start-1")
            assert kept is not None
            assert kept == record or kept.gone_at == NOW + number * SECOND
            record = kept
        assert (await changed(store, record, gone_at=None)).gone_at is None


def _calls(store: Store) -> list[Callable[[], Awaitable[Any]]]:
    """Return a call of each method except ``open`` and ``aclose``."""
    return [
        lambda: store.create(planned("start-2")),
        lambda: store.get("start-1"),
        lambda: store.replace(planned()),
        lambda: store.find("api_id", "api-1"),
        lambda: store.due(NOW),
        store.records,
        lambda: store.records(states=()),
        store.counts,
        lambda: store.watch("start-1", version=0),
        lambda: store.keep_orphan(orphan(ENDED)),
        store.orphans,
        lambda: store.forget("start-1", now=NOW),
        lambda: store.prune(NOW),
        store.check,
    ]


async def _awaited(call: Callable[[], Awaitable[Any]]) -> Any:
    return await call()
