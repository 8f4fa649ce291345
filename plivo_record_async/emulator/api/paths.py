"""The target of a request, as it was sent."""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["authority_of", "first_segment", "segments"]

_ABSOLUTE = re.compile(rb"(?i:https?)://([^/]*)")
"""The beginning of a request target that is a whole URL: https://www.rfc-editor.org/rfc/rfc9112#name-absolute-form"""


def authority_of(raw_path: bytes) -> str | None:
    """Return host and port of a request target that is a whole URL, or None if the target is a path."""
    absolute = _ABSOLUTE.match(raw_path)
    return absolute and absolute[1].decode("latin-1")


def first_segment(raw_path: bytes) -> str:
    """Return the first segment of a path as it was sent, even if the rest is not UTF-8."""
    absolute = _ABSOLUTE.match(raw_path)
    path = raw_path[absolute.end() if absolute else 0 :].removeprefix(b"/")
    return "".join(segments(path.partition(b"/")[0]))


def segments(raw_path: bytes) -> list[str]:
    """Return the segments of a path as it was sent. Each is decoded on its own, so ``a%2Fb`` is one segment.

    Returns:
        An empty list if the path is not UTF-8, because no resource has such a path.
    """
    try:
        absolute = _ABSOLUTE.match(raw_path)
        path = raw_path[absolute.end() if absolute else 0 :].decode("ascii").removeprefix("/")
        return [unquote(segment, errors="strict") for segment in path.split("/")]
    except UnicodeDecodeError:
        return []
