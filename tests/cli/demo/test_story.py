from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from plivo_record_async import _clock
from plivo_record_async.cli.demo.events import Chapter, Closed, Event, Happened, Opened, Refused, Room
from plivo_record_async.cli.demo.listener import Listener
from plivo_record_async.cli.demo.story import Plan, Story
from plivo_record_async.client import RecordClient
from plivo_record_async.emulator import Emulator
from plivo_record_async.errors import NotFoundError, OutcomeUnknownError
from plivo_record_async.protocol.models import ApiResponse, RecordingEnded, UnknownCallback


def ignore(_event: Event) -> None:
    pass


def of_plivo(plivo: Emulator, rooms: tuple[Room, ...], **changes: Any) -> Plan:
    plan = Plan(
        plivo=plivo.url,
        listener=None,
        rooms=rooms,
        seconds=0.02,
        patience=10,
        end_conference=plivo.end_conference,
        executions=plivo.executions,
        answers=True,
    )
    return attrs.evolve(plan, **changes)


@asynccontextmanager
async def client_of(plivo: Emulator) -> AsyncGenerator[RecordClient]:
    async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
        yield client


async def played(
    plivo: Emulator, rooms: tuple[str, ...] = ("a", "b", "c"), *, token: str | None = None, **changes: Any
) -> tuple[Story, list[Event], Closed]:
    """A story of rooms of which all but ``b`` are in asynchronous mode."""
    events: list[Event] = []
    listener = Listener(token or plivo.auth_token)
    given = tuple(Room(name=name, callback_url=listener.issue(name) if name != "b" else None) for name in rooms)
    async with client_of(plivo) as client:
        story = Story(client, of_plivo(plivo, given, **changes), now=_clock.now, tell=events.append)
        async with listener.listening(story.heard, story.refuse):
            return story, events, await story.play()


def whats(room: Room) -> set[str]:
    return {step.what for step in room.steps}


async def test_it_starts_ends_and_stops_and_hears_of_it() -> None:
    async with Emulator() as plivo:
        story, events, closed = await played(plivo, ending=("a",))
        recordings = {each["conference_name"]: each for each in plivo.state()["recordings"]}
    assert closed.problems == ()
    assert (closed.callbacks, closed.executions) == (4, 3)
    assert story.errors == []
    a, b, c = closed.rooms
    assert whats(a) == {"pending", "answered", "conference ended", "recorded"}
    assert whats(b) == {"started", "stopped"}
    assert whats(c) == {"pending", "answered", "stopped", "recorded"}
    for room in closed.rooms:
        assert (room.api_id, room.recording_id) == (
            recordings[room.name]["api_id"],
            recordings[room.name]["recording_id"],
        )
    assert [room.duration_ms for room in (a, c)] == [recordings[name]["duration_ms"] for name in "ac"]
    assert b.duration_ms is None
    assert (b.measured_ms or 0) >= 20
    assert isinstance(events[0], Opened)
    assert events[0].callbacks == 4
    assert events[-1] is closed
    assert [step.at for room in closed.rooms for step in room.steps] == [
        event.step.at
        for room in closed.rooms
        for event in events
        if isinstance(event, Happened) and event.room.name == room.name
    ]


async def test_where_nobody_can_end_conferences_all_are_stopped() -> None:
    async with Emulator() as plivo:
        _, events, closed = await played(plivo, end_conference=None, executions=None, answers=False)
    assert closed.problems == ()
    assert closed.executions is None
    assert all("stopped" in whats(room) for room in closed.rooms)
    assert "ending some of the conferences" not in [event.title for event in events if isinstance(event, Chapter)]


async def test_a_start_that_is_refused_is_a_problem_and_nothing_is_stopped() -> None:
    async with Emulator(strict=True) as plivo:
        story, _, closed = await played(plivo, ("b",), ending=("b",), executions=None)
    assert whats(closed.rooms[0]) == {"failed"}
    assert [type(error) for error in story.errors] == [NotFoundError]
    assert closed.problems == (f"b: {story.errors[0]}",)


async def test_a_callback_that_never_comes_is_missed() -> None:
    async with Emulator() as plivo, client_of(plivo) as client:
        rooms = (Room(name="a", callback_url="http://127.0.0.1:9/"), Room(name="b"))
        story = Story(client, of_plivo(plivo, rooms, patience=0.02), now=_clock.now, tell=ignore)
        closed = await story.play()
    assert closed.problems == ("a: the callback 'answered' never came", "a: the callback 'recorded' never came")


