from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from fcntl import ioctl
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result

from plivo_record_async.emulator import Emulator

Command = Callable[..., Awaitable[Result]]
DEMO = (sys.executable, "-m", "plivo_record_async", "demo")


def environment(**changes: str) -> dict[str, str]:
    """Return the environment without credentials and without variables that simulate a terminal."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PLIVO_", "FORCE_", "TTY_"))}
    return {**mine, **changes}


@asynccontextmanager
async def demo(*words: str, **changes: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Start the demo in a process group of its own, and check that no process is left at the end."""
    process = await asyncio.create_subprocess_exec(
        *DEMO,
        *words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**changes),
        start_new_session=True,
    )
    try:
        yield process
        await process.wait()
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def nobody_listens(*urls: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        for url in urls:
            with pytest.raises(httpx.ConnectError):
                await http.get(url)
    return True


async def test_demo_shows_recordings_in_plain_lines_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    async with demo(TMPDIR=str(tmp_path)) as process:
        out, err = await process.communicate()
    printed = out.decode()
    assert (process.returncode, err) == (0, b"")
    assert all(line.isprintable() for line in printed.splitlines())
    assert "25 of 25 recordings started, 25 starts executed, 35 callbacks verified, no problems, " in printed
    table = [line.split() for line in printed.splitlines() if re.match(r"room-\d\d ", line)]
    assert len(table) == 25
    for name, mode, api_id, recording_id, *_ in table:
        assert mode in {"sync", "async"}
        assert len({name, api_id, recording_id, "-"}) == 4
    first, second = re.findall(r"http://127\.0\.0\.1:\d+", printed)
    assert await nobody_listens(first, second)
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_demo_as_json_is_one_object_on_each_line() -> None:
    async with demo("--json", "--seconds", "0.2") as process:
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    records: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    first, *_, last = records
    assert (first["type"], last["type"]) == ("Opened", "Closed")
    assert (last["ok"], last["problems"], last["callbacks"], last["executions"]) == (True, [], 35, 25)
    assert {room["mode"] for room in last["rooms"]} == {"sync", "async"}
    assert len({room["recording_id"] for room in last["rooms"]}) == 25
    assert [room["conference_name"] for room in last["rooms"] if room["transcription"]] == [
        room["conference_name"] for room in last["rooms"] if room["transcribe"]
    ]
    assert all((room["duration_ms"] or room["measured_ms"]) >= 200 for room in last["rooms"])
    assert [step["at"] for room in last["rooms"] for step in room["steps"] if step["at"] > last["at"]] == []
    assert await nobody_listens(first["plivo"], first["listener"])


async def test_open_shows_the_console_in_a_browser_until_a_signal_arrives(tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    await asyncio.to_thread(browser.write_text, f'#!/bin/sh\necho "$1" > "{opened}"\n')
    await asyncio.to_thread(browser.chmod, 0o755)
    async with demo("--open", "--json", "--seconds", "0.2", BROWSER=str(browser)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [json.loads(line) async for line in until_closed(process.stdout)]
        url = lines[0]["plivo"]
        async with httpx.AsyncClient(trust_env=False) as http:
            assert "<title>Plivo emulator</title>" in (await http.get(url)).text
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode == 0
    assert f"the console of the local Plivo is at {url} until you press Ctrl-C" in err.decode()
    assert await asyncio.to_thread(opened.read_text) == f"{url}\n"
    assert await nobody_listens(url)


async def until_closed(stream: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    async for line in stream:
        yield line
        if b'"Closed"' in line:
            return


def in_a_terminal(*words: str) -> tuple[int, str]:
    """Run the demo in a terminal of 100 by 40; return the exit code and what was written to the terminal."""
    terminal, end = pty.openpty()
    ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    with subprocess.Popen(
        [*DEMO, *words],
        stdin=end,
        stdout=end,
        stderr=end,
        env=environment(TERM="xterm-256color", NO_COLOR="1", COLUMNS="100", LINES="40"),
    ) as process:
        os.close(end)
        sent = b""
        while chunk := _read(terminal):
            sent += chunk
    os.close(terminal)
    return process.returncode, sent.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # on Linux, the other end is closed
        return b""


async def test_demo_in_a_terminal_is_live_and_ends_with_the_table() -> None:
    code, sent = await asyncio.to_thread(in_a_terminal, "--seconds", "0.5")
    assert code == 0
    assert "callbacks verified" in sent
    assert sent.count("\x1b[?25l") == sent.count("\x1b[?25h") == 1, "the cursor is hidden, and shown again"
    table = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent.rpartition("\x1b[?25h")[2])
    assert len(re.findall(r"^ room-\d\d ", table, re.MULTILINE)) == 25
    assert "✔ 25 of 25 recordings started, 25 starts executed, 35 callbacks verified, no problems" in table


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_demo_ends_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    async with demo("--json", "--seconds", "60", TMPDIR=str(tmp_path)) as process:
        assert process.stdout is not None
        async for line in process.stdout:
            if json.loads(line).get("title") == "recording":
                break
        process.send_signal(number)
        out, err = await process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert sum(json.loads(line).get("what") == "stopped" for line in out.splitlines()) == 25
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert json.loads(err)["error"].startswith(f"{word}; the recordings are stopped. A second signal ")
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--room", "a"], "--room needs --live"),
        (["--public-url", "https://h"], "--public-url needs --live"),
        (["--live"], "--live needs at least one --room NAME"),
        (["--live", "--room", "a", "--open"], "--open does not go with --live"),
        (["--live", "--rooms", "3", "--room", "a"], "--rooms does not go with --live"),
        (["--live", "--room", "a", "--room", "a"], "--room names a conference twice"),
        (["--live", "--room", "."], "conference_name must not be '.'"),
        (["--live", "--room", "a", "--public-url", "h"], "public_url must be an http"),
        (["--live", "--room", "a", "--public-url", "https://h/?a"], "public_url must be an http"),
        (["--live", "--room", "a", "--port", "9"], "--port needs --public-url"),
        (["--rooms", "0"], "Invalid value for '--rooms'"),
    ],
)
async def test_conflicting_options_are_a_usage_error(command: Command, words: list[str], reason: str) -> None:
    ended = await command("demo", *words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ")
    assert reason in ended.stderr


async def test_live_demo_uses_the_account_of_the_environment(
    command: Command, plivo: Emulator, unused_tcp_port: int
) -> None:
    here = f"http://127.0.0.1:{unused_tcp_port}"
    words = ["--live", "--room", "a b", "--room", "c", "--seconds", "0.1", "--json"]
    ended = await command("demo", *words, "--public-url", here, "--port", str(unused_tcp_port))
    opened, *_, closed = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.exit_code == 0
    assert (opened["plivo"], opened["listener"]) == (plivo.url, here)
    assert (closed["ok"], closed["executions"], closed["callbacks"]) == (True, None, 2)
    assert [(room["conference_name"], room["mode"]) for room in closed["rooms"]] == [("a b", "async"), ("c", "sync")]
    assert {name: plivo.executions(name) for name in ("a b", "c")} == {"a b": 1, "c": 1}
    assert not any(each["recording"] for each in plivo.state()["conferences"].values())


async def test_failure_is_printed_and_sets_the_exit_code(command: Command) -> None:
    words = ["--live", "--room", "a", "--room", "b", "--seconds", "0.1"]
    ended = await command("demo", *words, PLIVO_AUTH_TOKEN="another")
    assert ended.exit_code == 1
    assert [line.startswith(f"error: {room}: ") for room, line in zip("ab", ended.stderr.splitlines(), strict=True)]
    assert "problems: 2" in ended.stdout


@pytest.mark.parametrize("words", [[], ["--json"]])
async def test_demo_stops_its_recordings_and_ends_quietly_when_its_reader_has_closed(
    plivo: Emulator, words: list[str]
) -> None:
    given = {"PLIVO_AUTH_ID": plivo.auth_id, "PLIVO_AUTH_TOKEN": plivo.auth_token, "PLIVO_BASE_URL": plivo.url}
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(*DEMO, "--live", "--room", "a", "--room", "b", "--seconds", "3600", *words),
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment(**given),
    )
    os.close(writing)
    os.close(reading)
    assert (await asyncio.wait_for(process.communicate(), 30))[1] == b""
    assert process.returncode == 1
    assert [plivo.executions(name) for name in ("a", "b")] == [1, 1]
    assert not any(each["recording"] for each in plivo.state()["conferences"].values())
