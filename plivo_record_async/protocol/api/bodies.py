"""The body of a response: how it is decompressed, decoded, and read as JSON as far as possible."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, cast

__all__ = ["LONGEST_DECOMPRESSED", "decompressed", "parse_json_object", "string_fields", "text_of"]

LONGEST_DECOMPRESSED: Final = 4 * 1024 * 1024
"""Bytes. A page of 20 recordings has about 20 KB, so a body that is longer than this is an attack."""

_WINDOW_BITS: Final[Mapping[str, tuple[int, ...]]] = {
    "gzip": (31,),
    "x-gzip": (31,),
    "deflate": (15, -15),  # the standard requires a zlib header, but some servers omit it
}
"""zlib's argument ``wbits`` for each encoding: https://docs.python.org/3/library/zlib.html#zlib.decompress"""

_STRING_FIELD: Final = re.compile(r'"(\w{1,40})"\s*:\s*"([^"\\]{1,2000})"')


def decompressed(body: bytes, encodings: str) -> bytes:
    """Return a body without the encodings that ``Content-Encoding`` names.

    A body in an unknown encoding is not changed. Neither is one that is not encoded, because some transports decompress
    a body without removing the header.

    Args:
        body: The body as it was received, or its beginning.
        encodings: The value of the header.

    Returns:
        The decompressed body, limited to `LONGEST_DECOMPRESSED` bytes for each encoding.
    """
    for encoding in reversed(encodings.lower().split(",")):
        body = _decompressed_by(body, _WINDOW_BITS.get(encoding.strip(), ()))
    return body


def _decompressed_by(body: bytes, all_wbits: tuple[int, ...]) -> bytes:
    if body.lstrip().startswith(b"{"):
        return body
    for wbits in all_wbits:
        with suppress(zlib.error):
            return zlib.decompressobj(wbits).decompress(body, LONGEST_DECOMPRESSED)
    return body


def text_of(body: bytes) -> str:
    """Return the body as text.

    Args:
        body: The decompressed body.

    Returns:
        The text. It is decoded with the detected Unicode encoding, or if that fails, with Latin-1, which decodes any
        bytes.
    """
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        was_cut_off = error.reason == "unexpected end of data"
        return body.decode(encoding, "ignore") if was_cut_off else body.decode("latin-1")


def parse_json_object(text: str) -> dict[str, Any]:
    """Return the JSON object at the beginning of a text. Anything after it is ignored.

    Args:
        text: The body as text.

    Returns:
        The object. ``NaN`` and ``Infinity``, which JSON does not allow, and integers of thousands of digits become
        strings.

    Raises:
        ValueError: The text is empty, is not JSON, or is not an object. The message says which, and shows the beginning
            of the text.
    """
    text = text.strip()
    if not text:
        raise ValueError("the response is empty")
    try:
        data, _ = _JSON.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the response is not JSON: {text[:200]!r}") from error
    if not isinstance(data, dict):
        raise ValueError(f"the response is not a JSON object: {text[:200]!r}")  # noqa: TRY004 - the value is Plivo's, not an argument
    return cast("dict[str, Any]", data)


def string_fields(text: str) -> Mapping[str, str]:
    """Return the fields of the form ``"name": "string"`` in a text that is not a complete JSON object.

    Args:
        text: The body as text, for example if the connection broke before all of it arrived.

    Returns:
        The strings by their names. If a name occurs twice, the first field counts.
    """
    return dict(reversed(_STRING_FIELD.findall(text)))


def _int_or_digits(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:  # https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation
        return digits


_JSON: Final = json.JSONDecoder(parse_constant=str, parse_int=_int_or_digits)
