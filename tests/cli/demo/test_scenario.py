from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import pytest

from plivo_record_async.cli.demo.scenario import DemoConference, Event, Scenario
from plivo_record_async.cli.signals import EndSignal
from plivo_record_async.emulator import Dialect, Emulator
from plivo_record_async.errors import ConfigurationError, NotFoundError, OutcomeUnknownError, RecordingFailedError
from tests.support.programs.cli_process import AUTH_ID, AUTH_TOKEN, serve_answers


def account(*, strict: bool = False) -> Emulator:
    return Emulator(auth_id=AUTH_ID, auth_token=AUTH_TOKEN, strict=strict)


def conferences(names: str) -> list[DemoConference]:
    """Three kinds of conferences: a has a transcript, b is synchronous, and c is only followed."""
    modes: dict[str, Any] = {"a": {"mode": "async", "transcribe": True}, "b": {}, "c": {"mode": "async"}}
    return [DemoConference(conference_name=name, **modes[name]) for name in names]


async def run(
    names: str, emulator: Emulator | None, react: Callable[[Scenario, Event], None] = lambda *_: None, **changes: Any
) -> tuple[Scenario, list[Event]]:
    """Run a scenario; ``react`` is called with each event."""
    events: list[Event] = []

    def show(event: Event) -> None:
        events.append(event)
        react(scenario, event)

    run_with = {name: changes.pop(name) for name in ("public_url", "port") if name in changes}
    given: dict[str, Any] = {"seconds": 0.02, "callback_timeout": 10, "ended": EndSignal()} | changes
    scenario = Scenario(conferences=conferences(names), emulator=emulator, show=show, **given)
    await asyncio.wait_for(scenario.run(**run_with), 30)
    return scenario, events


def titles(events: list[Event]) -> list[str]:
    return [event["title"] for event in events if event["type"] == "Chapter"]


