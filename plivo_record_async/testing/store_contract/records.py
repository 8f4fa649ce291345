"""Tests of records: how they are created, replaced, returned and found."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Any

import attrs
import pytest

from plivo_record_async.protocol.models import ApiResponse, RecordingState, StartRequest
from plivo_record_async.protocol.recording.evidence import CandidatesFound
from plivo_record_async.protocol.recording.lifecycle import plan
from plivo_record_async.stores.interface import FollowedRecording, Store
from plivo_record_async.testing.store_contract.event_loop import StoreTests, run_in_event_loop
from plivo_record_async.testing.store_contract.samples import (
    CONFIRMED,
    ENDED,
    NOW,
    ROWS,
    SECOND,
    STATES,
    UNTRANSCRIBED,
    changed,
    next_version,
    planned,
    record_after,
    record_in,
)

__all__ = ["RecordContract"]


@run_in_event_loop
class RecordContract(StoreTests):
    """Tests of ``create``, ``get``, ``replace``, ``find`` and ``due``."""

    async def test_created_record_is_returned(self, store: Store) -> None:
        assert await store.get("start-1") is None
        record = planned()
        assert await store.create(record) == record
        assert await store.get("start-1") == record

    async def test_start_id_is_created_once(self, store: Store) -> None:
        first = await store.create(planned())
        assert await store.create(record_in("recorded")) == first
        assert await store.get("start-1") == first

    async def test_dedupe_key_is_created_once(self, store: Store) -> None:
        first = await store.create(planned("start-1", dedupe_key="monday"))
        assert await store.create(planned("start-2", dedupe_key="monday")) == first
        assert await store.get("start-2") is None
        assert await store.create(planned("start-3", dedupe_key="tuesday")) == planned("start-3", dedupe_key="tuesday")

    async def test_records_without_a_dedupe_key_are_independent(self, store: Store) -> None:
        assert await store.create(planned("start-1")) == planned("start-1")
        assert await store.create(planned("start-2")) == planned("start-2")

    async def test_one_of_many_concurrent_creations_with_one_key_succeeds(self, store: Store) -> None:
        records = [planned(f"start-{number}", dedupe_key="monday") for number in range(50)]
        created = await asyncio.gather(*(store.create(record) for record in records))
        assert len({record.start_id for record in created}) == 1

    async def test_next_version_replaces_a_record(self, store: Store) -> None:
        await store.create(planned())
        sending = record_in("sending")
        assert sending.version == 1
        assert await store.replace(sending)
        assert await store.get("start-1") == sending

    @pytest.mark.parametrize("version", [0, 1, 3, 7])
    async def test_no_other_version_replaces_a_record(self, store: Store, version: int) -> None:
        first = await changed(store, await store.create(planned()), gone_at=NOW)
        assert not await store.replace(attrs.evolve(first, version=version, gone_at=NOW + SECOND))
        assert await store.get("start-1") == first
        assert await store.replace(attrs.evolve(first, version=2, gone_at=NOW + SECOND))

    async def test_missing_record_is_not_replaced(self, store: Store) -> None:
        assert not await store.replace(record_in("sending"))
        assert await store.get("start-1") is None

    async def test_one_of_many_concurrent_replacements_succeeds(self, store: Store) -> None:
        record = await store.create(planned())
        changes = [next_version(record, gone_at=NOW + number * SECOND) for number in range(50)]
        [winner] = compress(changes, await asyncio.gather(*map(store.replace, changes)))
        assert await store.get("start-1") == winner

    @pytest.mark.parametrize("state", STATES)
    async def test_record_in_any_state_is_returned_as_it_was_kept(self, store: Store, state: RecordingState) -> None:
        record = attrs.evolve(record_in(state), dedupe_key="monday")
        await store.create(record)
        assert await store.get("start-1") == record

    async def test_events_are_returned_complete(self, store: Store) -> None:
        record = record_after(record_in("unknown"), CandidatesFound(recordings=ROWS), CONFIRMED, ENDED, UNTRANSCRIBED)
        record = attrs.evolve(record, unhandled=("RecordingEnded",))
        await store.create(record)
        kept = await store.get("start-1")
        assert kept == record
        assert _raws(kept) == _raws(record)

    @pytest.mark.parametrize(
        "text", ["", "a\0b", "é 会议 🎙", "'; DROP TABLE recording; --", "lone \ud83d surrogate", "%\\"]
    )
    async def test_any_text_can_be_kept_and_found(self, store: Store, text: str) -> None:
        start_id = f"start {text}"
        answer = ApiResponse(
            api_id=f"api {text}", message=text, answer={"recording_id": f"rec {text}", "n": [1.5, None, text]}
        )
        request = StartRequest(f"room {text}".replace("\ud83d", "?"))
        record = record_after(plan(start_id, request, NOW, dedupe_key=f"key {text}"), answer)
        await store.create(record)
        assert await store.get(start_id) == record
        assert await store.find("api_id", f"api {text}") == record
        assert await store.find("recording_id", f"rec {text}") == record
        assert await store.create(planned("other", dedupe_key=f"key {text}")) == record

    async def test_times_are_kept_to_the_microsecond(self, store: Store) -> None:
        exact = datetime(2026, 3, 1, 12, 0, 0, 123_457, tzinfo=UTC)
        await store.create(attrs.evolve(planned(), due_at=exact))
        assert len(await store.due(exact)) == 1
        assert await store.due(exact - timedelta(microseconds=1)) == []

    async def test_trace_of_the_start_is_kept(self, store: Store) -> None:
        traced = attrs.evolve(planned(), traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        await store.create(traced)
        assert await store.get("start-1") == traced

    async def test_record_is_found_by_the_ids_of_plivo(self, store: Store) -> None:
        record = await store.create(record_in("accepted"))
        assert await store.find("api_id", "api-1") == record
        assert await store.find("recording_id", "rec-1") == record
        assert await store.find("recording_id", "api-1") is None

    async def test_record_is_found_by_its_new_ids_and_not_by_old_ones(self, store: Store) -> None:
        record = await store.create(planned())
        assert await store.find("api_id", "api-1") is None
        record = await changed(store, attrs.evolve(record_in("accepted"), version=record.version))
        assert await store.find("api_id", "api-1") == record
        record = record_after(record, attrs.evolve(ENDED, recording_id="rec-2"))
        assert await store.replace(record)
        assert await store.find("recording_id", "rec-2") == record
        assert await store.find("recording_id", "rec-1") is None

    async def test_first_created_of_several_records_with_one_id_is_found(self, store: Store) -> None:
        first = await store.create(planned("start-9"))
        later = record_in("accepted", "start-1")
        history = tuple(attrs.evolve(entry, at=NOW + SECOND) for entry in later.history)
        await store.create(attrs.evolve(later, history=history))
        first = await changed(store, attrs.evolve(record_in("accepted", "start-9"), version=first.version))
        assert await store.find("api_id", "api-1") == first
        await changed(store, first, due_at=None)
        await store.prune(NOW + SECOND)
        found = await store.find("api_id", "api-1")
        assert found is not None
        assert found.start_id == "start-1"

    async def test_due_records_are_ordered_by_their_time(self, store: Store) -> None:
        for number in (3, 1, 2):
            await store.create(attrs.evolve(planned(f"start-{number}"), due_at=NOW + number * SECOND))
        await store.create(record_in("rejected", "at-rest"))
        assert [record.start_id for record in await store.due(NOW + 2 * SECOND)] == ["start-1", "start-2"]
        assert [record.start_id for record in await store.due(NOW + 9 * SECOND, limit=1)] == ["start-1"]
        assert await store.due(NOW) == []

    async def test_postponed_record_is_due_later(self, store: Store) -> None:
        record = await store.create(attrs.evolve(planned(), due_at=NOW))
        record = await changed(store, record, due_at=NOW + SECOND)
        assert await store.due(NOW) == []
        record = await changed(store, record, due_at=None)
        assert await store.due(NOW + SECOND) == []

    async def test_silent_records_can_be_selected_or_excluded(self, store: Store) -> None:
        for state in STATES:
            await store.create(attrs.evolve(record_in(state, state), due_at=NOW))
        unhandled = attrs.evolve(record_in("unknown", "with a handler to run"), due_at=NOW, unhandled=("ApiResponse",))
        await store.create(unhandled)
        silent = {record.start_id for record in await store.due(NOW, silent=True)}
        assert silent == {"unknown", "unconfirmed", "started", "recorded"}
        others = {record.start_id for record in await store.due(NOW, silent=False)}
        assert others == {*STATES, "with a handler to run"} - silent
        assert {record.start_id for record in await store.due(NOW)} == silent | others
        assert len(await store.due(NOW, silent=True, limit=2)) == 2
        assert await store.due(NOW - SECOND, silent=True) == []

    async def test_selection_follows_a_record_that_becomes_silent_or_not(self, store: Store) -> None:
        record = await store.create(attrs.evolve(record_in("unknown"), due_at=NOW))
        record = await changed(store, record, unhandled=("ApiResponse",))
        assert (await store.due(NOW, silent=True), await store.due(NOW, silent=False)) == ([], [record])
        record = await changed(store, record, unhandled=())
        assert (await store.due(NOW, silent=True), await store.due(NOW, silent=False)) == ([record], [])
        await changed(store, record, due_at=None)
        assert await store.due(NOW) == []


def _raws(record: FollowedRecording | None) -> list[Any]:
    """Return the attributes of a record that are not compared."""
    assert record is not None
    assert record.async_response is not None
    assert record.ended is not None
    assert record.transcription is not None
    rows = [row.raw for row in record.candidates]
    return [record.async_response.answer, record.async_response.raw, record.ended.raw, record.transcription.raw, rows]
