"""Download the files of a batch into a directory."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import urlsplit

from plivo_record_async.client import RecordClient
from plivo_record_async.errors import ConfigurationError, DownloadError
from plivo_record_async.protocol.models import RecordingStatus

__all__ = ["FileDownloads", "path_of"]

_CONCURRENCY = 8
_MAX_NAME = 80


class FileDownloads:
    """Downloads the files of followed recordings into a directory, eight at a time.

    Args:
        client: The client that downloads.
        directory: The directory. It is created if it does not exist.

    Raises:
        ConfigurationError: The directory cannot be created.
    """

    def __init__(self, client: RecordClient, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"--download: the directory {directory} cannot be created: {error.strerror}. Nothing was sent"
            ) from error
        self._client = client
        self._directory = directory
        self._slots = asyncio.Semaphore(_CONCURRENCY)

    async def download(self, status: RecordingStatus) -> Path:
        """Download the file of a recording that has ended, or verify the file that was downloaded before.

        Args:
            status: The status of the recording.

        Returns:
            The path of the file.

        Raises:
            DownloadError: The file cannot be downloaded, or the file that was downloaded before has another length.
            OSError: The file cannot be written.
            ValueError: The URL of the file is not known.
        """
        path = path_of(self._directory, status)
        async with self._slots:
            if not await asyncio.to_thread(path.exists):
                return await self._client.download_recording(status, path)
            async with self._client.stream_recording(status) as media:
                expected = media.length
            found = (await asyncio.to_thread(path.stat)).st_size
        if expected not in {None, found}:
            raise DownloadError(
                f"{path} exists, but it has {found} bytes instead of {expected}. Delete it, and run the command again",
                url=status.record_url or "",
                path=path,
                received=found,
                expected=expected,
            )
        return path


def path_of(directory: Path, status: RecordingStatus) -> Path:
    """Return the path of a recording's file.

    The name of the file consists of the name of the conference, with unusual characters replaced, and the ``start_id``.
    Two recordings never have the same path, because they have different ``start_id``.

    Args:
        directory: The directory.
        status: The status of the recording.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", status.conference_name)[:_MAX_NAME].strip("._-") or "recording"
    suffix = Path(urlsplit(status.record_url or "").path).suffix
    return directory / f"{name}-{status.start_id}{suffix if suffix in {'.mp3', '.wav'} else ''}"
