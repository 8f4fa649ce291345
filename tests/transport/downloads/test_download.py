from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import pytest_asyncio

from plivo_record_async import (
    ClosedError,
    DownloadError,
    DownloadRefusedError,
    RecordClient,
    Recording,
    RecordingStarted,
    RecordingStatus,
    fast_transport,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.transport.downloads import transfer
from plivo_record_async.transport.downloads.part_file import PartFile
from tests.support.servers.media_server import FILE, MediaServer, Reply

KILLED = """
import asyncio, os, signal, sys
from plivo_record_async import RecordClient

def kill(received, total):
    if received > 400_000:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with RecordClient("MAXXXXXXXXXXXXXXXXXX", "token", base_url=sys.argv[1]) as client:
        await client.download_recording(sys.argv[1] + "/r.mp3", sys.argv[2], progress=kill)

asyncio.run(main())
"""

LIMITED = """
import asyncio, resource, sys
from plivo_record_async import RecordClient

resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

async def main():
    async with RecordClient("MAXXXXXXXXXXXXXXXXXX", "token", base_url=sys.argv[1]) as client:
        try:
            await client.download_recording(sys.argv[1] + "/r.mp3", sys.argv[2])
        except Exception as error:
            print(type(error).__name__, error.errno)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_FIRST_PAUSE", 0.001)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[MediaServer]:
    async with MediaServer.serving() as server:
        yield server


@pytest_asyncio.fixture
async def client(server: MediaServer) -> AsyncIterator[RecordClient]:
    async with RecordClient("MAXXXXXXXXXXXXXXXXXX", "token", base_url=server.url) as client:
        yield client


async def content(path: Path) -> bytes:
    return await anyio.Path(path).read_bytes()


async def names(folder: Path) -> list[str]:
    return sorted([each.name async for each in anyio.Path(folder).iterdir()])


async def test_file_is_written_under_its_path(client: RecordClient, server: MediaServer, tmp_path: Path) -> None:
    path = await client.download_recording(f"{server.url}/r.mp3", tmp_path / "standup.mp3")
    assert path == tmp_path / "standup.mp3"
    assert await content(path) == FILE
    assert await names(tmp_path) == ["standup.mp3"]


async def test_directory_gets_a_file_with_the_name_in_the_url(
    client: RecordClient, server: MediaServer, tmp_path: Path
) -> None:
    path = await client.download_recording(f"{server.url}/a/r%20x.mp3?token=1", str(tmp_path))
    assert path == tmp_path / "r_x.mp3"


async def test_progress_grows_to_the_length(client: RecordClient, server: MediaServer, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    def note(received: int, total: int | None) -> None:
        seen.append((received, total))

    await client.download_recording(f"{server.url}/r.mp3", tmp_path, progress=note)
    assert seen == sorted(seen)
    assert seen[-1] == (len(FILE), len(FILE))
    assert len(seen) < 20  # not one for each part of the body


async def test_existing_file_is_kept(client: RecordClient, server: MediaServer, tmp_path: Path) -> None:
    path = anyio.Path(tmp_path / "r.mp3")
    await path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        await client.download_recording(f"{server.url}/r.mp3", tmp_path)
    assert server.requests == []
    await client.download_recording(f"{server.url}/r.mp3", tmp_path, overwrite=True)
    assert await path.read_bytes() == FILE


async def test_second_download_to_the_same_path_is_refused(
    client: RecordClient, server: MediaServer, tmp_path: Path
) -> None:
    url = f"{server.url}/r.mp3"
    results = await asyncio.gather(
        *(client.download_recording(url, tmp_path / "r.mp3") for _ in range(2)), return_exceptions=True
    )
    [error] = [each for each in results if isinstance(each, DownloadError)]
    assert "another download" in str(error)
    assert error.path == tmp_path / "r.mp3"
    assert await content(tmp_path / "r.mp3") == FILE


async def test_killed_process_is_resumed_by_the_next_call(
    client: RecordClient, server: MediaServer, tmp_path: Path
) -> None:
    path = tmp_path / "r.mp3"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, server.url, str(path))
    assert await process.wait() == -signal.SIGKILL
    assert await names(tmp_path) == ["r.mp3.part", "r.mp3.part.json"]
    before = len(server.requests)
    await client.download_recording(f"{server.url}/r.mp3", path)
    assert await content(path) == FILE
    assert await names(tmp_path) == ["r.mp3"]
    part = server.requests[before].get("range")
    assert part is None or part != "bytes=0-"


async def test_interrupted_download_keeps_its_part_and_continues(
    client: RecordClient, server: MediaServer, tmp_path: Path
) -> None:
    server.replies = [Reply(cut_after=300_000), *[Reply(status=503)] * 6, Reply()]
    with pytest.raises(DownloadError) as caught:
        await client.download_recording(f"{server.url}/r.mp3", tmp_path)
    error = caught.value
    assert (error.path, error.status, error.expected) == (tmp_path / "r.mp3", 503, len(FILE))
    assert 0 < error.received <= 300_000
    assert f"{error.received} of {len(FILE)} bytes" in str(error)
    assert await names(tmp_path) == ["r.mp3.part", "r.mp3.part.json"]
    await client.download_recording(f"{server.url}/r.mp3", tmp_path)
    assert server.ranges[-1] == f"bytes={error.received}-"
    assert await content(tmp_path / "r.mp3") == FILE


async def test_refused_content_leaves_nothing(client: RecordClient, server: MediaServer, tmp_path: Path) -> None:
    server.replies = [Reply(data=b"<html>maintenance</html>")]
    with pytest.raises(DownloadRefusedError) as caught:
        await client.download_recording(f"{server.url}/r.mp3", tmp_path)
    assert isinstance(caught.value, DownloadError)
    assert (caught.value.url, caught.value.path) == (f"{server.url}/r.mp3", tmp_path / "r.mp3")
    assert await names(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "advice"), [(401, "Check auth_id"), (403, "Check auth_id"), (404, "Call again later"), (503, "later")]
)
async def test_download_without_any_byte_leaves_nothing_and_says_what_to_do(
    client: RecordClient, server: MediaServer, tmp_path: Path, status: int, advice: str
) -> None:
    server.replies = [Reply(status=status)]
    with pytest.raises(DownloadError, match=advice):
        await client.download_recording(f"{server.url}/r.mp3", tmp_path, wait=0)
    assert await names(tmp_path) == []


async def test_every_error_has_the_url_and_the_path(client: RecordClient, server: MediaServer, tmp_path: Path) -> None:
    url, path = f"{server.url}/r.mp3", tmp_path / "r.mp3"
    evil = "https://evil.example/r.mp3"
    moved = Reply(status=302, headers={"Location": evil})
    stalled = Reply(cut_after=300_000, stalls=True)
    for reply, timeout in ((Reply(status=403), None), (moved, None), (Reply(data=b"x"), None), (stalled, 0.2)):
        server.replies = [reply]
        for target in (path, str(path), tmp_path):
            with pytest.raises(DownloadError) as caught:
                await client.download_recording(url, target, timeout=timeout, wait=0)
            assert (caught.value.url, caught.value.path) == (url, path)
    for reply in (Reply(status=403), moved, Reply(data=b"x")):
        server.replies = [reply]
        with pytest.raises(DownloadError) as caught:
            await streamed(client, url)
        assert (caught.value.url, caught.value.path) == (url, None)
    with pytest.raises(DownloadRefusedError) as refused:
        await client.download_recording(evil, path)
    assert (refused.value.url, refused.value.path) == (evil, path)
    [outcome] = [outcome async for outcome in client.download_many([evil], tmp_path)]
    assert isinstance(outcome.error, DownloadRefusedError)
    assert (outcome.error.url, outcome.error.path) == (evil, tmp_path)


async def test_closed_client_downloads_nothing(client: RecordClient, server: MediaServer, tmp_path: Path) -> None:
    url = f"{server.url}/r.mp3"
    await client.aclose()
    with pytest.raises(ClosedError, match="the client is closed"):
        await client.download_recording(url, tmp_path)
    with pytest.raises(ClosedError):
        await streamed(client, url)
    with pytest.raises(ClosedError):
        client.download_many([url], tmp_path)
    assert server.requests == []

    async def items() -> AsyncIterator[str]:
        yield url
        await client.aclose()
        yield f"{server.url}/2.mp3"

    async with client:
        first, second = [outcome async for outcome in client.download_many(items(), tmp_path, concurrency=1)]
        assert first.ok
        assert isinstance(second.error, ClosedError)
    async with client:
        assert await streamed(client, url) == FILE


async def test_cancelled_download_releases_the_lock_and_keeps_its_part(
    client: RecordClient, server: MediaServer, tmp_path: Path
) -> None:
    server.replies = [Reply(cut_after=300_000, stalls=True), Reply()]
    arrived = asyncio.Event()

    def note(_received: int, _total: int | None) -> None:
        arrived.set()

    work = asyncio.create_task(client.download_recording(f"{server.url}/r.mp3", tmp_path, progress=note))
    await arrived.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert await names(tmp_path) == ["r.mp3.part", "r.mp3.part.json"]
    await client.download_recording(f"{server.url}/r.mp3", tmp_path)
    assert await content(tmp_path / "r.mp3") == FILE


async def test_download_that_takes_too_long_times_out(
    client: RecordClient, server: MediaServer, tmp_path: Path
) -> None:
    server.replies = [Reply(cut_after=300_000, stalls=True)]
    with pytest.raises(DownloadError, match=r"longer than 0\.3 seconds"):
        await client.download_recording(f"{server.url}/r.mp3", tmp_path, timeout=0.3)


@pytest.mark.parametrize("timeout", [None, 30])
async def test_timeout_of_the_operating_system_is_passed_on(
    client: RecordClient, server: MediaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    def write(_self: PartFile, _data: bytes) -> None:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    monkeypatch.setattr(PartFile, "write", write)
    with pytest.raises(TimeoutError) as caught:
        await client.download_recording(f"{server.url}/r.mp3", tmp_path, timeout=timeout)
    assert caught.value.errno == errno.ETIMEDOUT


@pytest.mark.skipif(sys.platform == "win32", reason="uses a limit of POSIX")
async def test_file_that_the_disk_does_not_take_is_resumed_later(
    client: RecordClient, server: MediaServer, tmp_path: Path
) -> None:
    path = tmp_path / "r.mp3"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", LIMITED, server.url, str(path), stdout=PIPE)
    output, _ = await process.communicate()
    assert output.decode().split() == ["OSError", str(errno.EFBIG)]
    assert await names(tmp_path) == ["r.mp3.part", "r.mp3.part.json"]
    await client.download_recording(f"{server.url}/r.mp3", path)
    assert server.ranges[-1] == "bytes=300000-"
    assert await content(path) == FILE


async def test_full_disk_is_reported_and_the_part_is_unlocked(
    client: RecordClient, server: MediaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_self: PartFile, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(PartFile, "write", write)
        with pytest.raises(OSError, match="No space left") as caught:
            await client.download_recording(f"{server.url}/r.mp3", tmp_path)
    assert caught.value.errno == errno.ENOSPC
    await client.download_recording(f"{server.url}/r.mp3", tmp_path)
    assert await content(tmp_path / "r.mp3") == FILE


async def test_directory_that_does_not_exist_is_an_error_of_the_system(
    client: RecordClient, server: MediaServer, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await client.download_recording(f"{server.url}/r.mp3", tmp_path / "no" / "r.mp3")
    with pytest.raises(FileNotFoundError, match="is not an existing directory"):
        await client.download_recording(f"{server.url}/r.mp3", f"{tmp_path / 'no'}/")
    assert await names(tmp_path) == []


def values_with(url: str | None) -> list[Any]:
    more: dict[str, Any] = {"api_id": "a", "raw": {}}
    return [
        Recording(recording_id="r", recording_url=url),
        RecordingStarted(message="m", url=url, **more),
        RecordingStatus(start_id="s", conference_name="c", state="recorded", record_url=url, updated_at=None),  # type: ignore[arg-type]
    ]


async def test_values_with_a_url_can_be_downloaded(client: RecordClient, server: MediaServer, tmp_path: Path) -> None:
    for number, value in enumerate(values_with(f"{server.url}/r.mp3")):
        assert await content(await client.download_recording(value, tmp_path / str(number))) == FILE


@pytest.mark.parametrize("value", values_with(None), ids=lambda value: type(value).__name__)
async def test_value_without_a_url_is_an_invalid_argument(client: RecordClient, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no URL"):
        await client.download_recording(value, tmp_path)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"wait": "x"}, TypeError),
        ({"wait": -1}, ValueError),
        ({"wait": float("nan")}, ValueError),
        ({"timeout": 0}, ValueError),
    ],
)
async def test_invalid_arguments_are_rejected_before_anything_is_sent(
    client: RecordClient, server: MediaServer, tmp_path: Path, more: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await client.download_recording(f"{server.url}/r.mp3", tmp_path, **more)
    with pytest.raises(TypeError, match="recording_or_url"):
        await client.download_recording(7, tmp_path)  # type: ignore[arg-type]
    assert server.requests == []


async def test_many_files_are_downloaded_and_failures_do_not_stop_the_others(
    client: RecordClient, server: MediaServer, tmp_path: Path
) -> None:
    urls = [*(f"{server.url}/{number}.mp3" for number in range(20)), "https://evil.example/r.mp3"]
    outcomes = [outcome async for outcome in client.download_many(urls, tmp_path / "new", concurrency=4)]
    assert {outcome.request for outcome in outcomes} == {*urls}
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    assert [type(outcome.error) for outcome in failed] == [DownloadRefusedError]
    assert await names(tmp_path / "new") == sorted(f"{number}.mp3" for number in range(20))


async def test_second_of_two_items_with_the_same_name_overwrites_nothing(
    client: RecordClient, server: MediaServer, tmp_path: Path
) -> None:
    server.replies = [Reply(), Reply(data=FILE + b"of another recording")]
    for concurrency in (1, 4):
        directory = tmp_path / str(concurrency)
        urls = [f"{server.url}/{number}/r.mp3" for number in range(4)]
        outcomes = [outcome async for outcome in client.download_many(urls, directory, concurrency=concurrency)]
        [done] = [outcome.result for outcome in outcomes if outcome.ok]
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        assert len(errors) == 3
        assert all(isinstance(error, FileExistsError | DownloadError) for error in errors)
        assert await names(directory) == ["r.mp3"]
        assert done == directory / "r.mp3"
        assert await content(directory / "r.mp3") in {FILE, FILE + b"of another recording"}
    replaced = f"{server.url}/a/r.mp3.part"
    assert await client.download_recording(replaced, tmp_path) == tmp_path / "r.mp3.part_"


async def streamed(client: RecordClient, url: str) -> bytes:
    async with client.stream_recording(url) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_stream_has_its_length_and_type(client: RecordClient, server: MediaServer) -> None:
    server.replies = [Reply(headers={"Content-Type": "audio/mpeg"}, cut_after=300_000), Reply()]
    async with client.stream_recording(f"{server.url}/r.mp3") as chunks:
        assert (chunks.length, chunks.content_type) == (len(FILE), "audio/mpeg")
        assert b"".join([chunk async for chunk in chunks]) == FILE
    assert server.ranges[1] is not None


async def test_stream_that_cannot_be_continued_fails(client: RecordClient, server: MediaServer) -> None:
    server.replies = [Reply(cut_after=300_000, etag=None), Reply()]
    async with client.stream_recording(f"{server.url}/r.mp3") as chunks:
        with pytest.raises(DownloadError, match="cannot continue"):
            async for _ in chunks:
                pass


async def test_stream_that_is_left_early_closes_its_connection(client: RecordClient, server: MediaServer) -> None:
    server.replies = [Reply(cut_after=300_000, stalls=True)]
    async with client.stream_recording(f"{server.url}/r.mp3") as chunks:
        async for _ in chunks:
            break
    async with asyncio.timeout(10):
        await server.idle()


async def test_fast_transport_downloads_over_the_connections_of_the_client(
    server: MediaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They refuse private addresses, and use the proxy of the client."""

    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))]

    options: dict[str, Any] = {"base_url": server.url, "transport": fast_transport()}
    async with RecordClient("MAXXXXXXXXXXXXXXXXXX", "token", **options) as client:
        assert await streamed(client, f"{server.url}/r.mp3") == FILE
        monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
        with pytest.raises(DownloadRefusedError, match="not a public address"):
            await client.download_recording("https://media.plivo.com/r.mp3", tmp_path)


