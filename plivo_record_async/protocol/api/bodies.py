"""What the body of an answer says: unpacked, decoded, and as much of its JSON as can be read."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, cast

__all__ = ["LONGEST", "json_object", "named_texts", "text_of", "unpacked"]

LONGEST: Final = 4 * 1024 * 1024
"""Bytes that are unpacked. A page of 20 recordings is about 20 KB; a body that grows beyond this is a bomb."""

_WINDOWS: Final[Mapping[str, tuple[int, ...]]] = {
    "gzip": (31,),
    "x-gzip": (31,),
    "deflate": (15, -15),  # the standard asks for a zlib header, and some servers leave it out
}
"""What zlib has to be told about each encoding: https://docs.python.org/3/library/zlib.html#zlib.decompress"""

_NAMED_TEXT: Final = re.compile(r'"(\w{1,40})"\s*:\s*"([^"\\]{1,2000})"')


def unpacked(body: bytes, encodings: str) -> bytes:
    """Undo the encodings that ``Content-Encoding`` names.

    What is in an encoding that is not known here stays as it is; so does what is in none, because some transports
    unpack a body and leave the header.

    Args:
        body: The body as it came, or its beginning.
        encodings: The header's value.
    """
    for encoding in reversed(encodings.lower().split(",")):
        body = _inflated(body, _WINDOWS.get(encoding.strip(), ()))
    return body


def _inflated(body: bytes, windows: tuple[int, ...]) -> bytes:
    if body.lstrip().startswith(b"{"):
        return body
    for window in windows:
        with suppress(zlib.error):
            return zlib.decompressobj(window).decompress(body, LONGEST)
    return body


def text_of(body: bytes) -> str:
    """Return the body as text: in the encoding that JSON is detected in, or else in Latin-1, which fits any bytes."""
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        was_cut_off = error.reason == "unexpected end of data"
        return body.decode(encoding, "ignore") if was_cut_off else body.decode("latin-1")


def json_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a text begins with; what follows it is ignored.

    ``NaN`` and ``Infinity``, which are no JSON, and whole numbers of thousands of digits become texts.

    Raises:
        ValueError: It is empty, not JSON, or not an object; the message says which and shows the beginning.
    """
    text = text.strip()
    if not text:
        raise ValueError("its body is empty")
    try:
        data, _ = _JSON.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its body is not JSON: {text[:200]!r}") from error
    if not isinstance(data, dict):
        raise ValueError(f"its body is not a JSON object: {text[:200]!r}")  # noqa: TRY004 - it is Plivo's value, not the caller's
    return cast("dict[str, Any]", data)


def named_texts(text: str) -> Mapping[str, str]:
    """Return what stands as ``"name": "text"`` in a text that is no JSON object as a whole, such as one cut off."""
    return dict(reversed(_NAMED_TEXT.findall(text)))  # of two with one name the first counts


def _whole(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:  # https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation
        return digits


_JSON: Final = json.JSONDecoder(parse_constant=str, parse_int=_whole)
