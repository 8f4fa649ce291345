"""`Transfer`, which requests one recorded file, and resumes after failures until all bytes have been received."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import TypeVar

import attrs

from plivo_record_async.errors import DownloadError, DownloadRefusedError
from plivo_record_async.protocol.media.files import AUDIO_HEAD, is_audio
from plivo_record_async.protocol.media.hosts import MediaUrl, MediaUrlError
from plivo_record_async.protocol.media.resuming import RemoteFile, read_response
from plivo_record_async.transport.connectors.media import NETWORK_ERRORS, MediaOpener, OpenedMedia
from plivo_record_async.transport.observed_call import ObservedCall

__all__ = ["Transfer"]

ResultT = TypeVar("ResultT")

IDLE_SECONDS = 30.0
"""A connection on which no byte arrives for this time counts as broken."""

_MAX_FAILURES = 5
"""The maximum number of consecutive requests that fail without new bytes. After one more, the transfer fails."""

_FIRST_PAUSE, _MAX_PAUSE = 0.25, 5.0
_MOST_DOUBLINGS = 20
_NOT_FOUND = 404
_NO_ACCESS = {401, 403}
_RANGE_STATUSES = {200, 206, 416}
_BUSY = {408, 425, 429}
_FIRST_SERVER_ERROR = 500


class _AttemptFailedError(Exception):
    """A request failed, but another one may succeed.

    Args:
        reason: The reason.
        status: The HTTP status. If None, no response has arrived.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class _NotReadyError(_AttemptFailedError):
    """The server does not have the file. Directly after the end of a recording, it may not have it yet."""


