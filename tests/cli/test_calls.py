from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from plivo_record_async.emulator import Emulator

Command = Callable[..., Awaitable[Result]]
CALLBACK = "http://127.0.0.1:9/callback"


def records(text: str) -> list[dict[str, Any]]:
    """The JSON objects, one a line."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
async def broken() -> AsyncIterator[str]:
    """Something that answers everything with 503."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"api_id": "an-id", "error": "broken"}'
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


async def test_start_says_what_plivo_answered(command: Command, plivo: Emulator) -> None:
    ended = await command("start", "standup")
    recording = plivo.state()["recordings"][0]
    assert ended.exit_code == 0
    assert ended.stdout.startswith(f"started  standup  recording_id={recording['recording_id']}  api_id=")
    assert ended.stdout.count("\n") == 1
    assert ended.stderr == ""
    assert plivo.executions("standup") == 1


async def test_start_passes_every_option_on(command: Command, plivo: Emulator) -> None:
    options = [
        "--format",
        "wav",
        "--callback-url",
        CALLBACK,
        "--callback-method",
        "get",
        "--transcription-type",
        "auto",
    ]
    options += ["--transcription-url", CALLBACK, "--transcription-method", "POST", "--timeout", "5"]
    ended = await command("start", "standup", "--json", *options)
    (answer,) = records(ended.stdout)
    assert ended.exit_code == 0
    assert answer == {"type": "PendingResponse", "conference_name": "standup", "ok": True, "api_id": answer["api_id"]}
    recording = plivo.state()["recordings"][0]
    assert recording["file_format"] == "wav"
    assert recording["api_id"] == answer["api_id"]
    assert recording["callback_url"] == recording["transcription_url"] == CALLBACK
    assert (recording["callback_method"], recording["transcription_method"]) == ("GET", "POST")


async def test_a_name_may_look_like_an_option(command: Command, plivo: Emulator) -> None:
    assert (await command("start", "--", "--json")).exit_code == 0
    assert plivo.executions("--json") == 1


async def test_stop_says_that_it_is_done(command: Command, plivo: Emulator) -> None:
    await command("start", "standup")
    ended = await command("stop", "standup")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "stopped  standup\n", "")
    assert not plivo.state()["conferences"]["standup"]["recording"]


async def test_stop_in_asynchronous_mode_is_pending(command: Command) -> None:
    ended = await command("stop", "standup", "--callback-url", CALLBACK, "--callback-method", "POST")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("pending  standup  api_id=")


async def test_a_refusal_is_one_line_on_stderr(command: Command) -> None:
    ended = await command("start", "standup", PLIVO_AUTH_TOKEN="wrong")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: ")
    assert "401" in ended.stderr
    assert ended.stderr.count("\n") == 1


async def test_a_refusal_is_one_object_on_stderr_for_machines(command: Command) -> None:
    ended = await command("start", "standup", "--json", PLIVO_AUTH_TOKEN="wrong")
    (error,) = records(ended.stderr)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert (error["type"], error["status"]) == ("AuthenticationError", 401)
    assert "Check PLIVO_AUTH_ID" in error["error"]


@pytest.mark.parametrize(
    "words", [("start", "standup"), ("stop", "standup"), ("batch", "start"), ("demo", "--live", "--room", "a")]
)
async def test_missing_credentials_are_a_wrong_configuration(command: Command, words: tuple[str, ...]) -> None:
    ended = await command(*words, PLIVO_AUTH_ID=None)
    assert ended.exit_code == 2
    assert ended.stderr.startswith("error: auth_id is missing")
    assert "PLIVO_AUTH_ID" in ended.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["start"], "Missing argument 'NAME'"),
        (["start", "."], "conference_name must not be '.'"),
        (["start", "a", "--format", "ogg"], "Invalid value for '--format'"),
        (["start", "a", "--callback-url", "/callback"], "callback_url must be an absolute http"),
        (["start", "a", "--callback-method", "GET"], "callback_method was given without callback_url"),
        (["start", "a", "--timeout", "0"], "Invalid value for '--timeout'"),
        (["stop", ""], "conference_name must not be empty"),
        (["batch"], "Missing command"),
        (["batch", "start", "--concurrency", "0"], "Invalid value for '--concurrency'"),
        (["batch", "start", "no/such/file"], "'no/such/file': No such file or directory"),
    ],
)
async def test_wrong_usage_is_refused_before_anything_is_sent(
    command: Command, plivo: Emulator, words: list[str], reason: str
) -> None:
    ended = await command(*words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ")
    assert reason in ended.stderr
    assert " --help\n" in ended.stderr
    assert plivo.state()["conferences"] == {}


async def test_an_unknown_outcome_has_its_own_exit_code(command: Command, broken: str) -> None:
    ended = await command("start", "standup", PLIVO_BASE_URL=broken)
    assert ended.exit_code == 3
    assert "may have been executed" in ended.stderr


async def test_a_call_that_was_certainly_not_sent_has_failed(command: Command, unused_tcp_port: int) -> None:
    ended = await command("start", "a", "--timeout", "0.2", PLIVO_BASE_URL=f"http://127.0.0.1:{unused_tcp_port}")
    assert ended.exit_code == 1
    assert "Nothing was sent" in ended.stderr


async def test_batch_takes_names_and_requests_and_prints_each_outcome(command: Command, plivo: Emulator) -> None:
    request = json.dumps({"conference_name": "c", "file_format": "wav", "callback_url": CALLBACK})
    ended = await command("batch", "start", "-", "--json", stdin=f"a\n\n b \r\n{request}\n".encode())
    *outcomes, summary = records(ended.stdout)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert {(each["conference_name"], each["type"]) for each in outcomes} == {
        ("a", "RecordingStarted"),
        (" b ", "RecordingStarted"),
        ("c", "PendingResponse"),
    }
    assert summary == {"type": "Summary", "done": 3, "failed": 0, "unknown": 0}
    assert [plivo.executions(name) for name in ("a", " b ", "c")] == [1, 1, 1]


async def test_batch_reads_a_file_and_stops_too(command: Command, plivo: Emulator, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("a\nb\n")
    assert (await command("batch", "start", str(names))).exit_code == 0
    ended = await command("batch", "stop", str(names), "--concurrency", "1")
    assert ended.exit_code == 0
    assert ended.stdout == "stopped  a\nstopped  b\nsummary: 2 done, 0 failed, 0 unknown\n"
    assert not any(each["recording"] for each in plivo.state()["conferences"].values())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b".", "line 2: conference_name must not be '.'"),
        (b"{", "line 2: Expecting property name"),
        (b"{}", "line 2: conference_name is missing"),
        (b'{"conference_name": 3}', "line 2: conference_name must be a str"),
        (b'{"conference_name": "a", "colour": 1}', "line 2: unknown field 'colour'; there are conference_name, file_"),
        (b"\xff", "line 2: 'utf-8' codec can't decode"),
    ],
)
async def test_a_line_that_is_no_request_stops_no_other(
    command: Command, plivo: Emulator, line: bytes, reason: str
) -> None:
    ended = await command("batch", "start", stdin=b"a\n" + line + b"\nb\n")
    assert ended.exit_code == 1
    assert reason in ended.stdout
    assert "summary: 2 done, 1 failed, 0 unknown\n" in ended.stdout
    assert (plivo.executions("a"), plivo.executions("b")) == (1, 1)


