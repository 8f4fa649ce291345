from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path

import attrs
import pytest
from blockbuster import BlockBuster
from click.testing import Result

from plivo_record_async import RecordClient, SQLiteStore
from plivo_record_async.emulator import Emulator
from tests.support.programs.cli_process import json_lines, start_command
from tests.support.servers.media_server import FILE, MediaServer, Reply

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
async def recorded(plivo: Emulator) -> tuple[str, str]:
    """Record a conference; return the ID and the URL of the recording."""
    async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
        started = await client.start_recording("standup")
        await client.stop_recording("standup")
    assert started.recording_id is not None
    assert started.url is not None
    return started.recording_id, started.url


async def test_file_is_downloaded_by_id_and_by_url(command: Command, recorded: tuple[str, str], tmp_path: Path) -> None:
    for number, item in enumerate(recorded):
        directory = tmp_path / f"new/{number}"
        ended = await command("download", item, "-o", str(directory))
        path = directory / f"{recorded[0]}.mp3"
        assert (ended.exit_code, ended.stdout, ended.stderr) == (0, f"{path}\n", "")
        assert path.stat().st_size > 0


async def test_outcomes_as_json_name_their_items(command: Command, recorded: tuple[str, str], tmp_path: Path) -> None:
    items = (recorded[0], "missing", "https://other.example/a.mp3", recorded[0])
    ended = await command("download", *items, "--json", "-o", str(tmp_path))
    assert (ended.exit_code, ended.stderr) == (1, "")
    outcomes = {row["item"]: row for row in json_lines(ended.stdout)}
    assert len(outcomes) == 3
    assert (outcomes[recorded[0]]["type"], outcomes[recorded[0]]["ok"]) == ("Downloaded", True)
    assert Path(outcomes[recorded[0]]["path"]).exists()
    assert (outcomes["missing"]["type"], outcomes["missing"]["status"]) == ("NotFoundError", 404)
    assert outcomes[items[2]]["type"] == "DownloadRefusedError"


async def test_existing_file_is_replaced_only_on_request(
    command: Command, recorded: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / f"{recorded[0]}.mp3"
    path.write_bytes(b"mine")
    refused = await command("download", recorded[0], "-o", str(tmp_path))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "--overwrite" in refused.stderr
    assert path.read_bytes() == b"mine"
    replaced = await command("download", recorded[0], "-o", str(tmp_path), "--overwrite")
    assert replaced.exit_code == 0
    assert path.read_bytes() != b"mine"


async def test_running_recording_has_no_file_yet(command: Command, plivo: Emulator, tmp_path: Path) -> None:
    await command("start", "standup")
    recording = plivo.state()["recordings"][0]
    ended = await command("download", recording["recording_id"], "--wait", "0", "-o", str(tmp_path))
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert list(tmp_path.iterdir()) == []


async def test_id_is_looked_up_in_the_store_first(command: Command, recorded: tuple[str, str], tmp_path: Path) -> None:
    store = str(tmp_path / "r.db")
    await command("start", "standup", "--store", store, "--public-url", "http://127.0.0.1:9", "--json")
    async with aclosing(SQLiteStore(store)) as opened:
        (record,) = await opened.records()
    ended = await command("download", record.start_id, recorded[0], "--store", store, "-o", str(tmp_path))
    assert (ended.exit_code, ended.stdout) == (1, f"{tmp_path}/{recorded[0]}.mp3\n")
    assert "has no file. Its state is accepted" in ended.stderr


@pytest.mark.parametrize("content", [None, b"this is a text, and it is longer than a header" * 10])
async def test_unusable_store_is_a_configuration_error(command: Command, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "r.db"
    if content is not None:
        path.write_bytes(content)
    ended = await command("download", "an-id", "--store", str(path), "-o", str(tmp_path))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ")


async def test_another_host_must_be_named(command: Command, tmp_path: Path) -> None:
    async with MediaServer.serving(Reply()) as server:
        ended = await command("download", f"{server.url}/a.mp3", "-o", str(tmp_path))
        assert ended.exit_code == 1
        assert "are not allowed" in ended.stderr
        ended = await command("download", f"{server.url}/a.mp3", "-o", str(tmp_path), "--media-host", server.url)
    assert ended.exit_code == 0
    assert (tmp_path / "a.mp3").read_bytes() == FILE


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "Missing argument 'ID|URL...'"),
        (["."], "recording_id must not be '.'"),
        (["a", "--wait", "-1"], "Invalid value for '--wait'"),
        (["a", "--concurrency", "0"], "Invalid value for '--concurrency'"),
        (["a", "-o", __file__], "is a file"),
        (["a", "--media-host", "a host"], "media_hosts"),
    ],
)
async def test_wrong_usage_is_reported_before_anything_is_sent(
    command: Command, plivo: Emulator, words: list[str], reason: str
) -> None:
    ended = await command("download", *words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert reason in ended.stderr
    assert plivo.requests == []


@attrs.frozen(kw_only=True)
class StalledReply(Reply):
    """A reply that stalls in the middle of the file, and sets an event."""

    requested: asyncio.Event = attrs.field(factory=asyncio.Event)

    def to(self, request: Mapping[str, str]) -> bytes:
        self.requested.set()
        return super().to(request)


async def test_interrupted_download_is_resumed_by_the_same_command(tmp_path: Path, blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # the test reads the file
    stalled = StalledReply(cut_after=2**19, stalls=True)
    async with MediaServer.serving(stalled, Reply()) as server:
        words = ("download", f"{server.url}/a.mp3", "-o", str(tmp_path))
        process = await start_command(server.url, *words)
        await stalled.requested.wait()
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 10)
        assert (process.returncode, out) == (130, b"")
        assert err == b"error: interrupted; the same command resumes the downloads that are not complete\n"
        assert not (tmp_path / "a.mp3").exists()
        process = await start_command(server.url, *words)
        out, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
    assert (tmp_path / "a.mp3").read_bytes() == FILE