@attrs.define(kw_only=True)
class Transfer:
    """The state of a transfer.

    Attributes:
        opener: Opens the file.
        url: The URL of the file, as the caller passed it.
        wait: The number of seconds to wait for a file that does not exist yet.
        max_size: The maximum size of the file, in bytes.
        observed: What is observed of the call to which the transfer belongs.
        remote: The file on the server, as far as it is known.
        received: The number of received bytes.
        path: The path to which the file is downloaded. If None, the file is opened as a stream.
        status: The HTTP status of the last response. If None, no response has arrived.
    """

    opener: MediaOpener
    url: str
    wait: float
    max_size: int
    observed: ObservedCall
    remote: RemoteFile = attrs.field(factory=RemoteFile)
    received: int = 0
    path: Path | None = None
    status: int | None = None
    _complete: bool = False

    async def pieces(self) -> AsyncGenerator[RemoteFile | bytes]:
        """Yield the bytes of the file.

        Yields:
            A `RemoteFile` before the first byte of the file, and then the bytes. If the file has to be requested again
            from its first byte, another `RemoteFile` is yielded: discard all bytes that were yielded before it.

        Raises:
            DownloadError: The file cannot be downloaded.
            DownloadRefusedError: The host of the URL or of a redirect is not allowed, or the file is compressed, is too
                long, is longer than the server announced, or is neither mp3 nor wav.
        """
        url = self.checked_url()
        now = asyncio.get_running_loop().time
        not_ready_until = now() + self.wait
        failures = pauses = most_received = 0
        while not self._complete:
            longest_pause = _MAX_PAUSE
            try:
                async with aclosing(self._attempt(url)) as pieces:
                    async for piece in pieces:
                        yield piece
            except _NotReadyError as error:
                if (left := not_ready_until - now()) <= 0:
                    raise self.failed(str(error)) from None
                longest_pause = min(_MAX_PAUSE, left)
            except _AttemptFailedError as error:
                failures += 1
                if self.received > most_received:
                    failures = pauses = 0
                if failures > _MAX_FAILURES:
                    raise self.failed(str(error)) from error
            except MediaUrlError as error:
                raise self.refused(str(error)) from error
            most_received = max(most_received, self.received)
            if not self._complete:
                await asyncio.sleep(min(_FIRST_PAUSE * 2**pauses, longest_pause))
                pauses = min(pauses + 1, _MOST_DOUBLINGS)

    def failed(self, reason: str) -> DownloadError:
        """Return the error for a file that cannot be downloaded.

        Args:
            reason: The reason.
        """
        return DownloadError(
            f"{self.url} could not be downloaded: {reason}. {self._so_far()} {self._advice()}",
            url=self.url,
            path=self.path,
            status=self.status,
            received=self.received,
            expected=self.remote.length,
        )

    def refused(self, reason: str) -> DownloadRefusedError:
        """Return the error for a file that the client refuses to download.

        Args:
            reason: The reason.
        """
        return DownloadRefusedError(
            f"{self.url} was not downloaded: {reason}.{' Nothing was kept.' if self.path is not None else ''}",
            url=self.url,
            path=self.path,
            status=self.status,
            received=self.received,
            expected=self.remote.length,
        )

    def _so_far(self) -> str:
        of = "" if self.remote.length is None else f" of {self.remote.length}"
        return f"{self.received}{of} bytes were received."

    def _advice(self) -> str:
        if self.status in _NO_ACCESS:
            return "Check auth_id and auth_token, and whether the account may read this file."
        if self.path is not None and self.received:
            return "Call again to resume the download."
        return "Call again later."

    def checked_url(self) -> MediaUrl:
        """Return the parts of the URL.

        Raises:
            DownloadRefusedError: The URL does not belong to an allowed host.
        """
        try:
            return self.opener.hosts.resolve(self.url)
        except MediaUrlError as error:
            raise self.refused(str(error)) from None

    async def _attempt(self, url: MediaUrl) -> AsyncGenerator[RemoteFile | bytes]:
        """Send one request, and yield the contents of its response.

        Raises:
            _AttemptFailedError: The request or its body failed.
        """
        self.observed.attempts += 1
        began = asyncio.get_running_loop().time()
        response: OpenedMedia | None = None

        def report(_kind: object, error: BaseException | None, _trace: object) -> None:
            status = None if response is None else response.status
            self._report(status, error, asyncio.get_running_loop().time() - began)

        validator = self.remote.validator
        if not validator:
            self.received = 0
        headers = {"Range": f"bytes={self.received}-", "If-Range": validator} if self.received and validator else {}
        async with AsyncExitStack() as stack:
            if self.observed.reports_attempts:
                stack.push(report)
            response = await _awaited(stack.enter_async_context(self.opener.open(url, headers)))
            self.status = response.status
            begun = self._begin(response)
            if begun is not None:
                yield begun
            if self._complete:
                return
            async with aclosing(self._body(response)) as chunks:
                async for chunk in chunks:
                    yield chunk

    def _report(self, status: int | None, error: BaseException | None, seconds: float) -> None:
        """Report the end of an attempt, unless it was cancelled."""
        if error is None or isinstance(error, Exception):
            failure = error if error is None or isinstance(error, DownloadError) else self.failed(str(error))
            self.observed.report_attempt(status=status, error=failure, seconds=seconds)

    def _begin(self, response: OpenedMedia) -> RemoteFile | None:
        """Read the head of a response. Return the file if the body begins at its first byte, and None otherwise."""
        status, headers = response.status, response.headers
        if status == _NOT_FOUND:
            raise _NotReadyError(f"{response.url.authority} has no such file (404)", status)
        if status in _BUSY or status >= _FIRST_SERVER_ERROR:
            raise _AttemptFailedError(f"{response.url.authority} answered {status}", status)
        if status not in _RANGE_STATUSES:
            raise self.failed(f"{response.url.authority} answered {status}")
        if headers.get("content-encoding", "identity").strip().lower() not in {"identity", ""}:
            raise self.refused(f"it has the content encoding {headers['content-encoding']}")
        answer = read_response(status, headers, received=self.received, known=self.remote)
        if (length := answer.file.length) is not None and length > self.max_size:
            raise self.refused(f"it has {length} bytes, and max_download is {self.max_size}")
        if answer.action == "append":
            return None
        if answer.action == "complete":
            self._complete = True
            return None
        self.received = 0
        if answer.action == "discard":
            self.remote = RemoteFile()
            raise _AttemptFailedError("the server sent a different range from the one requested", status)
        self.remote = answer.file
        return answer.file

    async def _body(self, response: OpenedMedia) -> AsyncGenerator[bytes]:
        head: bytearray | None = None if self.received else bytearray()
        while (chunk := await _awaited(anext(response.chunks, None))) is not None:
            self._check_size(self.received + len(head or b"") + len(chunk))
            if head is not None:
                head += chunk
                if len(head) < AUDIO_HEAD:
                    continue
                chunk, head = self._checked_head(bytes(head), response), None
            self.received += len(chunk)
            yield chunk
        if head is not None:
            chunk = self._checked_head(bytes(head), response)
            self.received += len(chunk)
            yield chunk
        if self.remote.length is not None and self.received < self.remote.length:
            raise _AttemptFailedError("the connection was closed before the last byte")
        if not response.is_clean:
            raise self.refused("more bytes were received than the server announced")
        self._complete = True

    def _check_size(self, received: int) -> None:
        if self.remote.length is not None and received > self.remote.length:
            raise self.refused(f"more bytes were received than the {self.remote.length} that the server announced")
        if received > self.max_size:
            raise self.refused(f"it is longer than max_download, which is {self.max_size} bytes")

    def _checked_head(self, head: bytes, response: OpenedMedia) -> bytes:
        if not is_audio(head):
            media_type = response.headers.get("content-type", "no content type")
            raise self.refused(f"it is neither mp3 nor wav: it begins with {head[:AUDIO_HEAD]!r} ({media_type})")
        return head


async def _awaited(step: Awaitable[ResultT]) -> ResultT:
    """Await one step of a request, for `IDLE_SECONDS` at most.

    Raises:
        _AttemptFailedError: The step failed, or took too long.
    """
    limit = asyncio.timeout(IDLE_SECONDS)
    try:
        async with limit:
            return await step
    except NETWORK_ERRORS as error:
        if limit.expired():
            raise _AttemptFailedError(f"the server sent nothing for {IDLE_SECONDS:g} seconds") from None
        raise _AttemptFailedError(str(error) or type(error).__name__) from error