async def test_a_line_that_is_no_request_is_given_back_to_machines(command: Command) -> None:
    ended = await command("batch", "stop", "--json", stdin=b".\n")
    refused, summary = records(ended.stdout)
    assert (refused["line"], refused["ok"], refused["type"]) == (".", False, "ValueError")
    assert summary["failed"] == 1


async def test_unknown_outcomes_outweigh_failures(command: Command, broken: str) -> None:
    ended = await command("batch", "start", stdin=b"a\n.\n", PLIVO_BASE_URL=broken)
    assert ended.exit_code == 3
    assert "unknown  a  " in ended.stdout
    assert ended.stdout.endswith("summary: 0 done, 1 failed, 1 unknown\n")


async def run(url: str, *words: str, stdout: int) -> asyncio.subprocess.Process:
    given = {"PLIVO_AUTH_ID": "MAABCDEFGHIJKLMNOPQR", "PLIVO_AUTH_TOKEN": "token", "PLIVO_BASE_URL": url}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "plivo_record_async", *words),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **given},
    )


@pytest.fixture
async def account() -> AsyncIterator[Emulator]:
    """A local Plivo whose account `run` uses."""
    async with Emulator(auth_id="MAABCDEFGHIJKLMNOPQR", auth_token="token") as emulator:
        yield emulator


async def test_an_outcome_is_printed_before_the_next_line_is_there_and_ctrl_c_ends_the_wait(account: Emulator) -> None:
    process = await run(account.url, "batch", "start", stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"a\n")
    assert (await process.stdout.readline()).startswith(b"started  a  ")
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 130
    assert await process.stdout.read() == b""
    assert (await process.stderr.read()).strip() == b"error: interrupted; what was already sent may have been executed"
    process.stdin.close()


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("words", [["start", "a"], ["stop", "a"], ["batch", "start"], ["batch", "stop", "--json"]])
async def test_an_outcome_that_nobody_was_told_is_unknown(account: Emulator, unread: int, words: list[str]) -> None:
    process = await run(account.url, *words, stdout=unread)
    assert process.stdin is not None
    process.stdin.write(b"a\n")
    await process.stdin.drain()
    assert await process.wait() == 3, "the batch's input is still open"
    assert process.stderr is not None
    assert await process.stderr.read() == b""
    assert account.executions("a") == ("start" in words)


async def test_when_outcomes_cannot_be_printed_what_is_under_way_is_finished_and_nothing_else_begun() -> None:
    names: list[str] = []
    printing_failed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        name = head.split()[1].decode().split("/")[5]
        names.append(name)
        if name == "slow":
            await printing_failed.wait()
        status = b"503 Service Unavailable" if names.count(name) == 1 and name == "slow" else b"204 No Content"
        writer.write(b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % status)
        writer.close()

    full = await asyncio.to_thread(os.open, "/dev/full", os.O_WRONLY)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        process = await run(f"http://{host}:{port}", "batch", "stop", "--concurrency", "2", stdout=full)
        os.close(full)
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"slow\na\n")
        assert b"No space left on device" in await process.stderr.readline()
        process.stdin.write(b"b\nc\n")
        printing_failed.set()
        assert await process.wait() == 3
        assert await process.stderr.read() == b""
    assert sorted(names) == ["a", "slow", "slow"], "the slow one was tried again, and is done"


async def test_a_summary_that_cannot_be_printed_is_a_failure(account: Emulator) -> None:
    reading, writing = os.pipe()
    process = await run(account.url, "batch", "start", stdout=writing)
    os.close(writing)
    assert process.stdin is not None
    process.stdin.write(b"a\n")
    with os.fdopen(reading, "rb") as pipe:
        assert (await asyncio.to_thread(pipe.readline)).startswith(b"started  a  ")
    process.stdin.close()
    assert await process.wait() == 1
    assert process.stderr is not None
    assert await process.stderr.read() == b""
