from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from plivo_record_async import ConfigurationError, DownloadError, RecordClient
from plivo_record_async.cli.batch.followed.downloads import FileDownloads, path_of
from plivo_record_async.emulator import Emulator
from plivo_record_async.protocol.models import RecordingStarted, RecordingStatus
from tests.support.samples.recordings import NOW


def status(name: str = "standup", url: str | None = "https://media.plivo.com/a/rec-1.mp3") -> RecordingStatus:
    return RecordingStatus(
        start_id="0198", conference_name=name, state="recorded", record_url=url, updated_at=NOW, recording_id="rec-1"
    )


@pytest.mark.parametrize(
    ("name", "url", "expected"),
    [
        ("standup", "https://h/rec-1.mp3", "standup-0198.mp3"),
        ("a/b ../c?", "https://h/rec-1.wav?x=/y.mp3", "a_b_.._c-0198.wav"),
        ("..\n", "https://h/rec-1.exe", "recording-0198"),
        ("会议", "https://h/rec-1.mp3", "recording-0198.mp3"),
        ("x" * 300, None, f"{'x' * 80}-0198"),
    ],
)
def test_name_of_a_file_is_safe_and_contains_the_start_id(name: str, url: str | None, expected: str) -> None:
    assert path_of(Path("d"), status(name, url)) == Path("d") / expected


def test_directory_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    client = RecordClient("MAABCDEFGHIJKLMNOPQR", "token")
    with pytest.raises(ConfigurationError, match=r"--download: the directory .* cannot be created: .*Nothing was sent"):
        FileDownloads(client, tmp_path / "file" / "d")


async def test_file_is_downloaded_once_and_then_verified(plivo: Emulator, tmp_path: Path) -> None:
    async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
        started = await client.start_recording("standup")
        assert isinstance(started, RecordingStarted)
        await plivo.end_conference("standup")
        downloads = await asyncio.to_thread(FileDownloads, client, tmp_path / "files")
        path = await downloads.download(status(url=started.url))
        content = await asyncio.to_thread(path.read_bytes)
        changed = (await asyncio.to_thread(path.stat)).st_mtime_ns
        assert await downloads.download(status(url=started.url)) == path
        assert (await asyncio.to_thread(path.stat)).st_mtime_ns == changed
        await asyncio.to_thread(path.write_bytes, content[:-1])
        with pytest.raises(DownloadError, match=f"has {len(content) - 1} bytes instead of {len(content)}. Delete it"):
            await downloads.download(status(url=started.url))
