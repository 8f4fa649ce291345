from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from plivo_record_async import _clock
from plivo_record_async.cli.demo.events import Chapter, Closed, Event, Happened, Opened, Room, Warned
from plivo_record_async.cli.demo.story import Followed, Plan, Story
from plivo_record_async.client import RecordClient
from plivo_record_async.emulator import Dialect, Emulator
from plivo_record_async.errors import NotFoundError, OutcomeUnknownError, RecordingFailedError
from plivo_record_async.serving import open_listener, serving, url_of
from plivo_record_async.stores import MemoryStore
from plivo_record_async.tracker import RecordingTracker

A, B, C = Room(name="a", mode="async", transcribe=True), Room(name="b"), Room(name="c", mode="async")


def ignore(_event: Event) -> None:
    pass


@asynccontextmanager
async def planned(plivo: Emulator, *rooms: Room, served: bool = True, **changes: Any) -> AsyncGenerator[Plan]:
    store = MemoryStore()
    with open_listener("127.0.0.1", 0) as listening:
        url = url_of(listening) if served else "http://127.0.0.1:9"
        async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
            tracker = RecordingTracker(client, public_url=url, store=store)
            async with tracker, serving(tracker, listening):
                plan = Plan(
                    client=client,
                    followed=Followed(tracker=tracker, store=store, url=url),
                    rooms=rooms or (A, B, C),
                    seconds=0.02,
                    patience=10,
                    end_conference=plivo.end_conference,
                    executions=plivo.executions,
                    callbacks_settled=plivo.callbacks_settled,
                )
                yield attrs.evolve(plan, **changes)


async def played(plivo: Emulator, *rooms: Room, **changes: Any) -> tuple[Story, list[Event], Closed]:
    events: list[Event] = []
    async with planned(plivo, *rooms, **changes) as plan:
        story = Story(plan, now=_clock.now, tell=events.append)
        return story, events, await story.play()


async def test_in_a_hurry_it_stops_at_once() -> None:
    hurry = asyncio.Event()
    async with Emulator() as plivo, planned(plivo, B, seconds=3600) as plan:

        def tell(event: Event) -> None:
            if isinstance(event, Happened):
                hurry.set()

        closed = await asyncio.wait_for(Story(plan, now=_clock.now, tell=tell, hurry=hurry).play(), 30)
    assert closed.problems == ()
    assert whats(closed.rooms[0]) == ["started", "stopped"]


def whats(room: Room) -> list[str]:
    return [step.what for step in room.steps]


async def test_it_starts_ends_and_stops_and_follows_each_to_its_last_stage() -> None:
    async with Emulator() as plivo:
        story, events, closed = await played(plivo, ending=("a",))
        recordings = {each["conference_name"]: each for each in plivo.state()["recordings"]}
    assert closed.problems == ()
    assert (closed.callbacks, closed.executions) == (5, 3)
    assert story.errors == []
    a, b, c = closed.rooms
    assert set(whats(a)) == {"accepted", "conference ended", "recorded", "transcribed"}
    assert whats(b) == ["started", "stopped"]
    assert set(whats(c)) == {"accepted", "stopped", "recorded"}
    for room in closed.rooms:
        assert (room.api_id, room.recording_id) == (
            recordings[room.name]["api_id"],
            recordings[room.name]["recording_id"],
        )
    assert [room.duration_ms for room in (a, c)] == [recordings[name]["duration_ms"] for name in "ac"]
    assert [room.transcription for room in closed.rooms] == ["This is what was said in a.", None, None]
    assert b.duration_ms is None
    assert (b.measured_ms or 0) >= 20
    assert isinstance(events[0], Opened)
    assert events[-1] is closed
    assert [step.at for room in closed.rooms for step in room.steps] == [
        event.step.at
        for room in closed.rooms
        for event in events
        if isinstance(event, Happened) and event.room.name == room.name
    ]


async def test_where_nothing_follows_and_nobody_can_end_conferences_all_are_stopped() -> None:
    async with Emulator() as plivo:
        changes = {"followed": None, "end_conference": None, "executions": None, "callbacks_settled": None}
        _, events, closed = await played(plivo, B, Room(name="d"), **changes)
    assert closed.problems == ()
    assert (closed.executions, closed.callbacks) == (None, 0)
    assert [whats(room) for room in closed.rooms] == [["started", "stopped"]] * 2
    assert isinstance(events[0], Opened)
    assert events[0].listener is None
    assert "ending some of the conferences" not in [event.title for event in events if isinstance(event, Chapter)]


