"""Read a line or a row of a batch's input as an item: the request of a call, and whether to transcribe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import attrs

from plivo_record_async.protocol.models import StartRequest, StopRequest

__all__ = ["TRANSCRIBE", "InvalidLine", "Item", "known_fields", "read_fields", "read_line", "utf8_text"]

RequestT = TypeVar("RequestT", StartRequest, StopRequest)

TRANSCRIBE = "transcribe"
"""The field of a start that says whether to request a transcript. It is not an attribute of the request."""


@attrs.frozen(kw_only=True)
class InvalidLine:
    """A line or a row of a batch's input that is not a request.

    Attributes:
        number: The number of the line, from 1.
        text: The line. Bytes that are not UTF-8 are escaped.
        error: Why it is not a request.
    """

    number: int
    text: str
    error: str


@attrs.frozen(kw_only=True)
class Item(Generic[RequestT]):
    """A line or a row of a batch's input.

    Attributes:
        number: The number of the line, from 1. A row of a CSV file can have several lines; this is its first one.
        request: The request.
        transcribe: Whether to request a transcript. If None, the line does not say it.
    """

    number: int
    request: RequestT
    transcribe: bool | None = None


def known_fields(kind: type[RequestT]) -> tuple[str, ...]:
    """Return the names of the fields that a line or a row may have.

    Args:
        kind: The type of the request.
    """
    names: list[str] = [attribute.name for attribute in attrs.fields(kind)]
    return (*names, TRANSCRIBE) if "file_format" in names else tuple(names)


def read_line(kind: type[RequestT], line: str, number: int) -> Item[RequestT]:
    """Return the item that a line describes.

    Args:
        kind: The type of the request.
        line: The name of a conference, or a JSON object with the fields of the item; without its line end.
        number: The number of the line.

    Raises:
        TypeError: A field of the JSON object has the wrong type.
        ValueError: The line is not a request. The message says why.
    """
    if "\r" in line:
        raise ValueError("it contains a carriage return; the input must be UTF-8 text with LF or CRLF line ends")
    if not line.lstrip().startswith("{"):
        return Item(number=number, request=kind(utf8_text(line)))
    try:
        fields = json.loads(utf8_text(line))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{error.msg} at column {error.colno}; a line that begins with {{ must be a JSON object"
        ) from error
    except RecursionError as error:
        raise ValueError("its JSON is nested too deeply") from error
    known = known_fields(kind)
    if unknown := [name for name in fields if name not in known]:
        raise ValueError(f"unknown field {unknown[0]!r}; the known fields are {', '.join(known)}")
    return read_fields(kind, fields, number)


def read_fields(kind: type[RequestT], fields: Mapping[str, Any], number: int) -> Item[RequestT]:
    """Return the item with these fields.

    Args:
        kind: The type of the request.
        fields: The fields of the item. Each name is known.
        number: The number of the line.

    Raises:
        TypeError: A field has the wrong type.
        ValueError: A field has an invalid value, or the name of the conference is missing.
    """
    options = dict(fields)
    transcribe = options.pop(TRANSCRIBE, None)
    if not isinstance(transcribe, bool | None):
        raise TypeError(f"{TRANSCRIBE} must be true or false, not {transcribe!r}")
    if "conference_name" not in options:
        raise ValueError("conference_name is missing")
    return Item(number=number, request=kind(**options), transcribe=transcribe)


def utf8_text(text: str) -> str:
    """Return a text of an input, if all of it is UTF-8.

    Args:
        text: The text, in which lone surrogates stand for bytes that are not UTF-8.

    Raises:
        ValueError: The text contains bytes that are not UTF-8.
    """
    try:
        return text.encode(errors="surrogateescape").decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{error}; the input must be UTF-8 text") from error