async def test_stream_checks_the_host_and_the_content(client: RecordClient, server: MediaServer) -> None:
    server.replies = [Reply(data=b"<html></html>")]
    for url in ("https://evil.example/r.mp3", f"{server.url}/r.mp3"):
        with pytest.raises(DownloadRefusedError):
            await streamed(client, url)


async def test_download_from_the_emulator_is_resumed(tmp_path: Path) -> None:
    async with (
        Emulator(clock="virtual") as plivo,
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
    ):
        started = await client.start_recording("standup", file_format="wav")
        await plivo.advance(60)
        await client.stop_recording("standup")
        plivo.faults.on("media", times=1).cut()
        path = await client.download_recording(started, tmp_path)
        first, second = [each for each in plivo.requests if each.operation == "media"]
        assert (first.headers.get("range"), second.status) == (None, 206)
        assert (await anyio.Path(path).stat()).st_size == 44 + 60 * 16_000


async def test_recording_of_the_emulator_is_downloaded(tmp_path: Path) -> None:
    async with (
        Emulator() as plivo,
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
    ):
        started = await client.start_recording("standup", file_format="wav")
        download = asyncio.create_task(client.download_recording(started, tmp_path))
        await client.stop_recording("standup")
        path = await download
    assert (await content(path)).startswith(b"RIFF")


def test_memory_stays_constant(tmp_path: Path) -> None:
    """Two files of very different lengths need the same memory."""
    program = Path(__file__).parents[2] / "support" / "programs" / "large_download.py"

    def peak(size: int) -> int:
        done = subprocess.run(
            [sys.executable, program, str(size), tmp_path / str(size)], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert peak(200_000_000) < peak(2_000_000) + 20_000_000
