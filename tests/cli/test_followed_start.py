from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from click.testing import Result

from plivo_record_async import SQLiteStore, _clock
from plivo_record_async.emulator import Emulator
from plivo_record_async.protocol.recording.lifecycle import apply
from tests.support.programs.cli_process import json_lines, serve_answers, start_command
from tests.support.samples.recordings import ENDED

Command = Callable[..., Awaitable[Result]]
PUBLIC_URL = "http://127.0.0.1:9/plivo"


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "r.db")


async def states_in(store: str) -> list[str]:
    async with aclosing(SQLiteStore(store)) as opened:
        return [record.state for record in await opened.records()]


async def test_followed_start_is_stored_and_prints_its_start_id(command: Command, plivo: Emulator, store: str) -> None:
    ended = await command("start", "a\nb", "--store", store, "--public-url", PUBLIC_URL, "--transcribe")
    assert (ended.exit_code, ended.stderr) == (0, "")
    start_id = ended.stdout.split("start_id=")[1].split()[0]
    assert ended.stdout == f"accepted     a\\nb  start_id={start_id}\n"
    async with aclosing(SQLiteStore(store)) as opened:
        record = await opened.get(start_id)
    assert record is not None
    assert (record.state, record.conference_name) == ("accepted", "a\nb")
    sent = plivo.state()["recordings"][0]
    assert sent["callback_url"].startswith(f"{PUBLIC_URL}/recording?plivo_record_start={start_id}&")
    assert sent["transcription_url"].startswith(f"{PUBLIC_URL}/transcription?")


async def test_followed_start_as_json_is_the_status(command: Command, store: str) -> None:
    ended = await command("start", "standup", "--json", "--store", store, "--public-url", PUBLIC_URL)
    (row,) = json_lines(ended.stdout)
    assert (row["type"], row["conference_name"], row["state"], row["ok"]) == (
        "RecordingStatus",
        "standup",
        "accepted",
        True,
    )
    assert len(row["start_id"]) == 32


async def test_start_without_a_public_url_is_followed_by_asking(
    command: Command, plivo: Emulator, store: str, tmp_path: Path
) -> None:
    ended = await command("start", "standup", "--store", store)
    assert ended.stdout.startswith("started      standup  start_id=")
    assert "recording_id=" in ended.stdout
    assert plivo.state()["recordings"][0]["callback_url"] is None


async def test_second_start_with_the_same_key_sends_nothing(command: Command, plivo: Emulator, store: str) -> None:
    words = ("start", "standup", "--store", store, "--dedupe-key", "monday")
    assert (await command(*words)).stdout == (await command(*words)).stdout
    assert plivo.executions("standup") == 1


async def test_key_of_another_conference_is_a_warning(command: Command, plivo: Emulator, store: str) -> None:
    words = ("--store", store, "--dedupe-key", "monday")
    await command("start", "standup", *words)
    ended = await command("start", "retro", *words)
    assert ended.stdout.startswith("started      standup")
    assert "'retro' was not started" in ended.stderr
    assert plivo.executions("retro") == 0


async def test_rejected_start_is_a_failure_and_stays_one_with_the_same_key(
    command: Command, plivo: Emulator, store: str
) -> None:
    plivo.faults.on("start", times=1).status(404)
    words = ("start", "standup", "--store", store, "--dedupe-key", "monday")
    first = await command(*words)
    assert (first.exit_code, first.stdout) == (1, "")
    assert first.stderr.startswith("error: start of 'standup': Plivo answered 404")
    again = await command(*words, "--json", "--wait", "recorded")
    assert (again.exit_code, again.stderr) == (1, "")
    (row,) = json_lines(again.stdout)
    assert (row["type"], row["state"], row["ok"]) == ("RecordingStatus", "rejected", False)


async def test_unknown_start_has_its_start_id_and_its_own_exit_code(
    command: Command, plivo: Emulator, store: str
) -> None:
    plivo.faults.on("start", times=1).reset_after_execution()
    ended = await command("start", "standup", "--store", store, "--public-url", PUBLIC_URL, "--json")
    (row,) = json_lines(ended.stdout)
    assert (ended.exit_code, row["type"], row["ok"]) == (3, "OutcomeUnknownError", False)
    async with aclosing(SQLiteStore(store)) as opened:
        assert await opened.get(row["start_id"]) is not None


