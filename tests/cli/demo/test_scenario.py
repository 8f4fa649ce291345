from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from plivo_record_async.cli.demo.room_status import RoomStatus
from plivo_record_async.cli.demo.scenario import Event, Scenario, open_scenario
from plivo_record_async.client import RecordClient
from plivo_record_async.emulator import Dialect, Emulator
from plivo_record_async.errors import ConfigurationError, NotFoundError, OutcomeUnknownError, RecordingFailedError
from plivo_record_async.serving import open_listener, serving, url_of
from plivo_record_async.stores import MemoryStore
from plivo_record_async.tracker import RecordingTracker


def a() -> RoomStatus:
    return RoomStatus(name="a", mode="async", transcribe=True)


def b() -> RoomStatus:
    return RoomStatus(name="b")


def c() -> RoomStatus:
    return RoomStatus(name="c", mode="async")


@asynccontextmanager
async def opened(plivo: Emulator, *rooms: RoomStatus, served: bool = True, **changes: Any) -> AsyncGenerator[Scenario]:
    """A scenario with an emulator of the test's own."""
    with open_listener("127.0.0.1", 0) as listener:
        async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
            given: dict[str, Any] = {"seconds": 0.02, "callback_timeout": 10, "emulator": plivo} | changes
            scenario = Scenario(client=client, rooms=list(rooms or (a(), b(), c())), **given)
            url = url_of(listener) if served else "http://127.0.0.1:9"
            tracker = RecordingTracker(client, public_url=url, store=MemoryStore(observer=scenario.count_callbacks))
            async with tracker, serving(tracker, listener):
                scenario.tracker = tracker
                yield scenario


async def run(plivo: Emulator, *rooms: RoomStatus, **changes: Any) -> tuple[Scenario, list[Event]]:
    events: list[Event] = []
    async with opened(plivo, *rooms, **changes) as scenario:
        await scenario.run(events.append)
    return scenario, events


def titles(events: list[Event]) -> list[str]:
    return [event["title"] for event in events if event["type"] == "Chapter"]


def whats(room: RoomStatus) -> list[str]:
    return [what for _, what in room.steps]


async def test_recordings_are_started_ended_or_stopped_and_followed_to_their_last_stage() -> None:
    async with Emulator() as plivo:
        scenario, events = await run(plivo)
        recordings = {each["conference_name"]: each for each in plivo.state()["recordings"]}
    assert (scenario.problems, scenario.errors) == ([], [])
    first, *_, last = events
    assert (first["type"], last["type"], last["ok"]) == ("Opened", "Closed", True)
    assert (last["callbacks"], last["executions"]) == (5, 3)
    rooms = scenario.rooms
    assert [set(whats(room)) for room in rooms] == [
        {"accepted", "conference ended", "recorded", "transcribed"},
        {"started", "stopped"},
        {"accepted", "stopped", "recorded"},
    ]
    for room in rooms:
        recording = recordings[room.name]
        assert (room.api_id, room.recording_id) == (recording["api_id"], recording["recording_id"])
        assert room.duration_ms == (None if room.name == "b" else recording["duration_ms"])
    assert (rooms[1].measured_ms or 0) >= 20
    assert [room.transcription for room in rooms] == ["This is what was said in a.", None, None]
    for room in rooms:
        happened = [event for event in events if event["type"] == "Happened" and event["conference_name"] == room.name]
        assert [(event["at"], event["what"]) for event in happened] == room.steps


async def test_without_an_emulator_all_recordings_are_stopped() -> None:
    async with Emulator() as plivo:
        scenario, events = await run(plivo, b(), RoomStatus(name="d"), emulator=None)
    assert scenario.problems == []
    assert (events[-1]["executions"], events[-1]["callbacks"]) == (None, 0)
    assert [whats(room) for room in scenario.rooms] == [["started", "stopped"]] * 2
    assert events[0]["listener"] is None
    assert "ending some of the conferences" not in titles(events)


async def test_recordings_end_at_once_in_a_hurry() -> None:
    async with Emulator() as plivo, opened(plivo, b(), seconds=3600) as scenario:

        def tell(event: Event) -> None:
            if event["type"] == "Happened":
                scenario.end_now.set()

        await asyncio.wait_for(scenario.run(tell), 30)
    assert scenario.problems == []
    assert whats(scenario.rooms[0]) == ["started", "stopped"]


async def test_a_refused_start_is_a_problem_and_is_not_stopped() -> None:
    async with Emulator(strict=True) as plivo:
        scenario, _ = await run(plivo, b())
    assert whats(scenario.rooms[0]) == ["failed"]
    assert [type(error) for error in scenario.errors] == [NotFoundError]
    assert scenario.problems == [f"b: {scenario.errors[0]}"]


async def test_the_conference_of_a_refused_start_is_not_ended() -> None:
    async with Emulator() as plivo:
        plivo.fail_next(404)
        scenario, events = await run(plivo, c())
    assert "ending some of the conferences" in titles(events)
    assert whats(scenario.rooms[0]) == ["failed"]
    assert len(scenario.problems) == 1


async def test_a_start_that_is_refused_by_callback_is_a_problem() -> None:
    async with Emulator(strict=True) as plivo:
        scenario, events = await run(plivo, c(), seconds=0.5, emulator=None)
    assert whats(scenario.rooms[0]) == ["accepted", "failed"]
    assert [type(error) for error in scenario.errors] == [RecordingFailedError]
    assert events[-1]["callbacks"] == 1
    assert [problem.partition(": ")[0] for problem in scenario.problems] == ["c"]


