"""Reconciliation: requests for lists and conferences, the conclusions from them, and their rate."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import attrs
import httpx
import pytest

from plivo_record_async import MemoryStore, RateLimit, ServerError, _clock
from plivo_record_async.protocol.api.endpoints import get_recording, get_transcription, list_recordings
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.clocks import PlivoClock, Reading
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    ConferenceGone,
    NothingFound,
    RecordingFound,
    StartOutcomeUnknown,
)
from plivo_record_async.protocol.recording.lifecycle import apply, begin_sending
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.tracking.reconciling.reconciler import Reconciler
from plivo_record_async.transport.quota import Quota, SharedRateLimit
from tests.support import virtual_time
from tests.support.samples.recordings import NOW, REQUEST, ROW, SECOND, record_after, recording
from tests.support.tracker.scripted_plivo import ScriptedPlivo, listed

UNKNOWN = recording("unknown")


def at(moment: datetime) -> Reading:
    """Return the clock readings in a run of the program that sent nothing."""
    return Reading(wall=moment, steady=0.0, run="another run")


async def reconciled(
    plivo: ScriptedPlivo,
    record: FollowedRecording = UNKNOWN,
    store: MemoryStore | None = None,
    *,
    now: datetime | None = NOW,
) -> Any:
    """Reconcile a record; return the evidence. If ``now`` is None, the real clocks are read."""
    async with plivo.client() as client:
        read = _clock.read if now is None else lambda: at(now)
        return await Reconciler(client, store or MemoryStore(), read=read).reconcile(record, DEFAULT_TRACKING)


def id_of(evidence: Any) -> str | None:
    assert isinstance(evidence, RecordingFound), evidence
    return evidence.recording.recording_id


async def test_single_row_in_the_start_window_is_the_recording() -> None:
    plivo = ScriptedPlivo()
    plivo.rows = [
        listed("rec-1"),
        listed("later", at=NOW + timedelta(hours=1)),
        listed("elsewhere", conference_name="another"),
    ]
    assert id_of(await reconciled(plivo)) == "rec-1"
    assert plivo.queries == ["Recording/"]


async def test_list_is_requested_from_the_beginning_of_the_sending() -> None:
    plivo = ScriptedPlivo()
    await reconciled(plivo)
    asked = plivo.requests[0].url.params
    assert asked["conference_name"] == "standup"
    assert asked["add_time__gte"].startswith("2026-02-28 11:58:30")


async def test_two_rows_are_both_reported() -> None:
    plivo = ScriptedPlivo()
    plivo.rows = [listed("rec-1"), listed("rec-2")]
    match await reconciled(plivo):
        case CandidatesFound(recordings=rows):
            assert [row.recording_id for row in rows] == ["rec-1", "rec-2"]
        case other:
            pytest.fail(f"{other}")


# Whose a row is


async def test_row_of_another_start_does_not_count() -> None:
    plivo, store = ScriptedPlivo(), MemoryStore()
    await store.create(recording("recorded", "another start"))  # it has rec-1
    plivo.rows = [listed("rec-1"), listed("rec-2")]
    assert id_of(await reconciled(plivo, store=store)) == "rec-2"


async def test_row_with_the_known_id_is_the_recording() -> None:
    plivo, store = ScriptedPlivo(), MemoryStore()
    record = await store.create(recording("started"))
    plivo.rows = [listed("rec-1"), listed("rec-2")]
    assert id_of(await reconciled(plivo, record, store)) == "rec-1"


GONE = attrs.evolve(UNKNOWN, gone_at=NOW - timedelta(hours=1))
"""Nothing is left to wait for: without a row that may be the recording, it is absent."""


@pytest.mark.parametrize("seconds", [0, 3_600])
async def test_row_by_which_another_start_was_only_matched_leaves_the_start_unknown(seconds: float) -> None:
    plivo, store = ScriptedPlivo(), MemoryStore()
    plivo.live = False
    plivo.rows = [listed("rec-1", at=NOW + seconds * SECOND)]
    sibling = await store.create(record_after(recording("unknown", "another start"), RecordingFound(recording=ROW)))
    assert sibling.recording_id == "rec-1"
    assert await reconciled(plivo, GONE, store) is None
    plivo.rows = []
    assert await reconciled(plivo, GONE, store) == NothingFound()


async def test_row_near_the_start_window_of_another_start_leaves_no_doubt() -> None:
    plivo, store = ScriptedPlivo(), MemoryStore()
    plivo.live = False
    plivo.rows = [listed("rec-1", at=NOW + timedelta(hours=1))]
    assert await reconciled(plivo, GONE, store) is None
    await store.create(recording("recorded", "another start"))
    assert await reconciled(plivo, GONE, store) == NothingFound()


# Known by its id


async def test_recording_with_a_known_id_is_requested_by_it_whatever_the_times() -> None:
    plivo = ScriptedPlivo()
    plivo.rows = [listed("rec-0"), listed("rec-1", at=NOW + timedelta(days=2), conference_name="another")]
    assert id_of(await reconciled(plivo, recording("unconfirmed"))) == "rec-1"
    assert plivo.queries == ["Recording/rec-1/"]


async def test_recording_that_is_not_found_by_its_id_is_found_by_its_url() -> None:
    plivo = ScriptedPlivo()
    record = recording("unconfirmed")
    plivo.rows = [listed("another id", recording_url=record.record_url)]
    assert id_of(await reconciled(plivo, record)) == "another id"
    plivo.rows = []
    assert await reconciled(plivo, attrs.evolve(record, gone_at=GONE.gone_at)) is None
    assert plivo.queries == ["Recording/rec-1/", "Recording/"] * 2


# Nothing there


async def test_missing_row_is_no_evidence_while_the_conference_is_live() -> None:
    plivo = ScriptedPlivo()
    assert await reconciled(plivo) is None
    assert plivo.queries == ["Recording/", "Conference/standup/"]


async def test_start_without_row_and_conference_is_absent_after_the_grace_period() -> None:
    plivo = ScriptedPlivo()
    plivo.live = False
    assert await reconciled(plivo) == ConferenceGone(at=NOW)
    gone = attrs.evolve(UNKNOWN, gone_at=NOW)
    assert await reconciled(plivo, gone) is None
    assert await reconciled(plivo, gone, now=NOW + DEFAULT_TRACKING.absence_grace) == NothingFound()


@pytest.mark.parametrize(
    "row",
    [
        {"recording_id": None, "conference_name": "standup"},
        {"recording_id": "rec-1", "conference_name": "standup", "add_time": "N/A", "recording_start_ms": "NaN"},
        listed("rec-1", at=NOW + timedelta(hours=1)),
    ],
)
async def test_possible_row_leaves_the_start_unknown(row: dict[str, Any]) -> None:
    plivo = ScriptedPlivo()
    plivo.live = False
    plivo.rows = [row]
    assert await reconciled(plivo, GONE) is None
    assert plivo.queries == ["Recording/"]


async def test_failed_request_proves_nothing() -> None:
    plivo = ScriptedPlivo()
    plivo.broken = True
    with pytest.raises(ServerError):
        await reconciled(plivo)


# The list


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 40, 45])
async def test_every_page_of_the_list_is_read(count: int) -> None:
    plivo = ScriptedPlivo()
    plivo.rows = [listed(f"rec-{number}") for number in range(count)]
    match await reconciled(plivo):
        case CandidatesFound(recordings=rows):
            assert {row.recording_id for row in rows} == {row["recording_id"] for row in plivo.rows}
        case RecordingFound():
            assert count == 1
        case None:
            assert count == 0
        case other:
            pytest.fail(f"{other}")


async def test_endless_list_leaves_the_start_unknown() -> None:
    requests: list[httpx.Request] = []

    async def endless(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        rows = [listed(f"rec-{len(requests)}-{number}", "another") for number in range(20)]
        return httpx.Response(200, json={"objects": rows, "meta": {"next": f"?offset={20 * len(requests)}"}})

    async with ScriptedPlivo().client(transport=httpx.MockTransport(endless)) as client:
        reconciler = Reconciler(client, MemoryStore(), read=lambda: at(NOW))
        assert await reconciler.reconcile(GONE, DEFAULT_TRACKING) is None
    assert len(requests) == 50


async def test_list_that_repeats_its_first_page_leaves_the_start_unknown() -> None:
    requests: list[httpx.Request] = []

    async def repeats(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        rows = [listed(f"rec-{number}", "another") for number in range(20)]
        return httpx.Response(200, json={"objects": rows, "meta": {"total_count": 45}})

    async with ScriptedPlivo().client(transport=httpx.MockTransport(repeats)) as client:
        reconciler = Reconciler(client, MemoryStore(), read=lambda: at(NOW))
        assert await reconciler.reconcile(GONE, DEFAULT_TRACKING) is None
    assert len(requests) == 2


# Clocks


def sent(wrong: float) -> FollowedRecording:
    """Return a start that was sent just now without a response, while the clock was wrong by this many seconds."""
    clocks = _clock.read()
    now = clocks.wall + wrong * SECOND
    record = begin_sending("start-1", REQUEST, now, sending=PlivoClock().sending(clocks, within=30))
    unknown, _ = apply(record, StartOutcomeUnknown(description="timeout"), now + SECOND)
    return unknown


@pytest.mark.parametrize("wrong", [0, 60, -60, 86_400, -86_400])
@pytest.mark.parametrize("then", [0, 120, -120])
async def test_recording_is_found_although_the_local_clock_was_wrong_and_was_set(wrong: float, then: float) -> None:
    """The clock was ``then`` seconds further ahead when the start was sent than it is now."""
    plivo = ScriptedPlivo()
    plivo.ahead = -wrong * SECOND
    plivo.rows = [listed("rec-1", at=_clock.now() - wrong * SECOND)]
    record = sent(then)
    async with plivo.client() as client:
        reconciler = Reconciler(client, MemoryStore())
        first = await reconciler.reconcile(record, DEFAULT_TRACKING)
        assert id_of(first or await reconciler.reconcile(record, DEFAULT_TRACKING)) == "rec-1"


@pytest.mark.parametrize("wrong", [0, 60, -60, 3_600])
async def test_end_of_a_conference_is_dated_by_plivos_clock(wrong: float) -> None:
    plivo = ScriptedPlivo()
    plivo.live = False
    plivo.ahead = -wrong * SECOND
    evidence = await reconciled(plivo, sent(0), now=None)
    assert isinstance(evidence, ConferenceGone)
    assert evidence.at is not None
    assert abs(evidence.at - (_clock.now() - wrong * SECOND)) < 3 * SECOND


# A tenth of the quota


def request_times(
    rate_limit: RateLimit | SharedRateLimit | None,
    reconciliations: int,
    rows: int = 1,
    *,
    answer: httpx.Response | None = None,
) -> list[float]:
    """Return the times at which the requests are sent if many are made at once."""
    times: list[float] = []

    async def asking() -> None:
        plivo = ScriptedPlivo()
        plivo.rows = [listed(f"rec-{number}") for number in range(rows)]
        loop = asyncio.get_running_loop()

        async def noted(request: httpx.Request) -> httpx.Response:
            times.append(loop.time())
            return answer or await plivo(request)

        async with plivo.client(
            rate_limit=rate_limit, transport=httpx.MockTransport(noted), max_retries=5, timeout=600
        ) as client:
            reconciler = Reconciler(client, MemoryStore(), read=lambda: at(NOW))
            await asyncio.gather(
                *(reconciler.reconcile(UNKNOWN, DEFAULT_TRACKING) for _ in range(reconciliations)),
                return_exceptions=True,
            )

    virtual_time.run(asking())
    return times


@pytest.mark.parametrize("rows", [1, 45])
def test_reconciliation_uses_a_tenth_of_the_quota(rows: int) -> None:
    times = request_times(RateLimit(300, per=5.0), reconciliations=40, rows=rows)
    assert len(times) == 40 * (rows // 20 + 1)
    for begin_ in times:
        assert sum(begin_ <= time < begin_ + 5.0 for time in times) <= 30
        assert sum(begin_ <= time < begin_ + 2.5 for time in times) <= 15


def test_all_questions_together_use_a_tenth_of_the_quota() -> None:
    """Single recordings, the list of all recordings, and transcripts share one tenth."""
    times: list[float] = []

    async def asking() -> None:
        loop = asyncio.get_running_loop()

        async def noted(_: httpx.Request) -> httpx.Response:
            times.append(loop.time())
            return httpx.Response(404)

        transport = httpx.MockTransport(noted)
        async with ScriptedPlivo().client(
            rate_limit=RateLimit(300, per=5.0), transport=transport, timeout=600
        ) as client:
            reconciler = Reconciler(client, MemoryStore(), read=lambda: at(NOW))
            requests: list[Request[Any]] = [get_recording("r"), list_recordings(), get_transcription("r")]
            questions = [reconciler.send(request) for request in requests for _ in range(40)]
            questions += [reconciler.reconcile(UNKNOWN, DEFAULT_TRACKING) for _ in range(40)]
            await asyncio.gather(*questions, return_exceptions=True)

    virtual_time.run(asking())
    assert len(times) == 160
    for begin_ in times:
        assert sum(begin_ <= time < begin_ + 5.0 for time in times) <= 30


class QuotaOfThree(Quota):
    """The part of a quota that one of three processes has."""

    @property
    def holders(self) -> int:
        return 3


class SharedByThree(SharedRateLimit):
    """A quota that this process shares with two others."""

    @property
    def limit(self) -> int:
        return 300

    @property
    def per(self) -> float:
        return 5.0

    def quota_of(self, auth_id: str) -> Quota:
        return QuotaOfThree(RateLimit(100, per=self.per))


def test_processes_that_share_a_quota_divide_the_tenth() -> None:
    times = request_times(SharedByThree(), reconciliations=40)
    assert len(times) == 40
    for begin_ in times:
        assert sum(begin_ <= time < begin_ + 15.0 for time in times) <= 30


@pytest.mark.parametrize("status", [429, 500, 503])
def test_repeated_request_waits_for_its_share_of_the_quota(status: int) -> None:
    answer = httpx.Response(status, headers={"Retry-After": "0"})
    assert len(request_times(RateLimit(300, per=5.0), reconciliations=7, answer=answer)) == 7


@pytest.mark.parametrize("limit", [1, 3, 19])
def test_reconciliation_uses_a_tenth_of_a_small_quota(limit: int) -> None:
    times = request_times(RateLimit(limit, per=1.0), reconciliations=4)
    assert times == pytest.approx([number * 10 / limit for number in range(4)], abs=0.1)


def test_reconciliation_without_a_quota_does_not_wait() -> None:
    assert max(request_times(None, reconciliations=100)) == 0
