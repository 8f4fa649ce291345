"""The tracker of a batch, and the command ``batch start`` with it."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import Result

from plivo_record_async.cli.batch.followed.tracking import check_followable, listening_address
from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.items import read_items
from plivo_record_async.emulator import Emulator
from plivo_record_async.protocol.models import StartRequest
from tests.support.programs.cli_process import json_lines
from tests.support.untyped_libraries import miniaudio

Command = Callable[..., Awaitable[Result]]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://me.example/plivo", ("127.0.0.1", 8766)),
        ("http://me.example:80/plivo", ("127.0.0.1", 8766)),
        ("http://127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("http://localhost:9000/plivo", ("localhost", 9000)),
        ("http://127.0.0.1/plivo", ("127.0.0.1", 8766)),
    ],
)
def test_loopback_url_says_where_to_listen(url: str, address: tuple[str, int]) -> None:
    assert listening_address(url) == address


def test_item_that_says_where_callbacks_go_is_refused() -> None:
    check_followable(read_items(StartRequest, b"conference_name,transcribe,transcription_type\na,yes,auto\n"))
    items = read_items(StartRequest, b"conference_name,callback_url\na,\nb,https://me.example\n")
    with pytest.raises(InputError, match="line 3 has a callback_url"):
        check_followable(items)


# The command with a store


STORE = ("--store", "s.db", "--batch", "monday")


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with three rooms in the current directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rooms.csv"
    path.write_text("conference_name,file_format\na,wav\nb,\nc,\n")
    return path


async def test_batch_in_a_store_is_started_once_however_often_it_is_resumed(
    command: Command, plivo: Emulator, rooms: Path
) -> None:
    plivo.faults.on("start", conference="b").status(503, executed=True)
    plivo.faults.on("start", conference="c", times=1).status(404, executed=False)
    words = ("batch", "start", str(rooms), *STORE, "--json", "--failed", "failed.csv")
    first = await command(*words)
    again = await command(*words)
    resumed = await command(*words, "--resume")
    assert (first.exit_code, again.exit_code, resumed.exit_code) == (3, 2, 3)
    assert "the batch 'monday' exists in the store already. Continue it with --resume" in again.stderr
    assert again.stdout == ""
    for ended in (first, resumed):
        *outcomes, summary = json_lines(ended.stdout)
        assert {each["conference_name"]: each["type"] for each in outcomes if each["conference_name"] != "c"} == {
            "a": "RecordingStatus",
            "b": "OutcomeUnknownError",
        }
        assert (summary["done"], summary["failed"], summary["unknown"]) == (1, 1, 1)
        assert all("start_id" in each for each in outcomes if each["conference_name"] == "b")
    assert [plivo.executions(name) for name in "abc"] == [1, 1, 0]
    assert Path("failed.csv").read_text() == "conference_name,file_format\nc,\n"


async def test_resumed_batch_sends_what_was_not_sent(command: Command, plivo: Emulator, rooms: Path) -> None:
    words = ("batch", "start", str(rooms), *STORE, "--json")
    unreachable = await command(*words, "--timeout", "0.5", PLIVO_BASE_URL="http://127.0.0.1:9")
    assert unreachable.exit_code == 1
    resumed = await command(*words, "--resume")
    assert (resumed.exit_code, json_lines(resumed.stdout)[-1]["done"]) == (0, 3)
    assert [plivo.executions(name) for name in "abc"] == [1, 1, 1]


async def test_changed_file_is_refused(command: Command, plivo: Emulator, rooms: Path) -> None:
    words = ("batch", "start", str(rooms), *STORE)
    assert (await command(*words)).exit_code == 0
    rooms.write_text(rooms.read_text() + "d,\n")
    ended = await command(*words, "--resume")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "was begun with another content of the file" in ended.stderr
    assert plivo.executions("d") == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("-", *STORE, "--resume"), "standard input cannot be resumed, because it cannot be read again"),
        (("--store", "s.db"), "--store needs --batch NAME"),
        (("rooms.csv", "--store", "none/s.db", "--batch", "monday"), "check that its directory exists"),
        (("rooms.csv", "--wait", "recorded", "--public-url", "ftp://h"), "public_url"),
        (("rooms.csv", "--store", "rooms.csv", "--batch", "monday"), "it is not an SQLite database"),
        (("rooms.csv", *STORE, "--resume"), "'monday' is not in the store"),
        (("rooms.csv", "--download", "rooms.csv"), "--download"),
        ((".",), "Is a directory"),
    ],
)
async def test_batch_that_cannot_begin_is_refused_before_anything_is_sent(
    command: Command, plivo: Emulator, rooms: Path, words: tuple[str, ...], reason: str
) -> None:
    ended = await command("batch", "start", *words, stdin=b"a\n")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert reason in ended.stderr
    assert plivo.requests == []


async def test_item_that_does_not_fit_is_refused(command: Command, plivo: Emulator) -> None:
    ended = await command("batch", "start", stdin=b"conference_name,transcribe\na,true\n")
    assert (ended.exit_code, plivo.requests) == (2, [])
    assert "standard input: line 2 requests a transcript" in ended.stderr
    ended = await command("batch", "start", "--wait", "recorded", stdin=b"conference_name,callback_url\na,http://h\n")
    assert (ended.exit_code, plivo.requests) == (2, [])
    assert "standard input: line 2 has a callback_url" in ended.stderr


async def test_batch_waits_and_downloads_files_that_can_be_played(
    command: Command, plivo: Emulator, rooms: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = ("--public-url", f"http://127.0.0.1:{port}/plivo")
    task = asyncio.ensure_future(command("batch", "start", str(rooms), "--download", "files", "--json", *url))
    while len(plivo.state()["conferences"]) < 3:
        await asyncio.sleep(0.01)
    for name in "abc":
        await plivo.end_conference(name)
    ended = await task
    *outcomes, summary = json_lines(ended.stdout)
    assert (ended.exit_code, summary["done"]) == (0, 3), ended.stderr
    assert {each["state"] for each in outcomes} == {"recorded"}
    for outcome in outcomes:
        assert miniaudio.decode_file(outcome["path"]).num_frames >= 0
        suffix = "wav" if outcome["conference_name"] == "a" else "mp3"
        assert outcome["path"] == f"files/{outcome['conference_name']}-{outcome['start_id']}.{suffix}"


async def test_store_that_fails_ends_the_batch(command: Command, plivo: Emulator, rooms: Path) -> None:
    rooms.write_text("conference_name\n" + "".join(f"room-{number}\n" for number in range(500)))
    assert (await command("batch", "start", "-", *STORE, stdin=b"z\n")).exit_code == 0
    locked = sqlite3.connect("s.db", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    ended = await command("batch", "start", str(rooms), "--store", "s.db", "--batch", "friday", "--json")
    locked.close()
    *_, summary = json_lines(ended.stdout)
    assert ended.exit_code == 1
    assert summary["done"] == 0
    assert summary["not_begun"] > 400
    assert "the batch ended early, because" in ended.stderr
    assert "another process keeps it locked" in ended.stderr
    assert len(plivo.state()["conferences"]) == 1
