"""Read a line of a batch's input as the request of a call."""

from __future__ import annotations

import json
from typing import TypeVar

import attrs

from plivo_record_async.protocol.models import StartRequest, StopRequest

__all__ = ["InvalidLine", "read_request"]

RequestT = TypeVar("RequestT", StartRequest, StopRequest)


@attrs.frozen(kw_only=True)
class InvalidLine:
    """A line of a batch's input that is not a request.

    Attributes:
        number: The number of the line, from 1.
        text: The line. Bytes that are not UTF-8 are escaped.
    """

    number: int
    text: str


def read_request(kind: type[RequestT], line: bytes) -> RequestT:
    """Return the request that a line describes.

    Args:
        kind: The type of the request.
        line: The name of a conference, or a JSON object with the attributes of the request; without its line end.

    Raises:
        TypeError: A field of the JSON object has the wrong type.
        ValueError: The line is not a request. The message says why.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{error}; the input must be UTF-8 text") from error
    if "\0" in text or "\r" in text:
        raise ValueError(
            "it contains a NUL or a carriage return; the input must be UTF-8 text with LF or CRLF line ends"
        )
    if not text.startswith("{"):
        return kind(text)
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{error.msg} at column {error.colno}; a line that begins with {{ must be a JSON object"
        ) from error
    except RecursionError as error:
        raise ValueError("its JSON is nested too deeply") from error
    known = [attribute.name for attribute in attrs.fields(kind)]
    if unknown := [name for name in fields if name not in known]:
        raise ValueError(f"unknown field {unknown[0]!r}; the known fields are {', '.join(known)}")
    if "conference_name" not in fields:
        raise ValueError("conference_name is missing")
    return kind(**fields)
