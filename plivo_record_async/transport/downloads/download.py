"""`Downloads`, which downloads recorded files to a path or opens them as streams."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import attrs

from plivo_record_async.errors import DownloadRefusedError
from plivo_record_async.protocol.arguments import number, positive_number
from plivo_record_async.protocol.media.files import file_name
from plivo_record_async.protocol.media.resuming import RemoteFile
from plivo_record_async.protocol.models import Recording, RecordingEnded, RecordingStarted, RecordingStatus
from plivo_record_async.transport.connectors.media import MediaOpener
from plivo_record_async.transport.downloads.part_file import PartFile
from plivo_record_async.transport.downloads.transfer import Transfer
from plivo_record_async.transport.downloads.writer import PartWriter, in_thread
from plivo_record_async.transport.observed_call import AttemptCallback, ObservedCall

__all__ = ["Downloads", "MediaStream", "ProgressCallback", "RecordedFile"]

RecordedFile = str | Recording | RecordingStarted | RecordingEnded | RecordingStatus
"""The URL of a recorded file, or a value that has it."""

ProgressCallback = Callable[[int, int | None], object]
"""A function that is called with the number of received bytes, and the length of the file or None."""

_SEPARATORS = ("/", os.sep)
_PROGRESS_INTERVAL = 0.125
"""Seconds. With the report of the last byte, these are at most ten reports a second."""


class MediaStream:
    """The bytes of a recorded file, as an asynchronous iterator.

    Attributes:
        length: The length of the file in bytes. If None, it is not known.
        content_type: The type of the content, such as ``audio/mpeg``. If None, it is not known.
    """

    def __init__(self, length: int | None, content_type: str | None, chunks: AsyncIterator[bytes]) -> None:
        self.length = length
        self.content_type = content_type
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks


@attrs.frozen
class Downloads:
    """The downloads of a client.

    Attributes:
        opener: Opens the files.
        max_size: The maximum size of a file, in bytes.
        check_open: A function that raises ClosedError if the client is closed. Its argument describes the call.
        on_attempt: The function of the user that is called with the report of each attempt. If None, there is none.
    """

    opener: MediaOpener
    max_size: int = attrs.field(kw_only=True)
    check_open: Callable[[str], None] = attrs.field(kw_only=True)
    on_attempt: AttemptCallback | None = attrs.field(kw_only=True, default=None)

    async def download(
        self,
        source: object,
        path: str | os.PathLike[str],
        *,
        progress: ProgressCallback | None = None,
        overwrite: bool = False,
        wait: float = 60.0,
        timeout: float | None = None,
        into_directory: bool = False,
    ) -> Path:
        """Download a file: see `plivo_record_async.RecordClient.download_recording`.

        Args:
            source: The URL of the file, or a value that has it.
            path: The path of the file to write, or an existing directory.
            progress: A function that is called with the number of received bytes. If None, progress is not reported.
            overwrite: Whether an existing file may be replaced.
            wait: The number of seconds to wait for a file that does not exist yet.
            timeout: The time limit, in seconds. If None, there is no time limit.
            into_directory: Whether ``path`` is a directory, which is created if it does not exist.
        """
        transfer = self._transfer("download_recording", source, wait)
        transfer.path = Path(path)
        names_directory = into_directory or os.fspath(path).endswith(_SEPARATORS)
        if timeout is not None:
            positive_number("timeout", timeout)
        with transfer.observed:
            self.check_open(transfer.observed.description)
            target = transfer.checked_url().target
            transfer.path = await in_thread(
                _path_of, transfer.path, target, names_directory=names_directory, create=into_directory
            )
            limit = asyncio.timeout(timeout)
            try:
                async with limit:
                    await _download(transfer, transfer.path, progress, overwrite=overwrite)
            except TimeoutError:
                if not limit.expired():  # the operating system raised it, for example about a network drive
                    raise
                raise transfer.failed(f"it took longer than {timeout:g} seconds") from None
            return transfer.path

    @asynccontextmanager
    async def stream(self, source: object, *, wait: float) -> AsyncGenerator[MediaStream]:
        """Open a file as a stream: see `plivo_record_async.RecordClient.stream_recording`.

        Args:
            source: The URL of the file, or a value that has it.
            wait: The number of seconds to wait for a file that does not exist yet.
        """
        transfer = self._transfer("stream_recording", source, wait)
        with transfer.observed:
            self.check_open(transfer.observed.description)
            async with _opened_stream(transfer) as stream:
                yield stream

    def _transfer(self, operation: str, source: object, wait: float) -> Transfer:
        if not number("wait", wait) >= 0:
            raise ValueError(f"wait must be a number of at least 0, not {wait!r}")
        url, observed = _url_of(source), _observed_call(operation, source, self.on_attempt)
        return Transfer(opener=self.opener, url=url, wait=wait, max_size=self.max_size, observed=observed)


@asynccontextmanager
async def _opened_stream(transfer: Transfer) -> AsyncGenerator[MediaStream]:
    async with aclosing(transfer.pieces()) as pieces:
        opened = await anext(pieces)
        assert isinstance(opened, RemoteFile)  # noqa: S101 - the first piece always is

        async def chunks() -> AsyncGenerator[bytes]:
            async for piece in pieces:
                if isinstance(piece, RemoteFile):
                    raise transfer.failed("the connection broke, and the server cannot continue the file at this byte")
                yield piece

        async with aclosing(chunks()) as stream:
            yield MediaStream(opened.length, opened.media_type, stream)


async def _download(transfer: Transfer, path: Path, progress: ProgressCallback | None, *, overwrite: bool) -> None:
    try:
        part = await in_thread(PartFile.open, path, transfer.url, overwrite=overwrite)
    except BlockingIOError as error:
        raise transfer.failed(str(error)) from error
    transfer.received, transfer.remote = part.received, part.remote
    try:
        await _write(transfer, part, progress)
        await in_thread(part.finish)
    except (DownloadRefusedError, FileExistsError):
        await in_thread(part.discard)
        raise
    finally:
        await in_thread(part.close)


def _observed_call(operation: str, source: object, on_attempt: AttemptCallback | None) -> ObservedCall:
    """Return what is known of a download before it begins. The URL is not part of it, because it may be a secret."""
    recording_id = getattr(source, "recording_id", None)
    return ObservedCall(
        operation=operation,
        description="download of a recorded file"
        if recording_id is None
        else f"download of recording {recording_id!r}",
        conference_name=getattr(source, "conference_name", None),
        start_id=getattr(source, "start_id", None),
        on_attempt=on_attempt,
        attempts=0,
    )


def _url_of(source: object) -> str:
    """Return the URL of a recorded file.

    Raises:
        TypeError: The source is neither a URL nor a value that has one.
        ValueError: The value has no URL.
    """
    match source:
        case str():
            return source
        case Recording():
            url = source.recording_url
        case RecordingStarted():
            url = source.url
        case RecordingEnded() | RecordingStatus():
            url = source.record_url
        case _:
            raise TypeError(
                "recording_or_url must be a URL, a Recording, a RecordingStarted, a RecordingEnded or a "
                f"RecordingStatus, not {type(source).__name__}: {source!r}"
            )
    if url is None:
        raise ValueError(f"this {type(source).__name__} has no URL of a file: {source!r}")
    return url


async def _write(transfer: Transfer, part: PartFile, progress: ProgressCallback | None) -> None:
    loop, reported_at, writer = asyncio.get_running_loop(), float("-inf"), PartWriter(part)
    try:
        async with aclosing(transfer.pieces()) as pieces:
            async for piece in pieces:
                if isinstance(piece, RemoteFile):
                    await writer.restart(piece)
                    continue
                await writer.add(piece)
                if progress is not None and loop.time() - reported_at >= _PROGRESS_INTERVAL:
                    reported_at = loop.time()
                    progress(transfer.received, transfer.remote.length)
    finally:
        await writer.flush()
    if progress is not None:
        progress(transfer.received, transfer.remote.length)


def _path_of(path: Path, target: str, *, names_directory: bool, create: bool) -> Path:
    """Return the path of the file to write, for a path that the caller passed and the target of the URL.

    Raises:
        FileNotFoundError: The path must be a directory and does not exist.
    """
    if create:
        path.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        return path / file_name(target)
    if names_directory:
        raise FileNotFoundError(f"{path} is not an existing directory: create it, or pass the path of a file")
    return path