async def test_a_start_that_is_refused_is_a_problem_and_nothing_is_stopped() -> None:
    async with Emulator(strict=True) as plivo:
        story, _, closed = await played(plivo, B, ending=("b",), executions=None)
    assert whats(closed.rooms[0]) == ["failed"]
    assert [type(error) for error in story.errors] == [NotFoundError]
    assert closed.problems == (f"b: {story.errors[0]}",)


async def test_a_start_that_is_refused_by_callback_is_a_problem() -> None:
    async with Emulator(strict=True) as plivo:
        story, _, closed = await played(plivo, C, seconds=0.5, executions=None)
    assert whats(closed.rooms[0]) == ["accepted", "failed"]
    assert [type(error) for error in story.errors] == [RecordingFailedError]
    assert closed.callbacks == 1
    assert [problem.partition(": ")[0] for problem in closed.problems] == ["c"]


async def test_a_stage_that_never_comes_is_missed() -> None:
    async with Emulator() as plivo:
        changes = {"served": False, "patience": 0.1, "callbacks_settled": None}
        _, events, closed = await played(plivo, A, B, C, **changes)
    assert closed.problems == ("a: it was never transcribed", "c: it was never recorded")
    assert closed.callbacks == 0
    assert "gave up waiting after 0.1 s" in [event.title for event in events if isinstance(event, Chapter)]


async def test_callbacks_that_are_not_signed_are_no_stages() -> None:
    async with Emulator(dialect=Dialect(signatures="none")) as plivo:
        _, _, closed = await played(plivo, C, patience=0.1)
    assert closed.problems == ("c: it was never recorded",)
    assert closed.callbacks == 0


async def test_a_start_that_is_executed_twice_is_a_problem() -> None:
    def twice(_name: str) -> int:
        return 2

    async with Emulator() as plivo:
        _, _, closed = await played(plivo, B, executions=twice)
    assert closed.problems == ("b: its start was executed 2 times",)


async def test_what_is_logged_is_a_problem() -> None:
    events: list[Event] = []
    async with Emulator() as plivo, planned(plivo, B) as plan:
        story = Story(plan, now=_clock.now, tell=events.append)
        story.warn("a callback was refused")
        closed = await story.play()
    assert isinstance(events[0], Warned)
    assert events[0].text == "a callback was refused"
    assert closed.problems == ("a callback was refused",)


async def test_an_empty_recording_is_a_problem() -> None:
    async with Emulator(dialect=Dialect(numbers="empty")) as plivo:
        _, _, closed = await played(plivo, C)
    assert closed.problems == ("c: its recording is empty",)


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
            plan = Plan(client=client, rooms=(Room(name="a"),), seconds=0, patience=0)
            story = Story(plan, now=_clock.now, tell=ignore)
            closed = await story.play()
    assert methods == [b"POST", b"DELETE"]
    assert [type(error) for error in story.errors] == [OutcomeUnknownError]
    assert whats(closed.rooms[0]) == ["failed", "stopped"]
    assert len(closed.problems) == 1


async def test_a_stop_that_fails_is_a_problem() -> None:
    told: list[asyncio.Task[None]] = []
    async with Emulator(strict=True) as plivo, planned(plivo, B, end_conference=None, seconds=0.5) as plan:
        await plivo.open_conference("b")

        def tell(event: Event) -> None:
            if isinstance(event, Chapter) and event.title == "recording":
                told.append(asyncio.create_task(plivo.end_conference("b")))

        story = Story(plan, now=_clock.now, tell=tell)
        closed = await story.play()
        await asyncio.gather(*told)
    assert whats(closed.rooms[0]) == ["started", "failed"]
    assert [type(error) for error in story.errors] == [NotFoundError]


async def test_what_was_started_is_stopped_when_it_is_interrupted() -> None:
    recording = asyncio.Event()

    def tell(event: Event) -> None:
        if isinstance(event, Chapter) and event.title == "recording":
            recording.set()

    async with Emulator() as plivo, planned(plivo, seconds=3600) as plan:
        playing = asyncio.create_task(Story(plan, now=_clock.now, tell=tell).play())
        await recording.wait()
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
        conferences = plivo.state()["conferences"]
        assert conferences == {name: {"executed_starts": 1, "recording": False} for name in "abc"}
