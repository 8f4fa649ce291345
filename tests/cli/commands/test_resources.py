from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest
from click.testing import Result

from plivo_record_async import RecordClient
from plivo_record_async.emulator import Emulator
from tests.support.programs.cli_process import json_lines, serve_answers, start_command

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
async def recorded(plivo: Emulator) -> list[str]:
    """Record two conferences; return the IDs of the recordings."""
    ids: list[str] = []
    async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
        for name in ("standup", "re\x1b\ntro"):
            started = await client.start_recording(name)
            await client.stop_recording(name)
            assert started.recording_id is not None
            ids.append(started.recording_id)
    return ids


async def test_recordings_are_listed_newest_first(command: Command, recorded: list[str]) -> None:
    ended = await command("recordings", "list")
    assert (ended.exit_code, ended.stderr) == (0, "")
    lines = [line.split("  ") for line in ended.stdout.splitlines()]
    assert [line[1] for line in lines] == recorded[::-1]
    assert [line[3] for line in lines] == ["re\\x1b\\ntro", "standup"]
    assert all(line[2].endswith(" s") and line[4].endswith(f"{line[1]}.mp3") for line in lines)


async def test_listed_recordings_as_json_have_their_type_and_no_raw_fields(
    command: Command, recorded: list[str]
) -> None:
    ended = await command("recordings", "list", "--json", "--conference", "re\x1b\ntro")
    (row,) = json_lines(ended.stdout)
    assert (row["type"], row["recording_id"], row["conference_name"]) == ("Recording", recorded[1], "re\x1b\ntro")
    assert "raw" not in row


async def test_list_is_limited(command: Command, recorded: list[str], plivo: Emulator) -> None:
    ended = await command("recordings", "list", "--limit", "1")
    assert (ended.exit_code, ended.stdout.count("\n")) == (0, 1)
    assert recorded[1] in ended.stdout
    for option, number in (("--added-after", 0), ("--added-before", 2)):
        assert (await command("recordings", "list", option, "2100-01-01")).stdout.count("\n") == number


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["recordings", "list", "--added-after", "soon"], "is not a time such as"),
        (["recordings", "list", "--added-after", "2026-02-01", "--added-before", "2026-01-01"], "must not be later"),
        (["recordings", "list", "--limit", "0"], "Invalid value for '--limit'"),
        (["recordings", "list", "--conference", ".."], "conference_name must not be '..'"),
        (["recordings", "get"], "Missing argument 'ID...'"),
        (["recordings", "get", "an-id", ""], "recording_id must not be empty"),
        (["recordings", "delete", "an-id", "."], "recording_id must not be '.'"),
        (["recordings"], "Missing command"),
        (["conferences", "get", "\udcff"], "lone surrogate"),
        (["conferences"], "Missing command"),
    ],
)
async def test_wrong_usage_is_reported_before_anything_is_sent(
    command: Command, plivo: Emulator, words: list[str], reason: str
) -> None:
    ended = await command(*words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ")
    assert reason in ended.stderr
    assert plivo.requests == []


@pytest.mark.parametrize("words", ["recordings list", "recordings delete a", "conferences list", "conferences get a"])
async def test_missing_credentials_are_a_configuration_error(command: Command, words: str) -> None:
    ended = await command(*words.split(), "--json", PLIVO_AUTH_TOKEN=None)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert json_lines(ended.stderr)[0]["type"] == "ConfigurationError"


async def test_recordings_are_shown_with_their_attributes(command: Command, recorded: list[str]) -> None:
    ended = await command("recordings", "get", *recorded, recorded[0])
    assert (ended.exit_code, ended.stderr) == (0, "")
    blocks = [
        dict(line.split(maxsplit=1) for line in block.splitlines()) for block in ended.stdout.rstrip().split("\n\n")
    ]
    assert {block["recording_id"]: block["conference_name"] for block in blocks} == {
        recorded[0]: "standup",
        recorded[1]: "re\\x1b\\ntro",
    }


async def test_missing_recording_is_a_failure_and_the_others_are_shown(command: Command, recorded: list[str]) -> None:
    ended = await command("recordings", "get", "missing", recorded[0])
    assert (ended.exit_code, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith("error: reading of recording 'missing': Plivo answered 404")
    assert recorded[0] in ended.stdout
    as_json = await command("recordings", "get", "missing", recorded[0], "--json")
    assert (as_json.exit_code, as_json.stderr) == (1, "")
    assert {(row["recording_id"], row["type"], row["ok"]) for row in json_lines(as_json.stdout)} == {
        ("missing", "NotFoundError", False),
        (recorded[0], "Recording", True),
    }


async def test_deleted_recording_is_gone(command: Command, recorded: list[str]) -> None:
    ended = await command("recordings", "delete", recorded[0])
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, f"deleted  {recorded[0]}\n", "")
    again = await command("recordings", "delete", *recorded, "--json")
    assert (again.exit_code, again.stderr) == (1, "")
    assert {(row["recording_id"], row["type"], row["ok"]) for row in json_lines(again.stdout)} == {
        (recorded[0], "NotFoundError", False),
        (recorded[1], "Deleted", True),
    }
    assert (await command("recordings", "list")).stdout == ""


async def test_live_conferences_are_listed_and_shown(command: Command, plivo: Emulator) -> None:
    await plivo.open_conference("re\ntro")
    assert (await command("conferences", "list")).stdout == "re\\ntro\n"
    (row,) = json_lines((await command("conferences", "list", "--json")).stdout)
    assert row == {"type": "ConferenceName", "conference_name": "re\ntro"}
    assert (await command("conferences", "get", "re\ntro")).stdout.startswith("conference_name  re\\ntro\n")
    (row,) = json_lines((await command("conferences", "get", "re\ntro", "--json")).stdout)
    assert (row["type"], row["ok"], "raw" in row) == ("Conference", True, False)


async def test_reading_without_a_response_is_a_failure_and_a_deletion_is_unknown(command: Command, broken: str) -> None:
    words = ("recordings list", "recordings get a", "conferences list", "conferences get a")
    for each in words:
        ended = await command(*each.split(), "--timeout", "0.3", PLIVO_BASE_URL=broken)
        assert (ended.exit_code, ended.stdout) == (1, "")
        assert ended.stderr.startswith("error: ")
    assert (await command("recordings", "delete", "a", "--timeout", "1", PLIVO_BASE_URL=broken)).exit_code == 3


async def test_signal_ends_a_reading_at_once() -> None:
    asked, answers = asyncio.Event(), asyncio.Event()

    async def answer(_: str) -> bytes:
        asked.set()
        await answers.wait()
        return b"200 OK"

    async with serve_answers(answer) as url:
        process = await start_command(url, "conferences", "get", "a")
        await asked.wait()
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 9)
        answers.set()
    assert (process.returncode, out, err) == (130, b"", b"error: interrupted\n")


async def test_closed_pipe_ends_a_list_without_a_message(account: Emulator, unread: int) -> None:
    await account.open_conference("a")
    process = await start_command(account.url, "conferences", "list", stdout=unread)
    _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"")
