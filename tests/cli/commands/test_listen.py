from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from fcntl import ioctl
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from urllib.parse import urlencode

import httpx
import pytest
from blockbuster import BlockBuster
from click.testing import Result

from plivo_record_async import (
    RecordClient,
    RecordingEnded,
    RecordingTracker,
    SQLiteStore,
    TranscriptionEnded,
    sign_callback_v3,
)
from plivo_record_async.emulator import Emulator
from tests.support.programs.cli_in_process import run_until_sigterm

Command = Callable[..., Awaitable[Result]]
LISTEN = (sys.executable, "-m", "plivo_record_async", "listen")
CTRL_S = b"\x13"
ENDED = {
    "api_id": "an-api-id",
    "record_url": "https://media.example/r.mp3",
    "recording_id": "a-recording-id",
    "conference_name": "stand\x07up",
    "recording_duration_ms": "1500",
}


def environment(plivo: Emulator, **changes: str) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("FORCE_", "TTY_"))}
    given = {"PLIVO_AUTH_ID": plivo.auth_id, "PLIVO_AUTH_TOKEN": plivo.auth_token, "PLIVO_BASE_URL": plivo.url}
    return {**mine, **given, **changes}


class Listening:
    """A running `listen` that is ready."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def record(self) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(await self.line())
        return shown

    async def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[bytes, bytes]:
        """End the process with a signal; return the rest of its output. The exit code must be 0."""
        self.process.send_signal(number)
        out, err = await self.process.communicate()
        assert self.process.returncode == 0
        return out, err


@asynccontextmanager
async def listening(plivo: Emulator, db: Path, *words: str) -> AsyncGenerator[Listening]:
    process = await asyncio.create_subprocess_exec(
        *(*LISTEN, "--port", "0", "--db", str(db), *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(plivo),
    )
    assert process.stdout is not None
    try:
        first = (await process.stdout.readline()).decode()
        url = json.loads(first)["url"] if "--json" in words else first.removeprefix("ready ").rstrip("\n")
        yield Listening(process, url)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def call_back(plivo: Emulator, url: str, fields: dict[str, str], *, token: str | None = None) -> int:
    """Send a signed callback to a URL; return the HTTP status."""
    nonce = "12345678901234567890"
    signature = sign_callback_v3("POST", url, fields, nonce, token or plivo.auth_token)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Plivo-Signature-V3": signature,
        "X-Plivo-Signature-V3-Nonce": nonce,
    }
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.post(url, content=urlencode(fields), headers=headers)).status_code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_listen_reports_when_it_is_ready_shows_a_callback_and_ends_cleanly(
    plivo: Emulator, tmp_path: Path, number: signal.Signals
) -> None:
    async with listening(plivo, tmp_path / "r.db") as receiver:
        assert receiver.url.startswith("http://127.0.0.1:")
        assert await call_back(plivo, f"{receiver.url}/recording", ENDED) == 200
        line = await receiver.line()
        assert line.endswith(
            "  recorded     stand\\x07up  not followed  recording_id=a-recording-id  api_id=an-api-id"
            "  1.50 s  https://media.example/r.mp3"
        )
        assert await receiver.end(number) == (b"", b"")


async def test_callback_of_a_start_by_the_shell_is_shown(plivo: Emulator, command: Command, tmp_path: Path) -> None:
    async with listening(plivo, tmp_path / "r.db", "--json") as receiver:
        urls = ["--callback-url", f"{receiver.url}/recording", "--transcription-url", f"{receiver.url}/transcription"]
        started = await command("start", "standup", "--json", *urls)
        api_id = json.loads(started.stdout)["api_id"]
        answered = await receiver.record()
        assert (answered["type"], answered["api_id"], answered["start_id"]) == ("ApiResponse", api_id, None)
        await plivo.end_conference("standup")
        received = {each["type"]: each for each in [await receiver.record(), await receiver.record()]}
        assert received["RecordingEnded"]["conference_name"] == "standup"
        assert received["TranscriptionEnded"]["transcription"] == "This is what was said in standup."
        await receiver.end()


async def test_callback_of_a_followed_recording_is_shown_and_known_after_a_restart(
    plivo: Emulator, command: Command, tmp_path: Path
) -> None:
    db = tmp_path / "r.db"
    async with listening(plivo, db, "--json") as receiver:
        async with (
            RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
            RecordingTracker(client, public_url=receiver.url, store=SQLiteStore(db)) as tracker,
        ):
            recording = await tracker.start("standup", transcribe=True)
            answered = await receiver.record()
            await plivo.end_conference("standup")
            received = [answered, await receiver.record(), await receiver.record()]
            ended = await recording.recorded(timeout=10)
        assert await receiver.end() == (b"", b"")
    assert {each["start_id"] for each in received} == {recording.start_id}
    assert {each["conference_name"] for each in received} == {"standup"}
    assert (answered["type"], answered["state"]) == ("ApiResponse", "started")
    assert {each["type"] for each in received} == {"ApiResponse", "RecordingEnded", "TranscriptionEnded"}
    async with listening(plivo, db, "--json") as receiver:
        known = await command("status", recording.start_id, "--db", str(db), "--json")
        await receiver.end()
    assert (known.exit_code, known.stderr) == (0, "")
    status = json.loads(known.stdout)
    assert (status["state"], status["recording_id"]) == ("transcribed", ended.recording_id)
    assert status["duration_ms"] == ended.duration_ms


async def test_start_listen_status_and_download_use_one_store(
    plivo: Emulator, command: Command, tmp_path: Path
) -> None:
    store = str(tmp_path / "r.db")
    async with listening(plivo, tmp_path / "r.db", "--json") as receiver:
        started = await command("start", "standup", "--store", store, "--public-url", receiver.url, "--json")
        start_id = json.loads(started.stdout)["start_id"]
        await plivo.end_conference("standup")
        received = [await receiver.record(), await receiver.record()]
        assert await receiver.end() == (b"", b"")
    assert {(each["type"], each["start_id"]) for each in received} == {
        ("ApiResponse", start_id),
        ("RecordingEnded", start_id),
    }
    listed = await command("status", "--store", store)
    assert listed.stdout.split()[1:4] == ["recorded", "standup", f"start_id={start_id}"]
    downloaded = await command("download", start_id, "--store", store, "-o", str(tmp_path))
    assert (downloaded.exit_code, downloaded.stderr) == (0, "")
    assert Path(downloaded.stdout.rstrip()).stat().st_size > 0


async def test_repeated_callback_is_shown_once(plivo: Emulator, tmp_path: Path) -> None:
    db = tmp_path / "r.db"
    async with listening(plivo, db, "--json") as receiver:
        async with (
            RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
            RecordingTracker(client, public_url=receiver.url, store=SQLiteStore(db)) as tracker,
        ):
            recording = await tracker.start("standup")
            await receiver.record()
            await plivo.end_conference("standup")
            await plivo.callbacks_settled()
            await recording.recorded(timeout=10)
            (last,) = [each for each in plivo.state()["deliveries"] if each["kind"] == "recording"]
            assert await call_back(plivo, last["url"], last["fields"]) == 200
        assert (await receiver.record())["type"] == "RecordingEnded"
        assert await receiver.end() == (b"", b"")


async def test_rejected_callback_is_printed_on_stderr(plivo: Emulator, tmp_path: Path) -> None:
    async with listening(plivo, tmp_path / "r.db", "--json") as receiver:
        assert await call_back(plivo, f"{receiver.url}/recording", ENDED, token="another") == 403
        assert await call_back(plivo, f"{receiver.url}/elsewhere", ENDED) == 404
        out, err = await receiver.end()
    assert out == b""
    refused = [json.loads(line)["error"].partition(":")[0] for line in err.splitlines()]
    assert refused == ["a callback was rejected with 403", "a callback was rejected with 404"]


async def test_signature_is_checked_for_the_public_url_behind_a_proxy(plivo: Emulator, tmp_path: Path) -> None:
    public = "https://me.example/plivo"
    async with listening(plivo, tmp_path / "r.db", "--public-url", public) as receiver:
        nonce = "12345678901234567890"
        headers = {
            "X-Plivo-Signature-V3": sign_callback_v3("POST", f"{public}/recording", ENDED, nonce, plivo.auth_token),
            "X-Plivo-Signature-V3-Nonce": nonce,
        }
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{receiver.url}/plivo/recording", data=ENDED, headers=headers)
        assert answer.status_code == 200
        assert "recorded" in await receiver.line()
        await receiver.end()


async def test_public_address_needs_a_public_url(command: Command, tmp_path: Path) -> None:
    ended = await command("listen", "--host", "0.0.0.0", "--port", "0", "--db", str(tmp_path / "r.db"))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: --public-url is missing. ")


async def test_port_in_use_is_a_configuration_error(command: Command, plivo: Emulator) -> None:
    port = plivo.url.rpartition(":")[2]
    ended = await command("listen", "--port", port)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: cannot listen on 127.0.0.1 port {port}: ")


@asynccontextmanager
async def read_by_us(plivo: Emulator, db: Path) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str, BinaryIO]]:
    """Yield a process that is ready, its address, and its stdout, which only the test reads."""
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(*LISTEN, "--port", "0", "--db", str(db), "--json"),
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment(plivo),
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as stdout:
        try:
            yield process, json.loads(await asyncio.to_thread(stdout.readline))["url"], stdout
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def kept(db: Path) -> list[str | None]:
    """Return the recording IDs of the orphans in a file."""
    async with aclosing(SQLiteStore(db)) as store:
        return [
            event.recording_id
            for orphan in await store.orphans()
            if isinstance(event := orphan.event, RecordingEnded | TranscriptionEnded)
        ]


async def test_listen_keeps_callbacks_and_ends_quietly_when_its_reader_has_closed(
    plivo: Emulator, tmp_path: Path
) -> None:
    db = tmp_path / "r.db"
    async with read_by_us(plivo, db) as (process, url, stdout):
        stdout.close()
        assert await call_back(plivo, f"{url}/recording", ENDED) == 200
        assert (await process.communicate())[1] == b""
        assert process.returncode == 1
    assert await kept(db) == ["a-recording-id"]


LONG = [{"recording_id": f"{number}", "transcription": "word " * 9000} for number in range(4)]
"""Long enough that a pipe cannot hold all callbacks, and short enough for one callback."""


async def test_slow_reader_delays_no_callback_and_misses_none(plivo: Emulator, tmp_path: Path) -> None:
    async with read_by_us(plivo, tmp_path / "r.db") as (process, url, stdout):
        for fields in LONG:
            assert await asyncio.wait_for(call_back(plivo, f"{url}/transcription", fields), 5) == 200
        shown = [json.loads(await asyncio.to_thread(stdout.readline)) for _ in LONG]
        assert [each["recording_id"] for each in shown] == ["0", "1", "2", "3"]
        process.send_signal(signal.SIGTERM)
        assert (await process.communicate())[1] == b""
        assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_stuck_reader_does_not_delay_the_end(plivo: Emulator, tmp_path: Path, number: signal.Signals) -> None:
    db = tmp_path / "r.db"
    async with read_by_us(plivo, db) as (process, url, _):
        for fields in LONG:
            assert await asyncio.wait_for(call_back(plivo, f"{url}/transcription", fields), 5) == 200
        process.send_signal(number)
        assert (await asyncio.wait_for(process.communicate(), 8))[1] == b""
        assert process.returncode == 0
    assert await kept(db) == ["3", "2", "1", "0"]


def failing(plivo: Emulator, *words: str, **changes: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*LISTEN, "--port", "0", *words],
        env=environment(plivo, **changes),
        capture_output=True,
        timeout=60,
        check=False,
    )


async def test_missing_credentials_or_database_are_reported(plivo: Emulator, tmp_path: Path) -> None:
    ended = await asyncio.to_thread(failing, plivo, "--db", str(tmp_path / "r.db"), PLIVO_AUTH_TOKEN="")
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert b"PLIVO_AUTH_TOKEN" in ended.stderr
    await asyncio.to_thread((tmp_path / "text").write_text, "Dear diary, " * 1000)
    for file, reason in (("no/r.db", b"check that its directory exists"), ("text", b"it is not an SQLite database")):
        ended = await asyncio.to_thread(failing, plivo, "--db", str(tmp_path / file))
        assert (ended.returncode, ended.stdout) == (2, b"")
        assert ended.stderr.count(b"\n") == 1
        assert reason in ended.stderr
        assert b"acknowledged" not in ended.stderr


@asynccontextmanager
async def in_a_terminal(plivo: Emulator, db: Path, port: int) -> AsyncGenerator[tuple[asyncio.subprocess.Process, int]]:
    """Yield a process that runs in a terminal of 120 by 30, and the terminal."""
    terminal, end = pty.openpty()
    ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(*LISTEN, "--port", str(port), "--db", str(db)),
        stdin=end,
        stdout=end,
        stderr=end,
        env=environment(plivo, TERM="xterm-256color", NO_COLOR="1"),
    )
    os.close(end)
    try:
        yield process, terminal
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(terminal)


async def until(text: bytes, terminal: int) -> bytes:
    """Read from the terminal until this text appears; return what was read."""
    shown = b""
    while text not in shown:
        shown += await asyncio.to_thread(os.read, terminal, 65536)
    return shown


async def test_listen_in_a_terminal_is_a_live_table(plivo: Emulator, tmp_path: Path, unused_tcp_port: int) -> None:
    async with in_a_terminal(plivo, tmp_path / "r.db", unused_tcp_port) as (process, terminal):
        await until(b"ready http://127.0.0.1:", terminal)
        url = f"http://127.0.0.1:{unused_tcp_port}/recording"
        assert await call_back(plivo, url, ENDED, token="another") == 403
        await until(b"a callback was rejected with 403", terminal)
        assert await call_back(plivo, url, ENDED) == 200
        shown = await until(b"1.50 s", terminal)
        process.send_signal(signal.SIGTERM)
        shown += await until(b"\x1b[?25h", terminal)
        assert await process.wait() == 0
    assert b"stand\\x07up" in shown
    assert b"callbacks: 1;" in shown


async def test_stopped_terminal_delays_no_callback(plivo: Emulator, tmp_path: Path, unused_tcp_port: int) -> None:
    async with in_a_terminal(plivo, tmp_path / "r.db", unused_tcp_port) as (process, terminal):
        await until(b"ready http://127.0.0.1:", terminal)
        await asyncio.to_thread(os.write, terminal, CTRL_S)
        url = f"http://127.0.0.1:{unused_tcp_port}/recording"
        assert await asyncio.wait_for(call_back(plivo, url, ENDED, token="another"), 5) == 403
        assert await asyncio.wait_for(call_back(plivo, url, ENDED), 5) == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 8) == 0


# In the process of the tests


def test_listen_runs_until_a_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()
    monkeypatch.setenv("PLIVO_AUTH_ID", "MAABCDEFGHIJKLMNOPQR")
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", "token")
    events: list[dict[str, Any]] = []

    def use(lines: TextIO) -> None:
        events.append(json.loads(lines.readline()))
        url, nonce = f"{events[0]['url']}/recording", "12345678901234567890"
        headers = {
            "X-Plivo-Signature-V3": sign_callback_v3("POST", url, ENDED, nonce, "token"),
            "X-Plivo-Signature-V3-Nonce": nonce,
        }
        assert httpx.post(url, data=ENDED, headers=headers, trust_env=False).status_code == 200
        events.append(json.loads(lines.readline()))

    words = ("listen", "--port", "0", "--db", str(tmp_path / "r.db"), "--json")
    assert run_until_sigterm(*words, use=use) == 0
    assert [event["type"] for event in events] == ["Ready", "RecordingEnded"]
