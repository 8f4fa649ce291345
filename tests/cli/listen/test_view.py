from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime

import pytest
from rich.console import Console

from plivo_record_async.cli.listen.events import ListenEvent, LogLine, Ready, ReceivedCallback
from plivo_record_async.cli.listen.view import LiveTable, view
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.protocol.models import ApiResponse, RecordingEnded, RecordingStatus

AT = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)
STATUS = RecordingStatus(start_id="s", conference_name="a\x1bb", state="recorded", updated_at=AT)
ENDED = RecordingEnded(record_url="http://h/r.mp3", recording_id="r\x1b", duration_ms=1500)
EVENTS: list[ListenEvent] = [
    Ready(url="http://l", public_url="https://p", db="r.db"),
    ReceivedCallback(received_at=AT, event=ENDED, status=STATUS),
    ReceivedCallback(received_at=AT, event=ApiResponse(api_id="i", error="not found")),
    LogLine("a message\nof the log"),
    "a callback\nwas refused",
]


def show_events(printer: Printer) -> None:
    with view(printer) as show:
        for event in EVENTS:
            show(event)


def test_plain_output_has_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    show_events(Printer(as_json=False))
    out, err = capsys.readouterr()
    assert out == (
        "ready http://l\n"
        "2026-01-02T03:04:05+00:00  recorded     a\\x1bb  recorded  start_id=s  recording_id=r\\x1b"
        "  1.50 s  http://h/r.mp3\n"
        "2026-01-02T03:04:05+00:00  failed       -  not followed  api_id=i  not found\n"
    )
    assert err == "a message\\nof the log\nerror: a callback\\nwas refused\n"


def test_json_output_is_one_object_on_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_events(Printer(as_json=True))
    out, err = capsys.readouterr()
    ready, ended, answered = map(json.loads, out.splitlines())
    assert ready == {"type": "Ready", "url": "http://l", "public_url": "https://p", "db": "r.db"}
    assert (ended["type"], ended["received_at"], ended["conference_name"]) == (
        "RecordingEnded",
        AT.isoformat(),
        "a\x1bb",
    )
    assert (answered["type"], answered["start_id"]) == ("ApiResponse", None)
    note, warning = map(json.loads, err.splitlines())
    assert (note["note"], warning["error"]) == ("a message\nof the log", "a callback\nwas refused")


def shown(*events: ListenEvent, width: int = 100, height: int = 20) -> list[str]:
    """Return the lines that a terminal shows at the end."""
    file = io.StringIO()
    with LiveTable(Console(file=file, width=width, height=height, force_terminal=True, color_system=None)) as show:
        for event in events:
            show(event)
    last = file.getvalue().rpartition("\x1b[2K")[2]
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", last).splitlines()]


def test_terminal_shows_the_latest_callbacks_at_the_end() -> None:
    screen = shown(*EVENTS)
    assert any(
        re.search(r"\d\d:\d\d:05 +recorded +a\\x1bb +recorded +r\\x1b +1\.50 s  http://h/r\.mp3", e) for e in screen
    )
    assert any(re.search(r"failed +- +not followed +- +not found", each) for each in screen)
    assert "callbacks: 2; press Ctrl-C to end" in screen


def test_full_terminal_shows_the_last_callbacks() -> None:
    many = [
        ReceivedCallback(received_at=AT, event=ApiResponse(api_id="i", message=f"message {number}"))
        for number in range(50)
    ]
    screen = "\n".join(shown(*many, height=16))
    assert "message 49" in screen
    assert "message 39" in screen
    assert "message 38" not in screen
    assert "callbacks: 50;" in screen


def test_only_text_that_is_too_long_for_the_terminal_is_cut_off() -> None:
    wide = ReceivedCallback(received_at=AT, event=RecordingEnded(record_url="x" * 300, recording_id="y" * 36))
    screen = shown(wide, width=80)
    assert max(map(len, screen)) <= 80
    (row,) = [line.split() for line in screen if "recorded" in line]
    assert row[1:] == ["recorded", "-", "not", "followed", "yyyyyyyy…", "x" * (len(row[-1]) - 1) + "…"]
    assert re.fullmatch(r"\d\d:\d\d:05", row[0])


@pytest.mark.parametrize(
    ("environment", "live"),
    [({"TTY_COMPATIBLE": "1", "TERM": "xterm"}, True), ({"TTY_COMPATIBLE": "1", "TERM": "dumb"}, False), ({}, False)],
)
def test_table_is_live_only_in_a_terminal(
    environment: dict[str, str], live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TTY_COMPATIBLE", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert isinstance(view(Printer(as_json=False)), LiveTable) is live
    assert not isinstance(view(Printer(as_json=True)), LiveTable)
