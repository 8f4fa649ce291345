"""The errors of downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plivo_record_async.errors.root import PlivoRecordError

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["DownloadError", "DownloadRefusedError"]


class DownloadError(PlivoRecordError):
    """A recorded file could not be downloaded.

    If the file was downloaded to a path, the received bytes are kept in ``<path>.part``, and the same call resumes the
    download. An existing file at the path is not changed.

    Attributes:
        url: The URL of the file.
        path: The path of the file to write, or the path that was passed if the host of the URL is not allowed. If None,
            the file was opened as a stream.
        status: The HTTP status of the last response. If None, no response arrived.
        received: The number of received bytes.
        expected: The length of the file in bytes. If None, it is not known.
    """

    def __init__(
        self,
        message: str,
        *,
        url: str,
        path: str | PathLike[str] | None = None,
        status: int | None = None,
        received: int = 0,
        expected: int | None = None,
    ) -> None:
        super().__init__(message)
        self.url = url
        self.path = path
        self.status = status
        self.received = received
        self.expected = expected


class DownloadRefusedError(DownloadError):
    """The client refused to download a file, because its host is not allowed, or it is too long, or it is not audio.

    The received bytes are deleted. Calling again has the same result.
    """
