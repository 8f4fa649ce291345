"""`Downloads`, which downloads recorded files to a path or opens them as streams."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import attrs

from plivo_record_async.errors import DownloadError, DownloadRefusedError
from plivo_record_async.protocol.arguments import number, positive_number
from plivo_record_async.protocol.media.files import file_name
from plivo_record_async.protocol.media.resuming import RemoteFile
from plivo_record_async.protocol.models import Recording, RecordingEnded, RecordingStarted, RecordingStatus
from plivo_record_async.transport.connectors.media import MediaOpener
from plivo_record_async.transport.downloads.part_file import PartFile
from plivo_record_async.transport.downloads.transfer import Transfer

__all__ = ["Downloads", "MediaStream", "ProgressCallback", "RecordedFile"]

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

RecordedFile = str | Recording | RecordingStarted | RecordingEnded | RecordingStatus
"""The URL of a recorded file, or a value that has it."""

ProgressCallback = Callable[[int, int | None], object]
"""A function that is called with the number of received bytes, and the length of the file or None."""

_WRITE_SIZE = 1024 * 1024
_PROGRESS_INTERVAL = 0.1


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
    """

    opener: MediaOpener
    max_size: int = attrs.field(kw_only=True)

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
        transfer = self._transfer(source, wait)
        transfer.to_file = True
        if timeout is not None:
            positive_number("timeout", timeout)
        target = await _in_thread(_target, Path(path), transfer.checked_url().target, into_directory=into_directory)
        try:
            async with asyncio.timeout(timeout):
                return await _download(transfer, target, progress, overwrite=overwrite)
        except TimeoutError:
            if timeout is None:  # the operating system raised it, for example about a network drive
                raise
            error = transfer.failed(f"it took longer than {timeout:g} seconds")
            error.path = target
            raise error from None

    @asynccontextmanager
    async def stream(self, source: object, *, wait: float) -> AsyncGenerator[MediaStream]:
        """Open a file as a stream: see `plivo_record_async.RecordClient.stream_recording`.

        Args:
            source: The URL of the file, or a value that has it.
            wait: The number of seconds to wait for a file that does not exist yet.
        """
        transfer = self._transfer(source, wait)
        async with aclosing(transfer.pieces()) as pieces:
            opened = await anext(pieces)
            assert isinstance(opened, RemoteFile)  # noqa: S101 - the first piece always is

            async def chunks() -> AsyncGenerator[bytes]:
                async for piece in pieces:
                    if isinstance(piece, RemoteFile):
                        raise transfer.failed(
                            "the connection broke, and the server cannot continue the file at this byte"
                        )
                    yield piece

            async with aclosing(chunks()) as stream:
                yield MediaStream(opened.length, opened.media_type, stream)

    def _transfer(self, source: object, wait: float) -> Transfer:
        number("wait", wait)
        return Transfer(opener=self.opener, url=_url_of(source), wait=wait, max_size=self.max_size)


async def _download(transfer: Transfer, target: Path, progress: ProgressCallback | None, *, overwrite: bool) -> Path:
    try:
        part = await _in_thread(PartFile.open, target, transfer.url, overwrite=overwrite)
    except BlockingIOError as error:
        failure = transfer.failed(str(error))
        failure.path = target
        raise failure from error
    transfer.received, transfer.remote = part.received, part.remote
    try:
        await _write(transfer, part, progress)
        await _in_thread(part.finish)
    except (DownloadRefusedError, FileExistsError):
        await _in_thread(part.discard)
        raise
    except DownloadError as error:
        error.path = target
        raise
    finally:
        await _in_thread(part.close)
    return target


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
    loop, reported_at, unwritten = asyncio.get_running_loop(), float("-inf"), bytearray()
    try:
        async with aclosing(transfer.pieces()) as pieces:
            async for piece in pieces:
                if isinstance(piece, RemoteFile):
                    unwritten.clear()
                    await _in_thread(part.restart, piece)
                    continue
                unwritten += piece
                if len(unwritten) >= _WRITE_SIZE:
                    data, unwritten = unwritten, bytearray()
                    await _in_thread(part.write, data)
                if progress is not None and loop.time() - reported_at >= _PROGRESS_INTERVAL:
                    reported_at = loop.time()
                    progress(transfer.received, transfer.remote.length)
    finally:
        await _in_thread(part.write, unwritten)
    if progress is not None:
        progress(transfer.received, transfer.remote.length)


def _target(path: Path, url_target: str, *, into_directory: bool) -> Path:
    if into_directory:
        path.mkdir(parents=True, exist_ok=True)
    return path / file_name(url_target) if path.is_dir() else path


async def _in_thread(function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
    """Run a blocking function in a thread.

    If the caller is cancelled, the function is still awaited, because two threads must not use a file at the same time.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            await asyncio.wait([work])
        raise
