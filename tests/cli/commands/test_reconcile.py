from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import Result

from plivo_record_async import OutcomeUnknownError, RecordClient, RecordingTracker, SQLiteStore
from plivo_record_async.emulator import Emulator
from tests.support.programs.cli_process import AUTH_ID, AUTH_TOKEN, json_lines, start_command

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "r.db")


async def start_with_unknown_outcome(plivo: Emulator, store: str, *, executed: bool) -> str:
    fault = plivo.faults.on("start", times=1)
    if executed:
        fault.reset_after_execution()
    else:
        fault.reset_before_execution()
    async with (
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
        RecordingTracker(client, public_url="http://127.0.0.1:9", store=SQLiteStore(store)) as tracker,
    ):
        with pytest.raises(OutcomeUnknownError) as raised:
            await tracker.start("standup")
    assert raised.value.start_id is not None
    return raised.value.start_id


async def test_unknown_start_that_was_executed_is_found(command: Command, plivo: Emulator, store: str) -> None:
    start_id = await start_with_unknown_outcome(plivo, store, executed=True)
    await plivo.end_conference("standup")
    ended = await command("reconcile", "--store", store)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"recorded     standup  start_id={start_id}  recording_id=")
    listed = await command("status", "--store", store, "--json")
    assert [row["state"] for row in json_lines(listed.stdout)] == ["recorded"]
    assert (await command("reconcile", "--store", store)).stdout == ""


async def test_start_that_is_still_unknown_has_its_own_exit_code(command: Command, plivo: Emulator, store: str) -> None:
    start_id = await start_with_unknown_outcome(plivo, store, executed=False)
    ended = await command("reconcile", "--store", store, "--json")
    (row,) = json_lines(ended.stdout)
    assert (ended.exit_code, row["start_id"], row["state"]) == (3, start_id, "unknown")


async def test_plivo_that_cannot_be_asked_is_a_failure(
    command: Command, plivo: Emulator, store: str, unused_tcp_port: int
) -> None:
    ended = await command("start", "standup", "--store", store)
    assert ended.exit_code == 0
    ended = await command("reconcile", "--store", store, PLIVO_BASE_URL=f"http://127.0.0.1:{unused_tcp_port}")
    assert ended.exit_code == 1
    assert ended.stdout.startswith("started      standup")
    assert ended.stderr.startswith("error: ")


async def test_store_must_exist(command: Command, plivo: Emulator, store: str) -> None:
    ended = await command("reconcile", "--store", store)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "does not exist" in ended.stderr
    assert plivo.requests == []


@pytest.fixture
async def silent() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Yield the URL of a server that never answers, and an event that is set when it is asked."""
    asked, ended = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await ended.wait()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
        ended.set()


async def test_second_signal_ends_it_at_once(
    command: Command, account: Emulator, store: str, silent: tuple[str, asyncio.Event]
) -> None:
    given = {"PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": AUTH_TOKEN, "PLIVO_BASE_URL": account.url}
    assert (await command("start", "standup", "--store", store, **given)).exit_code == 0
    url, asked = silent
    process = await start_command(url, "reconcile", "--store", store)
    assert process.stderr is not None
    await asyncio.wait_for(asked.wait(), 60)
    process.send_signal(signal.SIGTERM)
    assert (await process.stderr.readline()).startswith(b"error: terminated; ")
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 9)
    assert process.returncode == 143
