from __future__ import annotations

import json
from typing import Any

import pytest

from plivo_record_async.cli.demo.events import Chapter, Closed, Event, Happened, Opened, Room, Step, Warned, What
from plivo_record_async.cli.demo.stage import Stage
from plivo_record_async.cli.demo.views import record, view
from plivo_record_async.cli.output import Output

WAITING = Room(name="a\x07", mode="async")
STEPS = (Step(at=0.1, what="accepted"), Step(at=1, what="recorded"))
DONE = Room(name="a\x07", mode="async", api_id="1", recording_id="2", duration_ms=900, steps=STEPS)
STORY: list[Event] = [
    Opened(plivo="http://p", listener="http://l", rooms=(WAITING,)),
    Chapter(at=0, title="starting"),
    Happened(step=STEPS[1], room=DONE),
    Warned(at=1.5, text="a forged\ncallback"),
    Closed(at=2, rooms=(DONE,), callbacks=1, executions=1, problems=()),
]


def told(output: Output, events: list[Event], capsys: pytest.CaptureFixture[str]) -> str:
    with view(output) as tell:
        for event in events:
            tell(event)
    return capsys.readouterr().out


def test_json_is_one_object_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    printed = told(Output(as_json=True), STORY, capsys).splitlines()
    assert [json.loads(line) for line in printed] == [json.loads(json.dumps(record(event))) for event in STORY]
    assert [json.loads(line)["type"] for line in printed] == ["Opened", "Chapter", "Happened", "Warned", "Closed"]


def test_the_record_of_what_happened_has_what_is_known_of_the_room() -> None:
    assert record(STORY[2]) == {
        "type": "Happened",
        "at": 1,
        "what": "recorded",
        "room": "a\x07",
        "mode": "async",
        "transcribe": False,
        "api_id": "1",
        "recording_id": "2",
        "duration_ms": 900,
        "transcription": None,
        "error": None,
    }


def test_the_last_record_has_everything() -> None:
    last: dict[str, Any] = record(STORY[-1])
    assert (last["ok"], last["at"], last["callbacks"], last["executions"], last["problems"]) == (True, 2, 1, 1, ())
    (room,) = last["rooms"]
    assert (room["room"], room["duration_ms"], room["measured_ms"]) == ("a\x07", 900, 900)
    assert list(room["steps"]) == [{"at": 0.1, "what": "accepted"}, {"at": 1, "what": "recorded"}]
    assert record(Closed(at=2, rooms=(), callbacks=1, executions=1, problems=("no",)))["ok"] is False


def test_plain_is_lines_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    printed = told(Output(as_json=False), STORY, capsys)
    assert printed == (
        "Plivo at http://p\n"
        "callbacks received at http://l\n"
        "\n"
        "  0.00  starting\n"
        "  1.00  a\\x07  async  recorded: 0.90 s\n"
        "  1.50  a forged\\ncallback\n"
        "\n"
        "room   mode   api_id  recording  duration  accepted  over  recorded  text\n"
        "a\\x07  async  1       2            0.90 s      0.10     -      1.00     -\n"
        "\n"
        "1 of 1 recordings started, 1 starts executed, 1 callbacks verified, no problems, 2.0 s\n"
        "accepted: Plivo took the start; recorded, text: the file, the transcript, by verified callback; in seconds\n"
        "duration: as the callback gave it, or ~ as measured here, from answer to answer\n"
    )


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("started", "started, recording 2\\x07"),
        ("accepted", "accepted, api_id 1\\x07"),
        ("recorded", "recorded: 0.00 s"),
        ("transcribed", "transcribed: what\\nwas said"),
        ("conference ended", "conference ended"),
        ("stopped", "stopped"),
        ("failed", "failed: no\\x07"),
    ],
)
def test_each_step_is_a_line(what: What, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    room = Room(name="a", api_id="1\x07", recording_id="2\x07", transcription="what\nwas said", error="no\x07")
    happened = Happened(step=Step(at=1, what=what), room=room)
    assert told(Output(as_json=False), [happened], capsys) == f"  1.00  a  sync   {line}\n"


def test_plain_says_so_where_there_is_no_listener(capsys: pytest.CaptureFixture[str]) -> None:
    opened = Opened(plivo="http://p", listener=None, rooms=())
    assert told(Output(as_json=False), [opened], capsys) == "Plivo at http://p\nno callbacks received\n"


@pytest.mark.parametrize(
    ("environment", "live"),
    [({"TTY_COMPATIBLE": "1", "TERM": "xterm"}, True), ({"TTY_COMPATIBLE": "1", "TERM": "dumb"}, False), ({}, False)],
)
def test_it_is_live_in_a_terminal_only(
    environment: dict[str, str], live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TTY_COMPATIBLE", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert isinstance(view(Output(as_json=False)), Stage) is live
    assert not isinstance(view(Output(as_json=True)), Stage)
