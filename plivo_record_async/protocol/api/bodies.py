"""The body of a response: unpacked, decoded, and as much of its JSON as can be read."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, cast

__all__ = ["LONGEST_UNPACKED", "named_texts", "parse_json_object", "text_of", "unpacked"]

LONGEST_UNPACKED: Final = 4 * 1024 * 1024
"""Bytes that are unpacked. A page of 20 recordings is about 20 KB; a body that grows beyond this limit is an attack."""

_WINDOW_BITS: Final[Mapping[str, tuple[int, ...]]] = {
    "gzip": (31,),
    "x-gzip": (31,),
    "deflate": (15, -15),  # the standard asks for a zlib header, and some servers leave it out
}
"""The ``wbits`` argument of zlib for each encoding: https://docs.python.org/3/library/zlib.html#zlib.decompress"""

_NAMED_TEXT: Final = re.compile(r'"(\w{1,40})"\s*:\s*"([^"\\]{1,2000})"')


def unpacked(body: bytes, encodings: str) -> bytes:
    """Undo the encodings that ``Content-Encoding`` names.

    A body in an encoding that is not known here stays as it is. So does one that is not encoded, because some
    transports unpack a body and leave the header.

    Args:
        body: The body as it was received, or its beginning.
        encodings: The value of the header.

    Returns:
        The body, at most `LONGEST_UNPACKED` bytes for each encoding.
    """
    for encoding in reversed(encodings.lower().split(",")):
        body = _inflated(body, _WINDOW_BITS.get(encoding.strip(), ()))
    return body


def _inflated(body: bytes, all_wbits: tuple[int, ...]) -> bytes:
    if body.lstrip().startswith(b"{"):
        return body
    for wbits in all_wbits:
        with suppress(zlib.error):
            return zlib.decompressobj(wbits).decompress(body, LONGEST_UNPACKED)
    return body


def text_of(body: bytes) -> str:
    """Return the body as text.

    Args:
        body: The unpacked body.

    Returns:
        The text, decoded by the Unicode encoding that is detected, or else by Latin-1, which decodes any bytes.
    """
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        was_cut_off = error.reason == "unexpected end of data"
        return body.decode(encoding, "ignore") if was_cut_off else body.decode("latin-1")


def parse_json_object(text: str) -> dict[str, Any]:
    """Return the JSON object at the beginning of a text, and ignore what follows it.

    Args:
        text: The body as text.

    Returns:
        The object. ``NaN`` and ``Infinity``, which are no JSON, and integers of thousands of digits become texts.

    Raises:
        ValueError: The text is empty, not JSON, or not an object; the message says which and shows the beginning.
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
    """Return the fields of the form ``"name": "text"`` in a text that is no complete JSON object.

    Args:
        text: The body as text, for example one that was cut off.

    Returns:
        The texts by their names. If a name occurs twice, the first one counts.
    """
    return dict(reversed(_NAMED_TEXT.findall(text)))


def _int_or_digits(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:  # https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation
        return digits


_JSON: Final = json.JSONDecoder(parse_constant=str, parse_int=_int_or_digits)
