"""Looking at Plivo: what it lists, whether the conference lives, and how seldom it is asked."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import attrs
import httpx
import pytest

from plivo_record_async import MemoryStore, RateLimit, ServerError
from plivo_record_async._reconciler import Reconciler
from plivo_record_async.interfaces import FollowedRecording
from plivo_record_async.protocol.evidence import CandidatesFound, ConferenceGone, NothingFound, RecordingFound
from plivo_record_async.protocol.followed import DEFAULT_TERMS
from tests import virtual_time
from tests.following import ScriptedPlivo
from tests.protocol.lives import NOW, SECOND, recording

UNKNOWN = recording("unknown")


def listed(recording_id: str, conference_name: str = "standup", at: datetime = NOW) -> dict[str, Any]:
    return {
        "recording_id": recording_id,
        "conference_name": conference_name,
        "recording_url": f"https://f/{recording_id}.mp3",
        "recording_duration_ms": "61000.00000",
        "recording_start_ms": f"{at.timestamp() * 1000:.5f}",
        "recording_end_ms": f"{(at + 61 * SECOND).timestamp() * 1000:.5f}",
        "add_time": "2026-03-01 17:31:01.000000+05:30",
    }


async def looked(plivo: ScriptedPlivo, record: FollowedRecording = UNKNOWN, store: MemoryStore | None = None) -> Any:
    async with plivo.client() as client:
        return await Reconciler(client, store or MemoryStore()).look(record, DEFAULT_TERMS)


async def test_the_one_row_of_the_time_is_the_recording() -> None:
    plivo = ScriptedPlivo()
    plivo.rows = [
        listed("rec-1"),
        listed("later", at=NOW + timedelta(hours=1)),
        listed("elsewhere", conference_name="another"),
    ]
    match await looked(plivo):
        case RecordingFound(recording=row):
            assert (row.recording_id, row.duration_ms) == ("rec-1", 61_000)
        case other:
            pytest.fail(f"{other}")
    assert plivo.looks == ["Recording/"]


async def test_it_asks_for_what_was_added_since_the_sending_began() -> None:
    plivo = ScriptedPlivo()
    await looked(plivo)
    asked = plivo.requests[0].url.params
    assert asked["conference_name"] == "standup"
    assert asked["add_time__gte"].startswith("2026-03-01 11:59:30")


async def test_two_rows_are_both_reported() -> None:
    plivo = ScriptedPlivo()
    plivo.rows = [listed("rec-1"), listed("rec-2")]
    match await looked(plivo):
        case CandidatesFound(recordings=rows):
            assert [row.recording_id for row in rows] == ["rec-1", "rec-2"]
        case other:
            pytest.fail(f"{other}")


async def test_a_row_that_is_known_to_be_another_start_s_does_not_count() -> None:
    plivo, store = ScriptedPlivo(), MemoryStore()
    await store.create(recording("recorded", "another start"))  # it has rec-1
    plivo.rows = [listed("rec-1"), listed("rec-2")]
    match await looked(plivo, store=store):
        case RecordingFound(recording=row):
            assert row.recording_id == "rec-2"
        case other:
            pytest.fail(f"{other}")


async def test_a_row_that_is_known_to_be_its_own_counts() -> None:
    plivo, store = ScriptedPlivo(), MemoryStore()
    record = await store.create(recording("started"))
    plivo.rows = [listed("rec-1"), listed("rec-2")]
    assert isinstance(await looked(plivo, record, store), RecordingFound)


async def test_no_row_says_nothing_while_the_conference_is_live() -> None:
    plivo = ScriptedPlivo()
    assert await looked(plivo) is None
    assert plivo.looks == ["Recording/", "Conference/standup/"]


async def test_no_row_and_no_conference_begin_the_grace_and_then_end_the_doubt() -> None:
    plivo = ScriptedPlivo()
    plivo.live = False
    assert await looked(plivo) == ConferenceGone()
    assert await looked(plivo, attrs.evolve(UNKNOWN, gone_at=NOW)) == NothingFound()


async def test_a_plivo_that_fails_proves_nothing() -> None:
    plivo = ScriptedPlivo()
    plivo.broken = True
    with pytest.raises(ServerError):
        await looked(plivo)


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 40, 45])
async def test_it_reads_every_page(count: int) -> None:
    plivo = ScriptedPlivo()
    plivo.rows = [listed(f"rec-{number}") for number in range(count)]
    match await looked(plivo):
        case CandidatesFound(recordings=rows):
            assert {row.recording_id for row in rows} == {row["recording_id"] for row in plivo.rows}
        case RecordingFound():
            assert count == 1
        case None:
            assert count == 0
        case other:
            pytest.fail(f"{other}")


def times_of_looks(rate_limit: RateLimit | None, looks: int, rows: int = 1) -> list[float]:
    """When each question is asked, where many are to be asked at once."""
    times: list[float] = []

    async def asking() -> None:
        plivo = ScriptedPlivo()
        plivo.rows = [listed(f"rec-{number}") for number in range(rows)]
        loop = asyncio.get_running_loop()

        async def noted(request: httpx.Request) -> httpx.Response:
            times.append(loop.time())
            return await plivo(request)

        async with plivo.client(rate_limit=rate_limit, transport=httpx.MockTransport(noted)) as client:
            reconciler = Reconciler(client, MemoryStore())
            await asyncio.gather(*(reconciler.look(UNKNOWN, DEFAULT_TERMS) for _ in range(looks)))

    virtual_time.run(asking())
    return times


@pytest.mark.parametrize("rows", [1, 45])
def test_a_tenth_of_the_account_s_rate_goes_into_it(rows: int) -> None:
    times = times_of_looks(RateLimit(300, per=5.0), looks=40, rows=rows)
    assert len(times) == 40 * (rows // 20 + 1)
    for begin in times:
        assert sum(begin <= time < begin + 5.0 for time in times) <= 30
    assert times[29] < 1.0  # and that tenth may be used at once


def test_a_small_quota_still_lets_one_through() -> None:
    times = times_of_looks(RateLimit(3, per=1.0), looks=3)
    assert [round(time) for time in times] == [0, 1, 2]


def test_no_quota_means_no_waiting() -> None:
    assert max(times_of_looks(None, looks=100)) == 0