async def test_a_callback_with_a_wrong_signature_is_refused_and_missed() -> None:
    async with Emulator() as plivo:
        _, events, closed = await played(plivo, ("a",), token="another", patience=0.05)
    refused = [event for event in events if isinstance(event, Refused)]
    assert refused
    assert closed.problems[0] == refused[0].error
    assert closed.problems[0].startswith("a callback was refused: ")
    assert "a: the callback 'recorded' never came" in closed.problems
    assert closed.callbacks == 0


async def test_a_start_that_is_executed_twice_is_a_problem() -> None:
    def twice(_name: str) -> int:
        return 2

    async with Emulator() as plivo:
        _, _, closed = await played(plivo, ("b",), executions=twice)
    assert closed.problems == ("b: its start was executed 2 times",)


@pytest.fixture
async def story() -> Story:
    """A story whose client is closed, so that nothing is sent."""
    plan = Plan(plivo="", listener=None, rooms=(Room(name="a", callback_url="http://h/"),), seconds=0, patience=0)
    client = RecordClient("MA" + "A" * 18, "token")
    await client.aclose()
    return Story(client, plan, now=_clock.now, tell=ignore)


async def test_an_unexpected_callback_is_a_problem(story: Story) -> None:
    story.heard("a", UnknownCallback(raw={"x": 1}))
    assert (await story.play()).problems[0].startswith("a: an unexpected callback came: UnknownCallback(")


async def test_an_empty_recording_is_a_problem(story: Story) -> None:
    story.heard("a", RecordingEnded(record_url="http://h/r.mp3", recording_id="r", duration_ms=0))
    assert "a: its recording is empty" in (await story.play()).problems


async def test_a_start_that_is_refused_by_callback_is_a_problem(story: Story) -> None:
    story.heard("a", ApiResponse(api_id="1", error="not found"))
    closed = await story.play()
    assert closed.rooms[0].api_id == "1"
    assert closed.rooms[0].at("failed") is not None


async def test_in_a_place_without_conferences_every_start_fails_in_its_mode() -> None:
    async with Emulator(strict=True) as plivo:
        _, events, closed = await played(plivo, ("a", "b"), seconds=0.2, executions=None)
    happened = {(event.room.name, event.step.what) for event in events if isinstance(event, Happened)}
    assert {("a", "pending"), ("a", "failed"), ("b", "failed")} <= happened
    assert [problem.partition(": ")[0] for problem in closed.problems] == ["a", "b"]


async def test_the_answer_brings_the_recording_s_id(story: Story) -> None:
    story.heard("a", ApiResponse(api_id="1", answer={"recording_id": "r"}))
    assert (await story.play()).rooms[0].recording_id == "r"


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
            plan = Plan(plivo="", listener=None, rooms=(Room(name="a"),), seconds=0, patience=0)
            story = Story(client, plan, now=_clock.now, tell=ignore)
            closed = await story.play()
    assert methods == [b"POST", b"DELETE"]
    assert [type(error) for error in story.errors] == [OutcomeUnknownError]
    assert whats(closed.rooms[0]) == {"failed", "stopped"}
    assert len(closed.problems) == 1


async def test_a_stop_that_fails_is_a_problem() -> None:
    async with Emulator(strict=True) as plivo, client_of(plivo) as client:
        await plivo.open_conference("a")

        async def tell(event: Event) -> None:
            if isinstance(event, Chapter) and event.title == "recording":
                await plivo.end_conference("a")

        told: list[asyncio.Task[None]] = []
        plan = of_plivo(plivo, (Room(name="a"),), end_conference=None)
        story = Story(client, plan, now=_clock.now, tell=lambda event: told.append(asyncio.ensure_future(tell(event))))
        closed = await story.play()
        await asyncio.gather(*told)
    assert whats(closed.rooms[0]) == {"started", "failed"}
    assert [type(error) for error in story.errors] == [NotFoundError]


async def test_what_was_started_is_stopped_when_it_is_interrupted() -> None:
    recording = asyncio.Event()

    def tell(event: Event) -> None:
        if isinstance(event, Chapter) and event.title == "recording":
            recording.set()

    async with Emulator() as plivo, client_of(plivo) as client:
        plan = of_plivo(plivo, (Room(name="a"), Room(name="b")), seconds=3600)
        playing = asyncio.create_task(Story(client, plan, now=_clock.now, tell=tell).play())
        await recording.wait()
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
        assert plivo.state()["conferences"] == {name: {"executed_starts": 1, "recording": False} for name in ("a", "b")}
