"""Sound files of any length that players accept, without a whole file in memory.

A file is a head and a cycle that repeats until the length is reached, so a day of sound takes as little memory as a
second. WAV is a tone of 400 Hz (8 kHz, mono, 16 bit); MP3 is silence (16 kHz, mono, 8 kbit/s).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator

import attrs

__all__ = ["Media", "byte_range", "media_file"]

_WAV_RATE = 8000
_TONE = b"".join(
    struct.pack("<h", round(8000 * math.sin(2 * math.pi * 400 * n / _WAV_RATE))) for n in range(_WAV_RATE // 400)
)

# MPEG-2 layer III, no CRC, 8 kbit/s, 16 kHz, no padding, mono: 72 * 8000 / 16000 = 36 bytes hold 576 samples.
# Side information and spectrum of zeros are silence. http://www.mp3-tech.org/programmer/frame_header.html
_MP3_FRAME = bytes.fromhex("FFF318C0") + bytes(32)
_MP3_FRAME_MS = 36

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@attrs.frozen(kw_only=True)
class Media:
    """A file as a head and a cycle.

    Attributes:
        media_type: The value of ``Content-Type``.
        head: The first bytes.
        cycle: The bytes that follow and repeat.
        length: The size of the file, in bytes.
    """

    media_type: str
    head: bytes
    cycle: bytes
    length: int

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to ``stop``, in pieces no longer than the cycle."""
        position = start
        if position < len(self.head):
            yield self.head[position : min(stop, len(self.head))]
            position = len(self.head)
        while position < stop:
            offset = (position - len(self.head)) % len(self.cycle)
            piece = self.cycle[offset : offset + stop - position]
            yield piece
            position += len(piece)


def media_file(file_format: str, duration_ms: int) -> Media:
    """Return a playable file of this length in ``mp3`` or ``wav``. It has at least one sample or frame."""
    if file_format == "wav":
        size = 2 * max(1, duration_ms * _WAV_RATE // 1000)
        head = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, _WAV_RATE, 2 * _WAV_RATE, 2, 16, b"data", size),
        )
        return Media(media_type="audio/wav", head=head, cycle=_TONE * 1600, length=len(head) + size)
    frames = max(1, round(duration_ms / _MP3_FRAME_MS))
    return Media(media_type="audio/mpeg", head=b"", cycle=_MP3_FRAME * 1800, length=len(_MP3_FRAME) * frames)


def byte_range(header: str | None, length: int) -> tuple[int, int] | None:
    """Return start and stop of a ``Range`` header, or those of the whole file if the header is not understood.

    https://www.rfc-editor.org/rfc/rfc9110#name-range

    Returns:
        None if the range has no byte of the file. The answer is then 416.
    """
    asked = _RANGE.fullmatch(header) if header else None
    if asked is None or asked.groups() == ("", ""):
        return 0, length
    first, last = asked.groups()
    if not first:
        return (max(0, length - int(last)), length) if int(last) else None
    start = int(first)
    if last and int(last) < start:
        return 0, length
    return (start, min(length, int(last) + 1) if last else length) if start < length else None
