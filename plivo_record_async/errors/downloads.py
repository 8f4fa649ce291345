"""The errors of downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plivo_record_async.errors.root import PlivoRecordError

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["DownloadError", "DownloadRefusedError"]


class DownloadError(PlivoRecordError):
    """A recorded file could not be downloaded.

    The bytes that have arrived are kept in ``<path>.part``, and the same call continues there. A file that was complete
    before is not affected.

    Attributes:
        url: The URL of the file.
        path: The path of the file to write. If None, the download is a stream.
        status: The HTTP status of the last response. If None, there was no response.
        received: The number of bytes of the file that have arrived.
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
    """The client refused to download a file: its host is not allowed, or it is too long or neither mp3 nor wav.

    Nothing of the file is kept, and calling again would have the same result.
    """
