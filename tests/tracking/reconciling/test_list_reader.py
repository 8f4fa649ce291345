"""Reading Plivo's list: which requests it takes, and which recordings it finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from plivo_record_async import RecordClient, StoreError
from plivo_record_async.protocol.clocks import PlivoClock, Reading
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.protocol.recording.evidence import StartAccepted, StartOutcomeUnknown
from plivo_record_async.protocol.recording.lifecycle import apply, begin_sending
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING
from plivo_record_async.stores.interface import FollowedRecording
from plivo_record_async.tracking.follower import Follower
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.reconciling.list_reader import ListReader
from plivo_record_async.tracking.reconciling.reconciler import Reconciler
from tests.support.samples.recordings import NOW
from tests.support.tracker.flaky_store import FlakyStore
from tests.support.tracker.parts import other_tasks
from tests.support.tracker.scripted_plivo import AUTH_ID, ScriptedPlivo, listed

MINUTE = timedelta(minutes=1)


class ListScenario:
    """A list reader with its clock, its store and its Plivo."""

    def __init__(self, plivo: ScriptedPlivo, client: RecordClient) -> None:
        self.plivo = plivo
        self.store = FlakyStore()
        self.now = NOW
        ledger = Ledger(store=self.store, read=self.clocks)
        reconciler = Reconciler(client, self.store, read=self.clocks, plivo_clock=PlivoClock())
        self.follower = Follower(ledger, reconciler)
        queue = self.follower._session.queue  # pyright: ignore[reportPrivateUsage]
        self.reader = ListReader(ledger, reconciler, queue, self.follower.apply)

    def clocks(self) -> Reading:
        return Reading(wall=self.now, steady=(self.now - NOW).total_seconds(), run="run")

    async def start(
        self,
        start_id: str = "start-1",
        *,
        recording_id: str | None = None,
        url: str | None = None,
        auth_id: str | None = AUTH_ID,
    ) -> FollowedRecording:
        """Keep the record of a start without a callback URL. Without an ID and a URL, its outcome is unknown."""
        record = begin_sending(start_id, StartRequest("standup"), self.now, auth_id=auth_id)
        evidence = (
            StartOutcomeUnknown(description="read timeout")
            if recording_id is None and url is None
            else StartAccepted(description="started", recording_id=recording_id, url=url, confirmed=True)
        )
        return await self.store.create(apply(record, evidence, self.now)[0])

    async def read(self, after: timedelta = MINUTE) -> list[str]:
        """Let time pass, read, and return the paths that were requested."""
        self.now += after
        before = len(self.plivo.queries)
        await self.reader.read()
        while other_tasks():
            await asyncio.wait(other_tasks())
        return self.plivo.queries[before:]

    def added_after(self) -> datetime:
        """The beginning of the window that was requested last."""
        return datetime.fromisoformat(self.plivo.requests[-1].url.params["add_time__gte"] + "+00:00")

    async def states(self) -> dict[str, str]:
        return {record.start_id: record.state for record in await self.store.records()}


@asynccontextmanager
async def scenario() -> AsyncGenerator[ListScenario]:
    plivo = ScriptedPlivo()
    async with plivo.client() as client:
        its = ListScenario(plivo, client)
        yield its
        await its.follower.aclose(grace=2)


async def test_nothing_is_requested_while_no_recording_is_open() -> None:
    async with scenario() as its:
        assert await its.read() == []
        await its.start("foreign", recording_id="rec-1", auth_id="MAYYYYYYYYYYYYYYYYYY")
        assert await its.read() == []


async def test_one_request_finds_the_ends_of_many_recordings() -> None:
    async with scenario() as its:
        for number in range(20):
            await its.start(f"start-{number}", recording_id=f"rec-{number}")
        its.plivo.rows = [listed(f"rec-{number}") for number in range(19)]
        assert await its.read() == ["Recording/"]
        assert list((await its.states()).values()).count("recorded") == 19
        assert (await its.states())["start-19"] == "started"


async def test_list_is_read_once_in_its_interval() -> None:
    async with scenario() as its:
        await its.start(recording_id="rec-1")
        assert await its.read() == ["Recording/"]
        assert await its.read(after=MINUTE / 2) == []
        assert await its.read(after=MINUTE / 2) == ["Recording/"]


async def test_first_reading_begins_before_the_oldest_open_recording_and_the_next_one_shortly_before_it() -> None:
    async with scenario() as its:
        await its.start(recording_id="rec-1")
        its.now += timedelta(hours=5)
        await its.start("start-2", recording_id="rec-2")
        await its.read()
        assert NOW - timedelta(hours=25) < its.added_after() < NOW
        read_at = its.now
        await its.read()
        assert its.added_after() == read_at - DEFAULT_TRACKING.absence_grace


async def test_recording_that_is_listed_late_is_found() -> None:
    async with scenario() as its:
        await its.start(recording_id="rec-1")
        for _ in range(4):
            await its.read()
        its.plivo.rows = [listed("rec-1", at=NOW)]
        await its.read()
        assert await its.states() == {"start-1": "recorded"}


async def test_reading_continues_at_the_page_that_could_not_be_read() -> None:
    async with scenario() as its:
        for number in range(60):
            await its.start(f"start-{number}", recording_id=f"rec-{number}")
        its.plivo.rows = [listed(f"rec-{number}") for number in range(50)]
        hold = its.store.hold("find")
        its.now += MINUTE
        reading = asyncio.create_task(its.reader.read())
        await its.store.called("find")
        its.plivo.broken = True
        hold.set()
        await reading
        assert list((await its.states()).values()).count("recorded") == 20
        assert await its.read() == ["Recording/"]
        its.plivo.broken = False
        assert await its.read() == ["Recording/"] * 2
        assert its.plivo.requests[-1].url.params["offset"] == "40"
        assert list((await its.states()).values()).count("recorded") == 50
        await its.read()
        assert its.added_after() == NOW + MINUTE - DEFAULT_TRACKING.absence_grace


async def test_failure_of_the_store_is_passed_on() -> None:
    async with scenario() as its:
        await its.start(recording_id="rec-1")
        its.plivo.rows = [listed("rec-1")]
        its.store.broken = {"find"}
        with pytest.raises(StoreError):
            await its.read()
        its.store.broken = set()
        await its.read()
        assert await its.states() == {"start-1": "recorded"}


async def test_failure_of_plivo_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with scenario() as its:
        await its.start(recording_id="rec-1")
        its.plivo.broken = True
        await its.read()
    assert "Plivo's list of recordings could not be read" in caplog.text


# Rows without a known ID


async def test_recording_whose_answer_had_only_a_url_is_found_by_the_file() -> None:
    async with scenario() as its:
        await its.start(url="http://s3.amazonaws.com/plivocloud/one.mp3")
        its.plivo.rows = [
            listed("rec-0", recording_url="https://media.plivo.com/v1/Account/MA/Recording/two.mp3"),
            listed("rec-1", recording_url="https://media.plivo.com/v1/Account/MA/Recording/one.mp3"),
        ]
        assert await its.read() == ["Recording/"]
        [record] = await its.store.records()
        assert (record.state, record.recording_id) == ("recorded", "rec-1")


async def test_row_is_not_compared_with_a_recording_of_another_account() -> None:
    async with scenario() as its:
        await its.start(url="https://f/other.mp3")
        await its.start("foreign", url="https://f/one.mp3", auth_id="MAYYYYYYYYYYYYYYYYYY")
        its.plivo.rows = [listed("rec-1", recording_url="https://f/one.mp3")]
        await its.read()
        assert await its.states() == {"start-1": "started", "foreign": "started"}


async def test_two_recordings_in_one_room_at_the_same_time_are_told_apart_by_their_files() -> None:
    async with scenario() as its:
        await its.start("start-1", url="https://f/one.mp3")
        await its.start("start-2", url="https://f/two.mp3")
        its.plivo.rows = [listed("rec-2", recording_url="https://f/two.mp3")]
        await its.read()
        assert await its.states() == {"start-1": "started", "start-2": "recorded"}


async def test_row_of_an_unknown_start_causes_one_question_about_it() -> None:
    async with scenario() as its:
        await its.start()
        its.plivo.rows = [listed("rec-1")]
        assert await its.read() == ["Recording/", "Recording/"]
        assert its.plivo.requests[-1].url.params["conference_name"] == "standup"
        assert await its.states() == {"start-1": "recorded"}


async def test_row_that_matches_no_start_causes_no_further_question() -> None:
    async with scenario() as its:
        await its.start()
        its.plivo.rows = [listed("old", at=NOW - timedelta(days=3)), listed("elsewhere", "retro"), listed("none", "")]
        await its.read()
        for _ in range(3):
            assert await its.read() == ["Recording/"]
        assert await its.states() == {"start-1": "unknown"}


async def test_row_that_arrives_before_the_answer_of_its_start_is_used_afterwards() -> None:
    async with scenario() as its:
        await its.start("another", recording_id="rec-0")
        its.plivo.rows = [listed("rec-1")]
        await its.read()
        await its.start(recording_id="rec-1")
        await its.read()
        assert (await its.states())["start-1"] == "recorded"


async def test_row_that_cannot_be_read_is_left_out() -> None:
    async with scenario() as its:
        await its.start(recording_id="rec-1")
        its.plivo.rows = [
            listed(None),
            listed("rec-1", recording_duration_ms="?", recording_end_ms=[]),
            listed("rec-2"),
        ]
        await its.read()
        assert await its.states() == {"start-1": "started"}
        its.plivo.rows = [listed("rec-1")]
        await its.read()
        assert await its.states() == {"start-1": "recorded"}


async def test_forgotten_start_is_left_out() -> None:
    async with scenario() as its:
        await its.start(recording_id="rec-1")
        await its.start("start-2", recording_id="rec-2")
        its.plivo.rows = [listed("rec-1"), listed("rec-2")]
        hold = its.store.hold("replace")
        its.now += MINUTE
        reading = asyncio.create_task(its.reader.read())
        await its.store.called("replace")
        await its.store.forget("start-1", now=NOW)
        hold.set()
        await reading
        assert await its.states() == {"start-2": "recorded"}


# Few recordings, long list


async def test_few_recordings_are_requested_one_by_one_while_the_list_is_long() -> None:
    async with scenario() as its:
        await its.start(recording_id="rec-1")
        its.plivo.rows = [listed(f"of others {number}", "retro") for number in range(65)]
        assert await its.read() == ["Recording/"] * 4  # from the beginning
        assert await its.read() == ["Recording/"] * 4
        assert (await its.read())[0] == "Recording/rec-1/"
        its.plivo.rows = [listed("rec-1"), *its.plivo.rows]
        assert await its.read() == ["Recording/rec-1/"]
        assert await its.states() == {"start-1": "recorded"}
        assert await its.read() == []