async def test_a_missing_stage_is_a_problem() -> None:
    async with Emulator() as plivo:
        scenario, events = await run(plivo, served=False, callback_timeout=0.1)
    assert scenario.problems == ["a: it was never transcribed", "c: it was never recorded"]
    assert events[-1]["callbacks"] == 0
    assert "gave up waiting after 0.1 s" in titles(events)


async def test_an_unsigned_callback_is_a_problem_and_no_stage() -> None:
    async with Emulator(dialect=Dialect(signatures="none")) as plivo:
        scenario, events = await run(plivo, c(), callback_timeout=0.1)
    assert scenario.problems[-1] == "c: it was never recorded"
    assert events[-1]["callbacks"] == 0
    assert scenario.problems[:-1] == [event["text"] for event in events if event["type"] == "Warned"] != []


async def test_a_start_that_was_executed_twice_is_a_problem() -> None:
    async with Emulator() as plivo, opened(plivo, b()) as scenario:
        await scenario.client.start_recording("b")
        await scenario.run(list[Event]().append)
    assert scenario.problems == ["b: its start was executed 2 times"]


async def test_an_empty_recording_is_a_problem() -> None:
    async with Emulator(dialect=Dialect(numbers="empty")) as plivo:
        scenario, _ = await run(plivo, c())
    assert scenario.problems == ["c: its recording is empty"]


async def test_a_start_whose_outcome_is_unknown_is_stopped_too() -> None:
    methods: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods.append((await reader.readuntil(b"\r\n\r\n")).split()[0])
        status = b"204 No Content" if methods[-1] == b"DELETE" else b"500 Internal Server Error\r\nContent-Length: 0"
        writer.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with RecordClient("MA" + "A" * 18, "token", base_url=f"http://{host}:{port}") as client:
            scenario = Scenario(client=client, rooms=[b()], seconds=0, callback_timeout=0)
            await scenario.run(list[Event]().append)
    assert methods == [b"POST", b"DELETE"]
    assert [type(error) for error in scenario.errors] == [OutcomeUnknownError]
    assert whats(scenario.rooms[0]) == ["failed", "stopped"]
    assert len(scenario.problems) == 1


async def test_a_stop_that_fails_is_a_problem() -> None:
    ends: list[asyncio.Task[None]] = []
    async with Emulator(strict=True) as plivo, opened(plivo, b(), emulator=None, seconds=0.5) as scenario:
        await plivo.open_conference("b")

        def tell(event: Event) -> None:
            if event.get("title") == "recording":
                ends.append(asyncio.create_task(plivo.end_conference("b")))

        await scenario.run(tell)
        await asyncio.gather(*ends)
    assert whats(scenario.rooms[0]) == ["started", "failed"]
    assert [type(error) for error in scenario.errors] == [NotFoundError]


async def test_started_recordings_are_stopped_when_the_scenario_is_cancelled() -> None:
    recording = asyncio.Event()

    def tell(event: Event) -> None:
        if event.get("title") == "recording":
            recording.set()

    async with Emulator() as plivo, opened(plivo, seconds=3600) as scenario:
        running = asyncio.create_task(scenario.run(tell))
        await recording.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        conferences = plivo.state()["conferences"]
        assert conferences == {name: {"executed_starts": 1, "recording": False} for name in "abc"}


# Local and live


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_AUTH_ID", "MA" + "A" * 18)
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", "a-token")
    monkeypatch.setenv("PLIVO_BASE_URL", "http://127.0.0.1:9/")


async def test_the_local_plivo_is_followed_in_both_modes_and_ends_with_the_block() -> None:
    async with open_scenario("abcdef", live=False, public_url=None, port=0, seconds=1.5) as scenario:
        assert [room.mode for room in scenario.rooms] == ["async", "sync", "async", "sync", "async", "async"]
        assert [room.name for room in scenario.rooms if room.transcribe] == ["a", "f"]
        assert scenario.seconds == 1.5
        assert scenario.emulator is not None
        urls = (scenario.emulator.url, scenario.listener)
    async with httpx.AsyncClient(trust_env=False) as http:
        for url in urls:
            with pytest.raises(httpx.ConnectError):
                await http.get(str(url))


@pytest.mark.usefixtures("credentials")
async def test_live_without_a_public_url_is_synchronous() -> None:
    async with open_scenario("ab", live=True, public_url=None, port=1, seconds=5) as scenario:
        assert scenario.client.settings.base_url == "http://127.0.0.1:9"
        assert (scenario.tracker, scenario.emulator) == (None, None)
        assert [(room.name, room.mode, room.transcribe) for room in scenario.rooms] == [
            ("a", "sync", False),
            ("b", "sync", False),
        ]


@pytest.mark.usefixtures("credentials")
async def test_live_with_a_public_url_is_followed_without_transcripts(unused_tcp_port: int) -> None:
    url = "https://me.example/x"
    async with open_scenario(["a b", "c"], live=True, public_url=url, port=unused_tcp_port, seconds=5) as scenario:
        listener = f"http://127.0.0.1:{unused_tcp_port}"
        assert scenario.listener == listener
        assert url in repr(scenario.tracker)
        assert [(room.mode, room.transcribe) for room in scenario.rooms] == [("async", False), ("sync", False)]
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.post(listener)).status_code == 404
            assert (await http.post(f"{listener}/recording")).status_code == 403


@pytest.mark.usefixtures("credentials")
async def test_live_needs_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLIVO_AUTH_TOKEN")
    with pytest.raises(ConfigurationError, match="PLIVO_AUTH_TOKEN"):
        async with open_scenario("a", live=True, public_url=None, port=1, seconds=5):
            pytest.fail("it began without credentials")
