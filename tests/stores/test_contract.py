"""What every store must do. A new store joins by an entry in ``STORES``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import compress
from pathlib import Path
from typing import Any

import attrs
import pytest

from plivo_record_async.errors import ClosedError, ConfigurationError, PlivoRecordError
from plivo_record_async.protocol.models import ApiResponse, CallbackEvent, StartRequest, UnknownCallback
from plivo_record_async.protocol.recording.evidence import CandidatesFound
from plivo_record_async.protocol.recording.lifecycle import plan
from plivo_record_async.stores import MemoryStore, SQLiteStore
from plivo_record_async.stores.interface import ORPHANS_OF_A_START, ORPHANS_OF_NO_START, FollowedRecording, Store
from tests.support.samples.orphans import orphan
from tests.support.samples.recordings import (
    CONFIRMED,
    ENDED,
    NOW,
    OTHER_ROW,
    ROW,
    SECOND,
    STATES,
    TRANSCRIBED,
    UNTRANSCRIBED,
    next_version,
    planned,
    record_after,
    recording,
    with_last_step_at,
)

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda directory: SQLiteStore(directory / "recordings.db"),
}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store = STORES[request.param](tmp_path)
    yield store
    await store.aclose()


async def changed(store: Store, record: FollowedRecording, **changes: Any) -> FollowedRecording:
    """Change it, as one who is alone."""
    record = next_version(record, **changes)
    assert await store.replace(record)
    return record


# Create, get, replace


async def test_created_record_can_be_read(store: Store) -> None:
    assert await store.get("start-1") is None
    record = planned()
    assert await store.create(record) == record
    assert await store.get("start-1") == record


async def test_a_start_id_is_created_once(store: Store) -> None:
    first = await store.create(planned())
    assert await store.create(recording("recorded")) == first
    assert await store.get("start-1") == first


async def test_a_dedupe_key_is_created_once(store: Store) -> None:
    first = await store.create(planned("start-1", dedupe_key="monday"))
    assert await store.create(planned("start-2", dedupe_key="monday")) == first
    assert await store.get("start-2") is None
    assert await store.create(planned("start-3", dedupe_key="tuesday")) == planned("start-3", dedupe_key="tuesday")


async def test_starts_without_a_dedupe_key_are_independent(store: Store) -> None:
    assert await store.create(planned("start-1")) == planned("start-1")
    assert await store.create(planned("start-2")) == planned("start-2")


async def test_one_of_many_concurrent_creations_with_one_key_succeeds(store: Store) -> None:
    records = [planned(f"start-{number}", dedupe_key="monday") for number in range(50)]
    created = await asyncio.gather(*(store.create(record) for record in records))
    assert len({record.start_id for record in created}) == 1


async def test_the_next_version_replaces_a_record(store: Store) -> None:
    await store.create(planned())
    sending = recording("sending")
    assert sending.version == 1
    assert await store.replace(sending)
    assert await store.get("start-1") == sending


@pytest.mark.parametrize("version", [0, 1, 3, 7])
async def test_no_version_but_the_next_replaces_a_record(store: Store, version: int) -> None:
    first = await changed(store, await store.create(planned()), gone_at=NOW)
    assert not await store.replace(attrs.evolve(first, version=version, gone_at=NOW + SECOND))
    assert await store.get("start-1") == first
    assert await store.replace(attrs.evolve(first, version=2, gone_at=NOW + SECOND))


async def test_missing_record_is_not_replaced(store: Store) -> None:
    assert not await store.replace(recording("sending"))
    assert await store.get("start-1") is None


async def test_one_of_many_concurrent_replacements_of_one_version_succeeds(store: Store) -> None:
    record = await store.create(planned())
    changes = [next_version(record, gone_at=NOW + number * SECOND) for number in range(50)]
    [winner] = compress(changes, await asyncio.gather(*map(store.replace, changes)))
    assert await store.get("start-1") == winner


# Values


@pytest.mark.parametrize("state", STATES)
async def test_a_record_in_any_state_comes_back_as_it_was(store: Store, state: str) -> None:
    record = attrs.evolve(recording(state), dedupe_key="monday")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await store.create(record)
    assert await store.get("start-1") == record


async def test_content_of_callbacks_is_restored_in_full(store: Store) -> None:
    record = record_after(
        recording("unknown"), CandidatesFound(recordings=(ROW, OTHER_ROW)), CONFIRMED, ENDED, UNTRANSCRIBED
    )
    record = attrs.evolve(record, unhandled=("RecordingEnded",))
    await store.create(record)
    kept = await store.get("start-1")
    assert kept == record
    assert raws(kept) == raws(record)


def raws(record: FollowedRecording | None) -> list[Any]:
    """What takes no part in comparison."""
    assert record is not None
    assert record.response is not None
    assert record.ended is not None
    assert record.transcription is not None
    rows = [row.raw for row in record.candidates]
    return [record.response.answer, record.response.raw, record.ended.raw, record.transcription.raw, rows]


@pytest.mark.parametrize(
    "text", ["", "a\0b", "é 会议 🎙", "'; DROP TABLE recording; --", "lone \ud83d surrogate", "%\\"]
)
async def test_any_text_can_be_kept_and_found(store: Store, text: str) -> None:
    start_id = f"start {text}"
    told = ApiResponse(
        api_id=f"api {text}", message=text, answer={"recording_id": f"rec {text}", "n": [1.5, None, text]}
    )
    request = StartRequest(f"room {text}".replace("\ud83d", "?"))
    record = record_after(plan(start_id, request, NOW, dedupe_key=f"key {text}"), told)
    await store.create(record)
    assert await store.get(start_id) == record
    assert await store.find("api_id", f"api {text}") == record
    assert await store.find("recording_id", f"rec {text}") == record
    assert await store.create(planned("other", dedupe_key=f"key {text}")) == record


async def test_times_are_kept_to_the_microsecond(store: Store) -> None:
    exact = datetime(2026, 3, 1, 12, 0, 0, 123_457, tzinfo=UTC)
    await store.create(attrs.evolve(planned(), due_at=exact))
    assert len(await store.due(exact)) == 1
    assert await store.due(exact - timedelta(microseconds=1)) == []


# Find


async def test_records_are_found_by_plivos_ids(store: Store) -> None:
    record = await store.create(recording("accepted"))
    assert await store.find("api_id", "api-1") == record
    assert await store.find("recording_id", "rec-1") == record
    assert await store.find("recording_id", "api-1") is None


async def test_id_that_is_added_later_is_found_and_one_that_was_replaced_is_not(store: Store) -> None:
    record = await store.create(planned())
    assert await store.find("api_id", "api-1") is None
    record = await changed(store, attrs.evolve(recording("accepted"), version=record.version))
    assert await store.find("api_id", "api-1") == record
    record = record_after(record, attrs.evolve(ENDED, recording_id="rec-2"))
    assert await store.replace(record)
    assert await store.find("recording_id", "rec-2") == record
    assert await store.find("recording_id", "rec-1") is None


async def test_first_of_several_records_with_one_id_is_found(store: Store) -> None:
    first = await store.create(planned("start-9"))
    later = recording("accepted", "start-1")
    steps = tuple(attrs.evolve(step, at=NOW + SECOND) for step in later.steps)
    await store.create(attrs.evolve(later, steps=steps))
    first = await changed(store, attrs.evolve(recording("accepted", "start-9"), version=first.version))
    assert await store.find("api_id", "api-1") == first
    await changed(store, first, due_at=None)
    await store.prune(NOW + SECOND)
    found = await store.find("api_id", "api-1")
    assert found is not None
    assert found.start_id == "start-1"


# Due


async def test_records_are_due_in_order_of_their_due_time(store: Store) -> None:
    for number in (3, 1, 2):
        await store.create(attrs.evolve(planned(f"start-{number}"), due_at=NOW + number * SECOND))
    await store.create(recording("rejected", "at-rest"))
    assert [record.start_id for record in await store.due(NOW + 2 * SECOND)] == ["start-1", "start-2"]
    assert [record.start_id for record in await store.due(NOW + 9 * SECOND, limit=1)] == ["start-1"]
    assert await store.due(NOW) == []


async def test_postponed_record_is_due_later(store: Store) -> None:
    record = await store.create(attrs.evolve(planned(), due_at=NOW))
    record = await changed(store, record, due_at=NOW + SECOND)
    assert await store.due(NOW) == []
    record = await changed(store, record, due_at=None)
    assert await store.due(NOW + SECOND) == []


async def test_silent_records_are_due_apart_from_the_others(store: Store) -> None:
    for state in STATES:
        await store.create(attrs.evolve(recording(state, state), due_at=NOW))
    unhandled = attrs.evolve(recording("unknown", "with a handler to run"), due_at=NOW, unhandled=("ApiResponse",))
    await store.create(unhandled)
    silent = {record.start_id for record in await store.due(NOW, silent=True)}
    assert silent == {"unknown", "unconfirmed", "started"}
    others = {record.start_id for record in await store.due(NOW, silent=False)}
    assert others == {*STATES, "with a handler to run"} - silent
    assert {record.start_id for record in await store.due(NOW)} == silent | others
    assert len(await store.due(NOW, silent=True, limit=2)) == 2
    assert await store.due(NOW - SECOND, silent=True) == []


async def test_a_record_that_is_no_longer_silent_is_due_with_the_others(store: Store) -> None:
    record = await store.create(attrs.evolve(recording("unknown"), due_at=NOW))
    record = await changed(store, record, unhandled=("ApiResponse",))
    assert (await store.due(NOW, silent=True), await store.due(NOW, silent=False)) == ([], [record])
    record = await changed(store, record, unhandled=())
    assert (await store.due(NOW, silent=True), await store.due(NOW, silent=False)) == ([record], [])
    await changed(store, record, due_at=None)
    assert await store.due(NOW) == []


# Watch


async def test_a_watcher_wakes_when_the_record_is_replaced(store: Store) -> None:
    record = await store.create(planned())
    watcher = asyncio.create_task(store.watch("start-1", version=record.version))
    await settled(store)
    assert not watcher.done()
    stored = await changed(store, record, gone_at=NOW)
    assert await asyncio.wait_for(watcher, 5) == stored


async def test_a_watcher_that_is_slow_to_wake_sees_the_latest(store: Store) -> None:
    record = await store.create(planned())
    watcher = asyncio.create_task(store.watch("start-1", version=record.version))
    await settled(store)
    latest = await changed(store, await changed(store, record, gone_at=NOW), gone_at=NOW + SECOND)
    assert await asyncio.wait_for(watcher, 5) in (latest, next_version(record, gone_at=NOW))
    assert await asyncio.wait_for(store.watch("start-1", version=1), 5) == latest


async def test_watcher_of_an_old_version_does_not_wait(store: Store) -> None:
    record = await changed(store, await store.create(planned()))
    assert await asyncio.wait_for(store.watch("start-1", version=0), 5) == record


async def test_missing_record_is_not_watched(store: Store) -> None:
    assert await asyncio.wait_for(store.watch("nobody", version=0), 5) is None


async def test_watcher_of_one_record_is_not_woken_by_another(store: Store) -> None:
    await store.create(planned("start-1"))
    other = await store.create(planned("start-2"))
    watcher = asyncio.create_task(store.watch("start-1", version=0))
    await settled(store)
    await changed(store, other)
    await settled(store)
    assert not watcher.done()
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher


async def test_refused_replacement_wakes_no_watcher(store: Store) -> None:
    record = await changed(store, await store.create(planned()))
    watcher = asyncio.create_task(store.watch("start-1", version=record.version))
    await settled(store)
    assert not await store.replace(record)
    await settled(store)
    assert not watcher.done()
    await changed(store, record)
    await asyncio.wait_for(watcher, 5)


async def test_cancelled_watcher_does_not_affect_the_others(store: Store) -> None:
    record = await store.create(planned())
    watchers = [asyncio.create_task(store.watch("start-1", version=record.version)) for _ in range(20)]
    await settled(store)
    for watcher in watchers[::2]:
        watcher.cancel()
    await asyncio.gather(*watchers[::2], return_exceptions=True)
    stored = await changed(store, record)
    assert await asyncio.wait_for(asyncio.gather(*watchers[1::2]), 5) == [stored] * 10


async def test_a_watcher_learns_that_the_record_was_forgotten(store: Store) -> None:
    record = await store.create(recording("rejected"))
    watcher = asyncio.create_task(store.watch("start-1", version=record.version))
    await settled(store)
    await store.prune(NOW + SECOND)
    assert await asyncio.wait_for(watcher, 5) is None


async def settled(store: Store) -> None:
    """Long enough for a watcher to be watching, and for one that should not wake to have woken."""
    for _ in range(3):
        await store.get("nobody")
        await asyncio.sleep(0)


# Orphans


@pytest.mark.parametrize("event", [CONFIRMED, ENDED, TRANSCRIBED, UNTRANSCRIBED, UnknownCallback(raw={"a": "b"})])
async def test_orphan_of_any_kind_is_kept_in_full(store: Store, event: CallbackEvent) -> None:
    odd = orphan(event, start_id="start-1")
    assert await store.keep_orphan(odd)
    [kept] = await store.orphans()
    assert kept == odd
    assert type(kept.event) is type(event)
    assert kept.event.raw == event.raw


async def test_the_latest_orphans_come_first(store: Store) -> None:
    for number in range(5):
        await store.keep_orphan(orphan(UnknownCallback(raw={"n": str(number)})))
    assert [orphan.event.raw["n"] for orphan in await store.orphans(limit=2)] == ["4", "3"]
    assert len(await store.orphans()) == 5


async def test_one_digest_is_one_orphan_and_the_first_one_stays(store: Store) -> None:
    first = orphan(ENDED, digest="one", start_id="start-1")
    assert await store.keep_orphan(first)
    for again in (first, orphan(TRANSCRIBED, digest="one", received_at=NOW + SECOND, start_id="start-2")):
        assert not await store.keep_orphan(again)
    assert await store.orphans() == [first]
    kept = await asyncio.gather(*(store.keep_orphan(orphan(ENDED, digest="two")) for _ in range(50)))
    assert sum(kept) == 1


async def test_latest_orphans_of_each_start_are_kept(store: Store) -> None:
    for number in range(ORPHANS_OF_A_START + 5):
        for start_id in ("start-1", "start-2"):
            assert await store.keep_orphan(orphan(ENDED, digest=f"{start_id} {number}", start_id=start_id))
    await store.keep_orphan(orphan(ENDED))
    of_1 = [kept.digest for kept in await store.orphans() if kept.start_id == "start-1"]
    assert of_1 == [f"start-1 {number}" for number in range(ORPHANS_OF_A_START + 4, 4, -1)]
    assert len(await store.orphans()) == 2 * ORPHANS_OF_A_START + 1


async def test_latest_orphans_without_a_start_are_kept(store: Store) -> None:
    digests = [str(number) for number in range(ORPHANS_OF_NO_START + 5)]
    await store.keep_orphan(orphan(ENDED, digest="of a start", start_id="start-1"))
    await asyncio.gather(*(store.keep_orphan(orphan(ENDED, digest=digest)) for digest in digests))
    kept = await store.orphans(limit=2 * ORPHANS_OF_NO_START)
    assert [each.digest for each in kept] == [*digests[:4:-1], "of a start"]


# Forget


async def test_forgetting_a_start_deletes_everything_that_is_kept_of_it(store: Store) -> None:
    record = await store.create(attrs.evolve(record_after(recording("accepted"), ENDED), dedupe_key="monday"))
    other = await store.create(planned("start-2"))
    for kept in (
        orphan(UnknownCallback(raw={"a": "b"}), start_id="start-1"),
        orphan(UnknownCallback(raw={"api_id": record.api_id})),
        orphan(UnknownCallback(raw={"RecordingID": record.recording_id}), start_id="start-2"),
        orphan(UnknownCallback(raw={"response": f'{{"recording_id":"{record.recording_id}"}}'})),
        other_orphan := orphan(UnknownCallback(raw={"a": "b"}), start_id="start-2", digest="other"),
    ):
        assert await store.keep_orphan(kept)
    assert await store.forget("start-1", now=NOW)
    assert await store.get("start-1") is None
    assert await store.find("api_id", str(record.api_id)) is None
    assert await store.orphans() == [other_orphan]
    assert await store.get("start-2") == other
    assert not await store.replace(next_version(record))
    assert await store.create(planned("start-3", dedupe_key="monday")) == planned("start-3", dedupe_key="monday")


async def test_a_watcher_learns_at_once_that_a_start_was_forgotten(store: Store) -> None:
    record = await store.create(planned())
    watcher = asyncio.create_task(store.watch("start-1", version=record.version))
    await settled(store)
    await store.forget("start-1", now=NOW)
    assert await asyncio.wait_for(watcher, 5) is None


async def test_nothing_is_stored_for_a_forgotten_start(store: Store) -> None:
    record = await store.create(record_after(recording("accepted"), ENDED))
    await store.forget("start-1", now=NOW)
    for late in (
        orphan(ENDED, start_id="start-1"),
        orphan(UnknownCallback(raw={"api_id": record.api_id})),
        orphan(UnknownCallback(raw={"recording_id": record.recording_id}), start_id="start-2"),
    ):
        assert not await store.keep_orphan(late)
    assert await store.orphans() == []
    assert await store.keep_orphan(orphan(UnknownCallback(raw={"api_id": "another"})))


async def test_forgetting_again_is_harmless_and_an_unknown_start_is_reported(store: Store) -> None:
    await store.create(planned())
    assert not await store.forget("start-2", now=NOW)
    assert await store.forget("start-1", now=NOW)
    assert await store.forget("start-1", now=NOW + SECOND)
    assert await store.keep_orphan(orphan(ENDED, start_id="start-2"))
    assert await store.forget("start-2", now=NOW)
    assert await store.orphans() == []


async def test_forgotten_start_is_remembered_until_it_is_pruned(store: Store) -> None:
    await store.create(planned())
    await store.forget("start-1", now=NOW)
    await store.prune(NOW)
    assert not await store.keep_orphan(orphan(ENDED, start_id="start-1"))
    await store.prune(NOW + SECOND)
    assert not await store.forget("start-1", now=NOW)
    assert await store.keep_orphan(orphan(ENDED, start_id="start-1"))


# Prune


async def test_old_settled_records_are_pruned(store: Store) -> None:
    await store.create(attrs.evolve(recording("rejected", "old"), dedupe_key="monday"))
    await store.create(with_last_step_at(recording("recorded", "young"), NOW + SECOND))
    await store.create(recording("started", "running"))
    assert await store.prune(NOW) == 0
    assert await store.prune(NOW + SECOND) == 1
    assert [await store.get(start_id) is None for start_id in ("old", "young", "running")] == [True, False, False]
    assert await store.find("api_id", "api-0") is None
    assert await store.create(planned("new", dedupe_key="monday")) == planned("new", dedupe_key="monday")


async def test_old_orphans_are_pruned(store: Store) -> None:
    await store.keep_orphan(orphan(ENDED))
    await store.keep_orphan(orphan(TRANSCRIBED, received_at=NOW + SECOND))
    assert await store.prune(NOW + SECOND) == 0
    assert [orphan.event for orphan in await store.orphans()] == [TRANSCRIBED]


# Close, and open again


def verbs(store: Store) -> list[Callable[[], Awaitable[Any]]]:
    """A call of each verb but the two that open and close."""
    return [
        lambda: store.create(planned("start-2")),
        lambda: store.get("start-1"),
        lambda: store.replace(planned()),
        lambda: store.find("api_id", "api-1"),
        lambda: store.due(NOW),
        lambda: store.watch("start-1", version=0),
        lambda: store.keep_orphan(orphan(ENDED)),
        store.orphans,
        lambda: store.forget("start-1", now=NOW),
        lambda: store.prune(NOW),
        store.check,
    ]


async def test_calls_on_a_closed_store_raise_closed_error(store: Store) -> None:
    await store.create(planned())
    await store.aclose()
    await store.aclose()
    for verb in verbs(store):
        with pytest.raises(ClosedError, match="is closed; enter it again"):
            await verb()


async def test_closing_ends_all_watchers(store: Store) -> None:
    await store.create(planned())
    watchers = [asyncio.create_task(store.watch("start-1", version=0)) for _ in range(3)]
    await settled(store)
    await store.aclose()
    await store.open()
    for watcher in watchers:
        with pytest.raises(ClosedError, match="was closed while it was watched"):
            await asyncio.wait_for(watcher, 5)


async def test_reopened_store_has_its_records(store: Store) -> None:
    record = await store.create(planned())
    await store.keep_orphan(orphan(ENDED))
    for _ in range(3):
        await store.aclose()
        await store.open()
        assert await store.get("start-1") == record
        record = await changed(store, record, gone_at=NOW)
    assert len(await store.orphans()) == 1


async def test_opening_an_open_store_changes_nothing(store: Store) -> None:
    record = await store.create(planned())
    watcher = asyncio.create_task(store.watch("start-1", version=0))
    await settled(store)
    await store.open()
    stored = await changed(store, record)
    assert await asyncio.wait_for(watcher, 5) == stored


def in_its_own_loop(
    make: Callable[[Path], Store], directory: Path, *stories: Callable[[Store], Awaitable[Any]]
) -> None:
    """One store in one event loop after another; each ends without closing it."""
    store = make(directory)
    for story in stories:

        async def told(story: Callable[[Store], Awaitable[Any]] = story) -> None:
            await story(store)

        asyncio.run(told())
    asyncio.run(store.aclose())


@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
def test_one_store_serves_one_event_loop_after_another(make: Callable[[Path], Store], tmp_path: Path) -> None:
    async def begin(store: Store) -> None:
        await store.create(planned())
        waiting.append(asyncio.create_task(store.watch("start-1", version=0)))
        await settled(store)

    async def go_on(store: Store) -> None:
        watcher = asyncio.create_task(store.watch("start-1", version=0))
        await settled(store)
        stored = await changed(store, planned())
        assert await asyncio.wait_for(watcher, 5) == stored

    waiting: list[asyncio.Task[Any]] = []
    in_its_own_loop(make, tmp_path, begin, go_on)
    assert waiting[0].cancelled()


@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
def test_store_works_after_its_event_loop_was_closed_during_calls(
    make: Callable[[Path], Store], tmp_path: Path
) -> None:
    store = make(tmp_path)
    ended = asyncio.new_event_loop()
    record = ended.run_until_complete(store.create(planned()))
    watcher = ended.create_task(store.watch("start-1", version=0))
    ended.run_until_complete(settled(store))
    ended.close()
    asyncio.run(changed(store, record))
    asyncio.run(store.aclose())
    watcher.get_coro().close()


@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
def test_watcher_in_a_stopped_event_loop_gets_an_error_when_another_takes_over(
    make: Callable[[Path], Store], tmp_path: Path
) -> None:
    store = make(tmp_path)
    still = asyncio.new_event_loop()
    still.run_until_complete(store.create(planned()))
    watcher = still.create_task(store.watch("start-1", version=0))
    still.run_until_complete(settled(store))
    asyncio.run(changed(store, planned()))
    with pytest.raises(ClosedError, match="was closed while it was watched"):
        still.run_until_complete(asyncio.wait_for(watcher, 5))
    still.close()
    asyncio.run(store.aclose())


async def test_two_event_loops_at_once_are_refused(store: Store) -> None:
    await store.create(planned())

    def elsewhere() -> list[Exception]:
        errors: list[Exception] = []
        for verb in verbs(store):
            with pytest.raises(ConfigurationError, match="make one in each event loop, or close it there") as refused:
                asyncio.run(awaited(verb))
            errors.append(refused.value)
        return errors

    errors = await asyncio.to_thread(elsewhere)
    assert all(isinstance(error, PlivoRecordError) for error in errors)
    assert await store.get("start-1") == planned()


async def awaited(verb: Callable[[], Awaitable[Any]]) -> Any:
    return await verb()


async def test_store_that_was_closed_may_be_opened_in_another_loop_while_the_first_runs(store: Store) -> None:
    await store.check()
    await store.aclose()

    async def elsewhere() -> None:
        await store.open()
        await store.check()
        await store.aclose()

    await asyncio.to_thread(asyncio.run, elsewhere())
    await store.open()
    await store.check()


@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
async def test_store_is_entered_and_left_like_other_resources(make: Callable[[Path], Any], tmp_path: Path) -> None:
    store = make(tmp_path)
    for number in range(2):
        async with store as entered:
            assert entered is store
            await store.create(planned(f"start-{number}"))
        with pytest.raises(ClosedError):
            await store.get("start-0")


async def test_checking_a_store_that_can_commit_changes_nothing(store: Store) -> None:
    await store.check()
    record = await store.create(planned())
    watcher = asyncio.create_task(store.watch("start-1", version=0))
    await settled(store)
    await store.check()
    await settled(store)
    assert not watcher.done()
    assert await store.get("start-1") == record
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)


async def test_a_store_that_was_never_used_can_be_closed(store: Store) -> None:
    await store.aclose()


async def test_calls_begun_before_closing_are_finished(store: Store) -> None:
    creating = [asyncio.create_task(store.create(planned(f"start-{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    await store.aclose()
    assert len(await asyncio.gather(*creating)) == 20


# Cancellation


async def test_cancelled_caller_leaves_the_store_consistent(store: Store) -> None:
    record = await store.create(planned())
    for number in range(20):
        writing = asyncio.create_task(store.replace(next_version(record, gone_at=NOW + number * SECOND)))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await store.prune(NOW)  # comes after it, if it is done at all
        kept = await store.get("start-1")
        assert kept is not None
        assert kept == record or kept.gone_at == NOW + number * SECOND
        record = kept
    assert (await changed(store, record, gone_at=None)).gone_at is None
