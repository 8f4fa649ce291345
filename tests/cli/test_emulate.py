from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from click.testing import CliRunner

from plivo_record_async import NotFoundError, RecordClient
from plivo_record_async.cli.root import plivo_record

AUTH_ID, AUTH_TOKEN = "MAABCDEFGHIJKLMNOPQR", "token"


@asynccontextmanager
async def emulator(*words: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str]]:
    """A process that is ready, and its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "plivo_record_async", "emulate", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("PLIVO_")},
    )
    assert process.stdout is not None
    try:
        word, url = (await process.stdout.readline()).decode().split()
        assert word == "ready"
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_says_when_it_is_ready_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    async with emulator("--port", "0", "--auth-id", AUTH_ID, "--auth-token", AUTH_TOKEN) as (process, url):
        async with RecordClient(AUTH_ID, AUTH_TOKEN, base_url=url) as client:
            assert (await client.start_recording("standup")).recording_id
        process.send_signal(number)
        assert await process.communicate() == (b"", b"")
        assert process.returncode == 0


async def test_it_listens_where_it_is_told(unused_tcp_port: int) -> None:
    async with emulator("--host", "127.0.0.1", "--port", str(unused_tcp_port)) as (_, url):
        assert url == f"http://127.0.0.1:{unused_tcp_port}"


async def test_a_strict_one_knows_no_conference_that_was_not_opened() -> None:
    words = ["--port", "0", "--strict", "--auth-id", AUTH_ID, "--auth-token", AUTH_TOKEN]
    async with emulator(*words) as (_, url), RecordClient(AUTH_ID, AUTH_TOKEN, base_url=url) as client:
        with pytest.raises(NotFoundError):
            await client.start_recording("standup")


async def test_a_port_that_is_taken_is_a_wrong_configuration() -> None:
    async with emulator("--port", "0") as (_, url):
        port = url.rpartition(":")[2]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "plivo_record_async", "emulate", "--port", port),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert err.startswith(f"error: the emulator cannot listen on 127.0.0.1 port {port}".encode())
    assert err.count(b"\n") == 1


def test_a_misshapen_auth_id_is_a_wrong_configuration() -> None:
    ended = CliRunner().invoke(plivo_record, ["emulate", "--auth-id", "me"])
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: auth_id must be")
