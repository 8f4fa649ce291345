from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from blockbuster import BlockBuster

from plivo_record_async.cli.demo.scenario import DemoConference, Scenario
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import EndSignal
from plivo_record_async.emulator import Dialect, Emulator
from tests.support.programs.cli_process import AUTH_ID, AUTH_TOKEN, serve_answers

CONFERENCES: dict[str, dict[str, Any]] = {"a": {"mode": "async", "transcribe": True}, "b": {}, "c": {"mode": "async"}}
"""Three kinds of conferences: a has a transcript, b is synchronous, and c is only followed."""


@pytest.fixture(autouse=True)
def printing_may_block(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()


@attrs.define
class Ran:
    """A scenario and what it has shown. ``react`` is called with the title of a chapter, or the type of an event."""

    scenario: Scenario = attrs.field(init=False)
    react: Callable[[Ran, str], None]
    events: list[dict[str, Any]] = attrs.field(init=False, factory=list[dict[str, Any]])
    lines: list[str] = attrs.field(init=False, factory=list[str])
    code: int = attrs.field(init=False)

    def show(self, event: dict[str, Any], line: str) -> None:
        self.events.append(event)
        self.lines.append(line)
        self.react(self, event.get("title", event["type"]))

    def interrupt(self, times: int = 1) -> None:
        for _ in range(times):
            self.scenario.ended.receive(signal.SIGINT)

    @property
    def steps(self) -> list[list[str]]:
        return [[step["what"] for step in conference.steps] for conference in self.scenario.conferences]

    @property
    def problems(self) -> list[str]:
        closed, problems = self.events[-1], self.events[-1]["problems"]
        assert (closed["type"], closed["ok"]) == ("Closed", not problems)
        return [*problems]


def ignore(_ran: Ran, _line: str) -> None:
    """Do nothing."""


async def run(
    names: str,
    plivo: Emulator | None,
    react: Callable[[Ran, str], None] = ignore,
    public_url: str | None = None,
    **changes: Any,
) -> Ran:
    ran = Ran(react)
    conferences = [DemoConference(conference_name=name, **CONFERENCES[name]) for name in names]
    given: dict[str, Any] = {"seconds": 0.02, "callback_timeout": 10, "ended": EndSignal()} | changes
    ran.scenario = Scenario(
        conferences=conferences, emulator=plivo, show=ran.show, printer=Printer(as_json=False), **given
    )
    ran.code = await asyncio.wait_for(ran.scenario.run(public_url=public_url), 30)
    return ran


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put an account with this address into the environment."""

    def live(base_url: str) -> None:
        for name, value in {"AUTH_ID": AUTH_ID, "AUTH_TOKEN": AUTH_TOKEN, "BASE_URL": base_url}.items():
            monkeypatch.setenv(f"PLIVO_{name}", value)

    return live


async def test_recordings_are_started_ended_or_stopped_and_followed_to_their_last_stage() -> None:
    plivo = Emulator()
    ran = await run("abc", plivo)
    recordings = {each["conference_name"]: each for each in plivo.state()["recordings"]}
    assert (ran.code, ran.problems, ran.events[0]["type"]) == (0, [], "Opened")
    assert (ran.events[-1]["callbacks"], ran.events[-1]["executions"]) == (5, 3)
    assert [sorted(each) for each in ran.steps] == [
        ["accepted", "conference ended", "recorded", "transcribed"],
        ["started", "stopped"],
        ["accepted", "recorded", "stopped"],
    ]
    for conference in ran.scenario.conferences:
        recording = recordings[conference.conference_name]
        assert (conference.api_id, conference.recording_id) == (recording["api_id"], recording["recording_id"])
        assert conference.duration_ms == (None if conference.mode == "sync" else recording["duration_ms"])
        assert (conference.measured_ms or 0) >= 20
        happened = [event for event in ran.events if event.get("conference_name") == conference.conference_name]
        assert [{"at": event["at"], "what": event["what"]} for event in happened] == conference.steps
    a, b, _ = ran.scenario.conferences
    assert {
        f"a  async  accepted, api_id {a.api_id}",
        "a  async  conference ended",
        f"a  async  recorded: {(a.duration_ms or 0) / 1000:.2f} s",
        "a  async  transcribed: This is what was said in a.",
        f"b  sync   started, recording {b.recording_id}",
        "b  sync   stopped",
    } <= set(ran.lines)
    assert ran.lines[-1].startswith("3 of 3 recordings started, 3 starts executed, 5 callbacks verified, no problems, ")


@pytest.mark.parametrize(
    ("plivo", "name", "changes", "problem"),
    [
        (Emulator(strict=True), "b", {}, "b: start of 'b': Plivo answered 404"),
        (Emulator(), "a", {"public_url": "http://127.0.0.1:9"}, "a: it was never transcribed"),
        (Emulator(dialect=Dialect(signatures="none")), "c", {}, "a callback was rejected with 403"),
        (Emulator(dialect=Dialect(numbers="empty")), "c", {}, "c: its recording is empty"),
    ],
)
async def test_problem_is_reported(
    plivo: Emulator, name: str, changes: dict[str, Any], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = await run(name, plivo, callback_timeout=0.2, **changes)
    assert (ran.code, ran.problems[0].startswith(problem)) == (1, True)
    assert capsys.readouterr().err.startswith(f"error: {problem}")
    assert ("gave up waiting after 0.2 s" in ran.lines) is ("never" in problem or "403" in problem)


def executed_twice(_conference_name: str) -> int:
    return 2


async def test_second_execution_of_a_start_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    plivo = Emulator()
    monkeypatch.setattr(plivo, "executions", executed_twice)
    assert (await run("b", plivo)).problems == ["b: its start was executed 2 times"]


@pytest.mark.parametrize(
    ("name", "at", "steps"),
    [("c", "Opened", ["failed"]), ("b", "stopping the recordings that still run", ["started", "failed"])],
)
async def test_conference_of_a_rejected_start_is_neither_ended_nor_stopped_and_a_rejected_stop_is_a_problem(
    name: str, at: str, steps: list[str]
) -> None:
    plivo = Emulator()
    ran = await run(name, plivo, lambda _, seen: plivo.fail_next(404) if seen == at else None)
    assert "ending some of the conferences" in ran.lines
    assert (ran.code, ran.steps, len(ran.problems)) == (1, [steps], 1)


async def test_recording_whose_start_failed_in_a_callback_is_not_stopped(live: Callable[[str], None]) -> None:
    async with Emulator(auth_id=AUTH_ID, auth_token=AUTH_TOKEN, strict=True) as plivo:
        live(plivo.url)
        ran = await run("c", None, seconds=0.5)
    assert (ran.code, ran.steps) == (1, [["accepted", "failed"]])


@pytest.mark.parametrize(("stop", "last"), [(b"204 No Content", "stopped"), (b"404 Not Found", "failed")])
async def test_recording_that_may_run_is_stopped_and_its_first_error_decides(
    stop: bytes, last: str, live: Callable[[str], None]
) -> None:
    statuses = iter([b"500 Internal Server Error", stop])

    async def answer(_: str) -> bytes:
        return next(statuses)

    async with serve_answers(answer) as url:
        live(url)
        ran = await run("b", None)
    assert (ran.code, ran.steps, len(ran.problems)) == (3, [["failed", last]], 1)
    assert ran.lines[0] == f"Plivo at {url}, no callbacks received"


async def test_first_signal_stops_the_recordings_before_their_time() -> None:
    ran = await run("abc", Emulator(), lambda ran, seen: ran.interrupt() if seen == "recording" else None, seconds=3600)
    assert (ran.code, ran.problems) == (130, [])
    assert all("stopped" in each for each in ran.steps)
    assert "ending some of the conferences" not in ran.lines


async def test_second_signal_ends_the_scenario_at_once(live: Callable[[str], None]) -> None:
    def interrupt(ran: Ran, seen: str) -> None:
        if seen == "waiting for what is still to come":
            ran.interrupt(times=2)

    async with Emulator(auth_id=AUTH_ID, auth_token=AUTH_TOKEN) as plivo:
        live(plivo.url)
        ran = await run("bc", None, interrupt, callback_timeout=3600, public_url="http://127.0.0.1:9")
    assert (ran.code, ran.problems) == (130, ["c: it was never recorded"])


async def test_console_is_opened_until_a_signal_arrives_which_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    def interrupt(ran: Ran, seen: str) -> None:
        if seen == "Closed":
            asyncio.get_running_loop().call_soon(ran.interrupt)

    ran = await run("b", Emulator(), interrupt, open_console=True)
    assert (ran.code, ran.scenario.ended.is_set(), opened) == (0, True, [ran.events[0]["plivo"]])
    assert capsys.readouterr().err == f"the console of the local Plivo is at {opened[0]} until you press Ctrl-C\n"


async def test_recordings_are_stopped_when_nothing_more_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Ran, seen: str) -> None:
        if seen == "recording":
            raise OSError("disk full")

    ran = await run("b", Emulator(), fail, seconds=3600)
    assert (ran.code, ran.steps, ran.problems) == (1, [["started", "stopped"]], [])
    assert capsys.readouterr().err == "error: Nothing more can be printed; the recordings are stopped: disk full\n"


async def test_recordings_are_stopped_when_the_scenario_is_cancelled() -> None:
    plivo, recording = Emulator(), asyncio.Event()
    running = asyncio.create_task(
        run("abc", plivo, lambda _, seen: recording.set() if seen == "recording" else None, seconds=3600)
    )
    await recording.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert plivo.state()["conferences"] == {name: {"executed_starts": 1, "recording": False} for name in "abc"}
