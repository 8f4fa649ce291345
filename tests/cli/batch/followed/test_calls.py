from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from plivo_record_async import MemoryStore, OutcomeUnknownError, RecordClient, RecordingFailedError, RecordingTracker
from plivo_record_async.cli.batch.followed.calls import FollowedCalls
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.cli.output.outcomes import Followed, UnfinishedError
from plivo_record_async.emulator import Emulator
from plivo_record_async.protocol.models import StartRequest
from tests.support.tracker.flaky_store import FlakyStore
from tests.support.tracker.parts import SHORT_INTERVALS

ITEMS = [Item(number=number, request=StartRequest(name)) for number, name in enumerate("ab", 1)]


_RECORDED: dict[str, Any] = {"stage": "recorded"}


@asynccontextmanager
async def followed(plivo: Emulator, store: MemoryStore, **options: Any) -> AsyncGenerator[FollowedCalls]:
    async with (
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
        RecordingTracker(client, store=store, tracking=SHORT_INTERVALS) as tracker,
    ):
        yield FollowedCalls(tracker=tracker, store=store, concurrency=2, **_RECORDED | options)


def _number_of(item: Item[Any]) -> str:
    return str(item.number)


async def given(*items: Item[Any]) -> AsyncGenerator[Item[Any], None]:
    for item in items:
        yield item


async def all_outcomes(calls: FollowedCalls, *items: Item[Any]) -> list[Any]:
    return [outcome async for outcome in calls.outcomes(given(*items))]


async def recording(plivo: Emulator, *names: str) -> None:
    """Wait until these conferences are recorded."""
    while not {*names} <= {*plivo.state()["conferences"]}:
        await asyncio.sleep(0)


async def test_outcome_is_yielded_when_the_stage_is_reached(plivo: Emulator) -> None:
    async with followed(plivo, MemoryStore()) as calls:
        outcomes = calls.outcomes(given(*ITEMS))
        first = asyncio.create_task(anext(outcomes))
        await recording(plivo, "a", "b")
        await plivo.end_conference("b")
        outcome: Any = await first
        assert (outcome.request.number, calls.following) == (2, 1)
        assert isinstance(outcome.result, Followed)
        assert outcome.result.status.state == "recorded"
        await plivo.end_conference("a")
        assert [each.request.number async for each in outcomes] == [1]
        assert calls.following == 0


async def test_acceptance_is_not_awaited_again(plivo: Emulator) -> None:
    async with followed(plivo, MemoryStore(), stage="accepted", dedupe_key=_number_of) as calls:
        first = await all_outcomes(calls, *ITEMS)
        again = await all_outcomes(calls, *ITEMS)
    assert {each.result.status.start_id for each in first} == {each.result.status.start_id for each in again}
    assert plivo.executions("a") == plivo.executions("b") == 1


async def test_unknown_start_is_named_when_only_acceptance_is_awaited(plivo: Emulator) -> None:
    plivo.faults.on("start", conference="a").status(503, executed=True)
    options: dict[str, Any] = {"stage": "accepted", "dedupe_key": _number_of}
    async with followed(plivo, MemoryStore(), **options) as calls:
        for _ in range(2):
            [outcome] = await all_outcomes(calls, ITEMS[0])
            assert isinstance(outcome.error, OutcomeUnknownError)
            assert outcome.error.start_id
            assert str(outcome.error).count("Do not repeat it") == 1
            assert f"'plivo-record status {outcome.error.start_id}'" in str(outcome.error)
    assert plivo.executions("a") == 1


async def test_unknown_start_is_followed_until_its_recording_is_found(plivo: Emulator) -> None:
    plivo.faults.on("start", conference="a").reset_after_execution()
    async with followed(plivo, MemoryStore()) as calls:
        task = asyncio.create_task(all_outcomes(calls, ITEMS[0]))
        await recording(plivo, "a")
        await plivo.end_conference("a")
        [outcome] = await task
    assert outcome.result.status.state == "recorded"
    assert plivo.executions("a") == 1


async def test_rejected_start_is_a_failure_now_and_when_it_is_resumed(plivo: Emulator) -> None:
    plivo.faults.on("start", conference="a", times=1).status(404, executed=False)
    async with followed(plivo, MemoryStore(), dedupe_key=_number_of) as calls:
        [first] = await all_outcomes(calls, ITEMS[0])
        [again] = await all_outcomes(calls, ITEMS[0])
    assert getattr(first.error, "status", None) == 404
    assert isinstance(again.error, RecordingFailedError)
    assert again.error.recording.state == "rejected"
    assert plivo.executions("a") == 0


async def test_end_of_following_leaves_no_outcome_out(plivo: Emulator) -> None:
    async with followed(plivo, MemoryStore()) as calls:
        task = asyncio.create_task(all_outcomes(calls, *ITEMS))
        while calls.following < 2:
            await asyncio.sleep(0)
        calls.end_following()
        outcomes = await task
    assert all(isinstance(outcome.error, UnfinishedError) for outcome in outcomes)
    assert sorted(outcome.request.number for outcome in outcomes) == [1, 2]


async def test_end_of_following_keeps_the_outcome_of_a_start_that_was_accepted(plivo: Emulator) -> None:
    async with followed(plivo, MemoryStore(), stage="accepted") as calls:
        task = asyncio.create_task(all_outcomes(calls, *ITEMS))
        while not calls.following:
            await asyncio.sleep(0)
        calls.end_following()
        outcomes = await task
    assert [outcome.result.status.state for outcome in outcomes] == ["started", "started"]


async def test_store_that_fails_leaves_a_start_unfinished(plivo: Emulator) -> None:
    store = FlakyStore()
    async with followed(plivo, store) as calls:
        task = asyncio.create_task(all_outcomes(calls, ITEMS[0]))
        while not calls.following:
            await asyncio.sleep(0)
        store.broken.add("get")
        [outcome] = await task
        store.broken.clear()
    assert isinstance(outcome.error, UnfinishedError)
    assert "the store cannot be used" in str(outcome.error)


@pytest.mark.parametrize("transcribe", [None, False])
async def test_transcript_is_awaited_unless_the_line_forbids_it(plivo: Emulator, *, transcribe: bool | None) -> None:
    item = Item(number=1, request=StartRequest("a"), transcribe=transcribe)
    async with followed(plivo, MemoryStore(), stage="transcribed") as calls:
        task = asyncio.create_task(all_outcomes(calls, item))
        await recording(plivo, "a")
        await plivo.end_conference("a")
        [outcome] = await task
    assert outcome.result.status.state == ("recorded" if transcribe is False else "transcribed")


async def test_leaving_the_loop_leaves_no_task_behind(plivo: Emulator) -> None:
    async with followed(plivo, MemoryStore()) as calls:
        before = asyncio.all_tasks()
        outcomes = calls.outcomes(given(*ITEMS))
        first = asyncio.create_task(anext(outcomes))
        await recording(plivo, "a", "b")
        await plivo.end_conference("a")
        await first
        await outcomes.aclose()
        assert not {task for task in asyncio.all_tasks() - before if "FollowedCalls" in repr(task)}