def steps(scenario: Scenario) -> list[list[str]]:
    return [[step["what"] for step in conference.steps] for conference in scenario.conferences]


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put an account with this address into the environment."""

    def live(base_url: str) -> None:
        for name, value in {"AUTH_ID": AUTH_ID, "AUTH_TOKEN": AUTH_TOKEN, "BASE_URL": base_url}.items():
            monkeypatch.setenv(f"PLIVO_{name}", value)

    return live


async def test_recordings_are_started_ended_or_stopped_and_followed_to_their_last_stage() -> None:
    plivo = Emulator()
    scenario, events = await run("abc", plivo)
    recordings = {each["conference_name"]: each for each in plivo.state()["recordings"]}
    assert (scenario.problems, scenario.errors) == ([], [])
    first, *_, last = events
    assert (first["type"], last["type"], last["ok"]) == ("Opened", "Closed", True)
    assert (last["callbacks"], last["executions"]) == (5, 3)
    assert [sorted(each) for each in steps(scenario)] == [
        ["accepted", "conference ended", "recorded", "transcribed"],
        ["started", "stopped"],
        ["accepted", "recorded", "stopped"],
    ]
    for conference in scenario.conferences:
        recording = recordings[conference.conference_name]
        assert (conference.api_id, conference.recording_id) == (recording["api_id"], recording["recording_id"])
        assert conference.duration_ms == (None if conference.mode == "sync" else recording["duration_ms"])
        assert (conference.measured_ms or 0) >= 20
        happened = [event for event in events if event.get("conference_name") == conference.conference_name]
        assert [{"at": event["at"], "what": event["what"]} for event in happened] == conference.steps
    transcripts = [conference.transcription for conference in scenario.conferences]
    assert transcripts == ["This is what was said in a.", None, None]


@pytest.mark.parametrize(
    ("plivo", "name", "changes", "happened", "problem"),
    [
        (Emulator(strict=True), "b", {}, ["failed"], "b: start of 'b': Plivo answered 404"),
        (Emulator(), "c", {"public_url": "http://127.0.0.1:9"}, None, "c: it was never recorded"),
        (Emulator(dialect=Dialect(signatures="none")), "c", {}, None, "a callback was rejected with 403"),
        (Emulator(dialect=Dialect(numbers="empty")), "c", {}, None, "c: its recording is empty"),
    ],
)
async def test_problem_is_reported(
    plivo: Emulator, name: str, changes: dict[str, Any], happened: list[str] | None, problem: str
) -> None:
    scenario, events = await run(name, plivo, callback_timeout=0.2, **changes)
    assert scenario.problems[0].startswith(problem)
    assert (events[-1]["ok"], events[-1]["problems"]) == (False, scenario.problems)
    if happened is not None:
        assert steps(scenario) == [happened]


async def test_conference_of_a_refused_start_is_not_ended() -> None:
    plivo = Emulator()

    def refuse(_: Scenario, event: Event) -> None:
        if event["type"] == "Opened":
            plivo.fail_next(404)

    scenario, events = await run("c", plivo, refuse)
    assert "ending some of the conferences" in titles(events)
    assert (steps(scenario), len(scenario.problems)) == ([["failed"]], 1)


async def test_missing_callback_ends_the_wait() -> None:
    scenario, events = await run("ac", Emulator(), callback_timeout=0.1, public_url="http://127.0.0.1:9")
    assert scenario.problems == ["a: it was never transcribed", "c: it was never recorded"]
    assert titles(events)[-1] == "gave up waiting after 0.1 s"


async def test_start_that_was_executed_twice_is_a_problem() -> None:
    scenario, _ = await run("bb", Emulator())
    assert scenario.problems.count("b: its start was executed 2 times") == 2


async def test_without_an_emulator_the_account_of_the_environment_is_used(
    live: Callable[[str], None], unused_tcp_port: int
) -> None:
    async with account() as plivo:
        live(plivo.url)
        scenario, events = await run("bc", None, port=unused_tcp_port, public_url=f"http://127.0.0.1:{unused_tcp_port}")
        assert not any(each["recording"] for each in plivo.state()["conferences"].values())
    assert (scenario.problems, scenario.callbacks) == ([], 2)
    assert (events[0]["plivo"], events[0]["listener"]) == (plivo.url, f"http://127.0.0.1:{unused_tcp_port}")
    assert events[-1]["executions"] is None
    assert "ending some of the conferences" not in titles(events)


async def test_synchronous_starts_need_no_tracker(live: Callable[[str], None]) -> None:
    async with account() as plivo:
        live(plivo.url)
        scenario, events = await run("b", None)
    assert (scenario.problems, steps(scenario), events[0]["listener"]) == ([], [["started", "stopped"]], None)


async def test_credentials_are_needed(live: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    live("http://127.0.0.1:9")
    monkeypatch.delenv("PLIVO_AUTH_TOKEN")
    with pytest.raises(ConfigurationError, match="PLIVO_AUTH_TOKEN"):
        await run("b", None)


async def test_start_that_is_refused_by_callback_is_a_problem_and_is_not_stopped(
    live: Callable[[str], None],
) -> None:
    async with account(strict=True) as plivo:
        live(plivo.url)
        scenario, _ = await run("c", None, seconds=0.5)
    assert steps(scenario) == [["accepted", "failed"]]
    assert [type(error) for error in scenario.errors] == [RecordingFailedError]


async def test_start_whose_outcome_is_unknown_is_stopped(live: Callable[[str], None]) -> None:
    statuses = iter([b"500 Internal Server Error", b"204 No Content"])

    async def answer(_: str) -> bytes:
        return next(statuses)

    async with serve_answers(answer) as url:
        live(url)
        scenario, _ = await run("b", None)
    assert [type(error) for error in scenario.errors] == [OutcomeUnknownError]
    assert steps(scenario) == [["failed", "stopped"]]
    assert len(scenario.problems) == 1


async def test_stop_that_fails_is_a_problem(live: Callable[[str], None]) -> None:
    statuses = iter([b"200 OK", b"404 Not Found"])

    async def answer(_: str) -> bytes:
        return next(statuses)

    async with serve_answers(answer) as url:
        live(url)
        scenario, _ = await run("b", None)
    assert isinstance(scenario.errors[-1], NotFoundError)


async def test_first_signal_stops_the_recordings_before_their_time() -> None:
    def interrupt(scenario: Scenario, event: Event) -> None:
        if event.get("title") == "recording":
            scenario.ended.receive(signal.SIGINT)

    scenario, events = await run("abc", Emulator(), interrupt, seconds=3600)
    assert scenario.problems == []
    assert all("stopped" in each for each in steps(scenario))
    assert "ending some of the conferences" not in titles(events)


async def test_local_plivo_may_run_until_a_signal_arrives() -> None:
    def interrupt(scenario: Scenario, event: Event) -> None:
        if event["type"] == "Closed":
            asyncio.get_running_loop().call_soon(scenario.ended.receive, signal.SIGINT)

    scenario, events = await run("b", Emulator(), interrupt, keep_open=True)
    assert (scenario.ended_early, scenario.ended.is_set(), events[-1]["ok"]) == (False, True, True)


async def test_second_signal_ends_the_scenario_at_once(live: Callable[[str], None]) -> None:
    def interrupt(scenario: Scenario, event: Event) -> None:
        if event.get("title") == "waiting for what is still to come":
            for _ in range(2):
                scenario.ended.receive(signal.SIGINT)

    async with account() as plivo:
        live(plivo.url)
        scenario, events = await run("bc", None, interrupt, callback_timeout=3600, public_url="http://127.0.0.1:9")
    assert scenario.problems == ["c: it was never recorded"]
    assert events[-1]["type"] == "Closed"


async def test_recordings_are_stopped_when_the_scenario_is_cancelled() -> None:
    plivo, recording = Emulator(), asyncio.Event()

    def note(_: Scenario, event: Event) -> None:
        if event.get("title") == "recording":
            recording.set()

    running = asyncio.create_task(run("abc", plivo, note, seconds=3600))
    await recording.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    conferences = plivo.state()["conferences"]
    assert conferences == {name: {"executed_starts": 1, "recording": False} for name in "abc"}
