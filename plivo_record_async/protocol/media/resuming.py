"""Decide whether and how a download is resumed, with range requests.

https://www.rfc-editor.org/rfc/rfc9110#name-range-requests
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import attrs

__all__ = ["RemoteFile", "ResponseAction", "read_response"]

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416


def _header_or_none(value: object) -> str | None:
    """Return the value of a header, or None if it cannot be sent back to the server."""
    return value if isinstance(value, str) and value and value.isascii() and value.isprintable() else None


def _length_or_none(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


@attrs.frozen(kw_only=True)
class RemoteFile:
    """The headers that identify a file on the server. They must prove that it is the same before a download is resumed.

    A value that cannot be used becomes None: the server may send anything, and the stored headers may be damaged.

    Attributes:
        etag: The strong entity tag. If None, the server sent none.
        last_modified: The value of ``Last-Modified``. If None, the server sent none.
        length: The length of the whole file, in bytes. If None, it is not known.
        media_type: The value of ``Content-Type``. If None, the server sent none.
    """

    etag: str | None = attrs.field(default=None, converter=_header_or_none)
    last_modified: str | None = attrs.field(default=None, converter=_header_or_none)
    length: int | None = attrs.field(default=None, converter=_length_or_none)
    media_type: str | None = attrs.field(default=None, converter=_header_or_none)

    @property
    def validator(self) -> str | None:
        """The value for ``If-Range``. If None, the server sent nothing that can prove that the file has not changed."""
        if self.etag is not None:
            return self.etag
        return self.last_modified if self.length is not None else None

    def is_same(self, other: RemoteFile) -> bool:
        """Return whether the headers of another response prove that it is the same file."""
        if self.validator is None:
            return False
        return (self.etag, self.length) == (other.etag, other.length) and (
            self.etag is not None or self.last_modified == other.last_modified
        )


@attrs.frozen(kw_only=True)
class ResponseAction:
    """How to process a response to a download, given the bytes that were received before.

    Attributes:
        action: ``append``: the body continues these bytes. ``restart``: the body is the whole file. ``complete``: these
            bytes are the whole file already. ``discard``: delete these bytes and repeat the request.
        file: The file on the server, as the response describes it.
    """

    action: Literal["append", "restart", "complete", "discard"]
    file: RemoteFile


def read_response(status: int, headers: Mapping[str, str], *, received: int, known: RemoteFile) -> ResponseAction:
    """Decide how to process a response with status 200, 206 or 416.

    Args:
        status: The HTTP status.
        headers: The headers, with their names in lower case.
        received: The number of bytes that were received before. If it is not 0, the request had a range.
        known: The file to which these bytes belong.

    Returns:
        The decision. If the response contains another range than the requested one, it is ``discard``.
    """
    if status == _UNSATISFIABLE:
        return ResponseAction(action="complete" if received == known.length else "discard", file=known)
    file = RemoteFile(
        etag=None if (etag := headers.get("etag", "W/")).startswith("W/") else etag,
        last_modified=headers.get("last-modified"),
        length=_length(status, headers),
        media_type=headers.get("content-type"),
    )
    if status == _OK:
        return ResponseAction(action="restart", file=file)
    content_range = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    continues = content_range is not None and int(content_range[1]) == received and known.is_same(file)
    return ResponseAction(action="append" if continues else "discard", file=file)


def _length(status: int, headers: Mapping[str, str]) -> int | None:
    """Return the length of the whole file. In a partial response, ``Content-Range`` contains it."""
    text = headers.get("content-length", "")
    if status == _PARTIAL:
        content_range = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        text = content_range[3] if content_range else ""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None
