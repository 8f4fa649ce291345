"""PURE: the name of a downloaded file, whether its content is audio, and how a download is continued.

Range requests: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import unquote

import attrs

__all__ = ["AUDIO_HEAD", "Progress", "RemoteFile", "file_name", "is_audio", "read_response"]

AUDIO_HEAD = 12
"""The number of bytes that `is_audio` needs."""

_LONGEST_NAME = 200
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_MPEG_SYNC = 0xE0
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416


def file_name(target: str) -> str:
    """Return a safe file name for a URL: its last segment, with unusual characters replaced.

    Args:
        target: The path and the query of the URL.
    """
    segment = unquote(target.partition("?")[0].rpartition("/")[2])
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", segment).lstrip("._")[-_LONGEST_NAME:].rstrip(".")
    if not name:
        return "recording"
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def is_audio(head: bytes) -> bool:
    """Return whether a file begins as an mp3 or a wav file does.

    http://www.mp3-tech.org/programmer/frame_header.html, https://id3.org/id3v2.4.0-structure

    Args:
        head: The first bytes of the file, `AUDIO_HEAD` of them if it has so many.
    """
    if head[:4] in {b"RIFF", b"RF64"}:
        return head[8:12] == b"WAVE"
    if head[:3] == b"ID3":
        return True
    frame = head[:3]
    return (
        len(frame) == len(b"\xff\xfb\x90")
        and frame[0] == 0xFF  # noqa: PLR2004 - eleven bits of synchronisation
        and frame[1] & _MPEG_SYNC == _MPEG_SYNC
        and frame[1] & 0x18 != 0x08  # noqa: PLR2004 - a version that does not exist
        and frame[1] & 0x06 == 0x02  # noqa: PLR2004 - layer III
        and frame[2] & 0xF0 != 0xF0  # noqa: PLR2004 - a bit rate that does not exist
    )


@attrs.frozen(kw_only=True)
class RemoteFile:
    """What identifies a file on the server, so that a download of it can be continued.

    Attributes:
        etag: The strong entity tag. If None, the server sent none.
        last_modified: The value of ``Last-Modified``. If None, the server sent none.
        length: The length of the whole file, in bytes. If None, the server did not say it.
        media_type: The value of ``Content-Type``. If None, the server sent none.
    """

    etag: str | None = None
    last_modified: str | None = None
    length: int | None = None
    media_type: str | None = None

    @property
    def validator(self) -> str | None:
        """The value of ``If-Range`` that proves that the file has not changed. If None, nothing proves it."""
        if self.etag is not None:
            return self.etag
        return self.last_modified if self.length is not None else None

    def is_same(self, other: RemoteFile) -> bool:
        """Return whether another response is certainly about the same file."""
        if self.validator is None:
            return False
        return (self.etag, self.length) == (other.etag, other.length) and (
            self.etag is not None or self.last_modified == other.last_modified
        )


@attrs.frozen(kw_only=True)
class Progress:
    """What a response to a download means for the part that is on disk.

    Attributes:
        action: ``append`` if the body continues the part, ``restart`` if the body is the whole file, ``complete`` if
            the part is the whole file already, and ``discard`` if the part must be deleted and the request repeated.
        file: The file on the server.
    """

    action: Literal["append", "restart", "complete", "discard"]
    file: RemoteFile


def read_response(status: int, headers: Mapping[str, str], *, received: int, known: RemoteFile) -> Progress:
    """Decide how a response with status 200, 206 or 416 continues a download.

    Args:
        status: The HTTP status.
        headers: The headers, with their names in lower case.
        received: The number of bytes that are on disk. If it is not 0, the request had a range.
        known: The file to which these bytes belong.

    Returns:
        The decision. A range that is not the one that was requested discards the part.
    """
    if status == _UNSATISFIABLE:
        return Progress(action="complete" if received == known.length else "discard", file=known)
    file = RemoteFile(
        etag=None if (etag := headers.get("etag", "W/")).startswith("W/") else etag,
        last_modified=headers.get("last-modified"),
        length=_length(status, headers),
        media_type=headers.get("content-type"),
    )
    if status == _OK:
        return Progress(action="restart", file=file)
    content_range = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    continues = content_range is not None and int(content_range[1]) == received and known.is_same(file)
    return Progress(action="append" if continues else "discard", file=file)


def _length(status: int, headers: Mapping[str, str]) -> int | None:
    """Return the length of the whole file, which a partial response has in ``Content-Range``."""
    text = headers.get("content-length", "")
    if status == _PARTIAL:
        content_range = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        text = content_range[3] if content_range else ""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None
