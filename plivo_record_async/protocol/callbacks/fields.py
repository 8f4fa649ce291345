"""Readers for the fields of callbacks: they check a value and convert it.

A reader has two arguments: the name of the field, for error messages, and the value, which is a text or a JSON value.
It returns None for a field that is missing or empty, and raises an `UnreadableFieldError` for a value that Plivo is not
known to send.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeGuard, TypeVar

from plivo_record_async.protocol.arguments import is_http_url

__all__ = [
    "PlivoId",
    "Reader",
    "UnreadableFieldError",
    "named_ids",
    "read_error",
    "read_id",
    "read_integer",
    "read_json_object",
    "read_number",
    "read_text",
    "read_time",
    "read_transcript",
    "read_url",
    "required",
]

T = TypeVar("T")
Reader = Callable[[str, Any], T | None]
"""A function that checks and converts the value of a field."""

PlivoId = Literal["api_id", "recording_id"]
"""The names of the two IDs of Plivo's by which a followed recording can be found."""

_SPELLINGS: Mapping[PlivoId, tuple[str, str]] = {
    "api_id": ("api_id", "ApiID"),
    "recording_id": ("recording_id", "RecordingID"),
}


class UnreadableFieldError(ValueError):
    """A field has a value that Plivo is not known to send."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]{0,254}")

_SURROGATE = re.compile("[\ud800-\udfff]")
"""A lone surrogate. An escape in JSON can contain it, but UTF-8 cannot encode it, so no store can keep it."""

_LARGEST = 2**53
"""The largest number up to which a float represents every integer exactly."""


def required(reader: Reader[T]) -> Callable[[str, Any], T]:
    """Return a reader that raises an error for a field that is missing or empty.

    Args:
        reader: The reader of the field if it is present.
    """

    def read(name: str, value: Any) -> T:
        found = reader(name, value)
        if found is None:
            raise UnreadableFieldError(f"{name} is missing")
        return found

    return read


def read_transcript(name: str, value: Any) -> str | None:
    """Read a text that may be empty, because the transcript of silence is empty."""
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value) if _is_number(value) else None
    if text is None or (not text.isascii() and _SURROGATE.search(text)):
        raise UnreadableFieldError(f"{name} must be a text, not {value!r:.80}")
    return text


def read_text(name: str, value: Any) -> str | None:
    """Read a text. An empty text is read as None."""
    return read_transcript(name, value) or None


def read_error(name: str, value: Any) -> str | None:
    """Read an error: a text, or an object with a text in ``error``. Any other object or list becomes its JSON.

    ``false``, ``{}`` and ``[]`` are read as None.
    """
    while _is_object(value) and "error" in value:
        value = value["error"]
    if value is False or value in ({}, []):
        return None
    if isinstance(value, dict | list):
        try:
            value = json.dumps(value)
        except RecursionError as error:
            raise UnreadableFieldError(f"{name} is nested too deeply") from error
    return read_text(name, value)


def read_id(name: str, value: Any) -> str | None:
    """Read an ID of Plivo's. It is opaque, but never contains a space or a delimiter of a query or a form."""
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return value
    text = read_text(name, value)
    if text is not None and not _IDENTIFIER.fullmatch(text):
        raise UnreadableFieldError(f"{name} is not an ID: {text!r:.80}")
    return text


def read_url(name: str, value: Any) -> str | None:
    """Read an absolute http or https URL."""
    text = read_text(name, value)
    if text is not None and not is_http_url(text):
        raise UnreadableFieldError(f"{name} is not an http or https URL: {text!r:.80}")
    return text


def read_number(name: str, value: Any) -> float | None:
    """Read a number that is not negative. Plivo sends -1 for "not known yet", which is read as None."""
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else repr(value) if _is_number(value) else None
    if text is None or not _NUMBER.fullmatch(text):
        raise UnreadableFieldError(f"{name} is not a number: {value!r:.80}")
    number = float(text)
    if number == -1:
        return None
    if not 0 <= number <= _LARGEST:
        raise UnreadableFieldError(f"{name} is out of range: {text:.80}")
    return number


def read_integer(name: str, value: Any) -> int | None:
    """Read a number and round it to the nearest integer."""
    number = read_number(name, value)
    return None if number is None else round(number)


def read_time(name: str, value: Any) -> datetime | None:
    """Read a time, which Plivo sends in milliseconds since 1970 (UTC)."""
    number = read_number(name, value)
    try:
        return None if number is None else _EPOCH + timedelta(milliseconds=number)
    except OverflowError as error:
        raise UnreadableFieldError(f"{name} is after the year 9999: {value!r:.80}") from error


def read_json_object(name: str, value: str) -> Mapping[str, Any]:
    """Read the text of a JSON object. A repeated name is an error, because parsers differ in the value that they use.

    Args:
        name: The name of the field, for error messages.
        value: The text.

    Raises:
        UnreadableFieldError: The text is not a JSON object, or it repeats a name.
    """
    try:
        data: Any = _JSON.decode(value)
    except (ValueError, RecursionError) as error:
        raise UnreadableFieldError(f"{name} cannot be read as JSON: {error}") from error
    if not _is_object(data):
        raise UnreadableFieldError(f"{name} is not a JSON object: {value!r:.80}")
    return data


def _without_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a name is repeated")
    return data


def _reject_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


_JSON = json.JSONDecoder(object_pairs_hook=_without_repeated_names, parse_constant=_reject_constant)


def _is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, dict)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def named_ids(raw: Mapping[str, Any]) -> dict[PlivoId, str]:
    """Return Plivo's IDs in the fields of a callback, or in the JSON of its field ``response``.

    Args:
        raw: Every field of the callback as it was received.

    Returns:
        The ``api_id``, the ``recording_id``, both or neither.
    """
    fields = dict(raw)
    if isinstance(response := raw.get("response"), str):
        with suppress(UnreadableFieldError):
            fields = {**read_json_object("response", response), **fields}
    found: dict[PlivoId, str] = {}
    for kind, spellings in _SPELLINGS.items():
        values = [value for name in spellings if isinstance(value := fields.get(name), str) and value]
        if values:
            found[kind] = values[0]
    return found