async def test_wait_ends_with_the_state_that_was_reached(account: Emulator, store: str) -> None:
    words = ("start", "standup", "--store", store, "--public-url", PUBLIC_URL, "--wait", "recorded", "--json")
    process = await start_command(account.url, *words)
    assert process.stdout is not None
    (accepted,) = json_lines((await process.stdout.readline()).decode())
    async with aclosing(SQLiteStore(store)) as opened:
        record = await opened.get(accepted["start_id"])
        assert record is not None
        ended = apply(record, ENDED, _clock.now())[0]
        assert await opened.replace(ended)
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    (recorded,) = json_lines(out.decode())
    assert (recorded["start_id"], recorded["state"]) == (accepted["start_id"], "recorded")


async def test_signal_ends_the_wait_and_the_recording_is_still_followed(account: Emulator, store: str) -> None:
    process = await start_command(account.url, "start", "standup", "--store", store, "--wait", "recorded")
    assert process.stdout is not None
    assert (await process.stdout.readline()).startswith(b"started ")
    process.send_signal(signal.SIGTERM)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out) == (143, b"")
    assert err.startswith(b"error: terminated; nothing more is sent")
    assert await states_in(store) == ["started"]


async def test_second_signal_ends_it_at_once_and_the_store_keeps_the_unknown_start(store: str) -> None:
    asked, answers = asyncio.Event(), asyncio.Event()

    async def answer(_: str) -> bytes:
        asked.set()
        await answers.wait()
        return b"404 Not Found"

    async with serve_answers(answer) as url:
        process = await start_command(url, "start", "standup", "--store", store, "--json")
        assert process.stderr is not None
        await asked.wait()
        process.send_signal(signal.SIGINT)
        await process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(process.communicate(), 9)
        answers.set()
    (row,) = json_lines(out.decode())
    assert (process.returncode, row["type"], row["ok"]) == (130, "OutcomeUnknownError", False)
    async with aclosing(SQLiteStore(store)) as opened:
        record = await opened.get(row["start_id"])
    assert record is not None
    assert record.state == "unknown"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--public-url", PUBLIC_URL], "--public-url needs --store"),
        (["--transcribe"], "--transcribe needs --store"),
        (["--dedupe-key", "k"], "--dedupe-key needs --store"),
        (["--wait", "recorded"], "--wait needs --store"),
        (["--store", "r.db", "--callback-url", PUBLIC_URL], "--callback-url cannot be combined with --store"),
        (["--store", "r.db", "--transcription-url", PUBLIC_URL], "--transcription-url cannot be combined"),
        (["--store", "r.db", "--wait", "transcribed"], "--wait transcribed needs --transcribe"),
        (["--store", "r.db", "--dedupe-key", "\udcff"], "dedupe_key contains a lone surrogate"),
        (["--store", "r.db", "--public-url", "ftp://x"], "public_url must be an http:// or https:// URL"),
        (["--store", ""], "--store: path must name a file"),
        (["--store", "."], "it cannot be opened"),
        (["--store", "missing/r.db"], "check that its directory exists"),
    ],
)
async def test_wrong_usage_is_reported_before_anything_is_sent(
    command: Command, plivo: Emulator, tmp_path: Path, words: list[str], reason: str
) -> None:
    words = [word.replace("r.db", str(tmp_path / "r.db")) for word in words]
    ended = await command("start", "standup", *words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert reason in ended.stderr
    assert plivo.requests == []


async def test_file_that_is_not_a_store_is_a_configuration_error(
    command: Command, plivo: Emulator, store: str, blockbuster: BlockBuster
) -> None:
    other = sqlite3.connect(store)
    other.execute("CREATE TABLE customers (name)")
    other.close()
    ended = await command("start", "standup", "--store", store)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "another program" in ended.stderr
    assert plivo.requests == []


@pytest.mark.parametrize("as_json", [[], ["--json"]])
async def test_outcome_that_cannot_be_printed_is_unknown(
    full_disk: Callable[..., Awaitable[int]], plivo: Emulator, store: str, as_json: list[str]
) -> None:
    assert await full_disk("start", "a", "--store", store, *as_json) == 3
    assert plivo.executions("a") == 1
