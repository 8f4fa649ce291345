"""The name of a downloaded file, and the check that it is audio."""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["AUDIO_HEAD", "file_name", "is_audio"]

AUDIO_HEAD = 12
"""The number of bytes that `is_audio` needs."""

_MAX_NAME_LENGTH = 200
_PARTIAL = re.compile(r"(?i).*\.part(\.json(\.new)?)?")
"""The names of the partial file of another download, and of its description."""

_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_MPEG_SYNC = 0xE0


def file_name(target: str) -> str:
    """Return a safe file name for a URL: the last segment of its path, with unusual characters replaced.

    Args:
        target: The path and the query of the URL.
    """
    segment = unquote(target.partition("?")[0].rpartition("/")[2])
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", segment).lstrip("._")[-_MAX_NAME_LENGTH:].rstrip(".")
    if not name:
        return "recording"
    name = f"{name}_" if _PARTIAL.fullmatch(name) else name
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def is_audio(head: bytes) -> bool:
    """Return whether a file begins as an mp3 or a wav file does.

    http://www.mp3-tech.org/programmer/frame_header.html, https://id3.org/id3v2.4.0-structure

    Args:
        head: The first `AUDIO_HEAD` bytes of the file, or the whole file if it is shorter.
    """
    if head[:4] in {b"RIFF", b"RF64"}:
        return head[8:12] == b"WAVE"
    if head[:3] == b"ID3":
        return True
    frame = head[:3]
    return (
        len(frame) == len(b"\xff\xfb\x90")
        and frame[0] == 0xFF  # noqa: PLR2004 - eleven synchronization bits
        and frame[1] & _MPEG_SYNC == _MPEG_SYNC
        and frame[1] & 0x18 != 0x08  # noqa: PLR2004 - the reserved version
        and frame[1] & 0x06 == 0x02  # noqa: PLR2004 - layer III
        and frame[2] & 0xF0 != 0xF0  # noqa: PLR2004 - the invalid bit rate
    )
