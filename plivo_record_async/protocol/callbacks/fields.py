"""When a callback's field is well formed, and what it then says.

Each reader takes the field's name, for its message, and the value, a text or what JSON had in its place; it gives
``None`` for what Plivo left empty, and raises `UnreadableError` for what no honest callback holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeGuard, TypeVar

from plivo_record_async.protocol.arguments import is_web_address

__all__ = [
    "PlivoId",
    "Reader",
    "UnreadableError",
    "amount",
    "identifier",
    "json_object",
    "moment",
    "named_ids",
    "needed",
    "plain_text",
    "problem",
    "spoken_text",
    "web_address",
    "whole_number",
]

T = TypeVar("T")
Reader = Callable[[str, Any], T | None]

PlivoId = Literal["api_id", "recording_id"]
"""The ids of Plivo's by which a followed recording can be found."""

_SPELLINGS: Mapping[PlivoId, tuple[str, str]] = {
    "api_id": ("api_id", "ApiID"),
    "recording_id": ("recording_id", "RecordingID"),
}


class UnreadableError(ValueError):
    """A field holds what no callback of Plivo's is known to hold."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]{0,254}")

_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON's escapes can spell, but UTF-8, and so no store, can keep."""

_LARGEST = 2**53
"""Up to here a float holds every whole number, and every store an integer."""


def needed(reader: Reader[T]) -> Callable[[str, Any], T]:
    """The same reader, for a field that must not be missing or empty."""

    def read(name: str, value: Any) -> T:
        found = reader(name, value)
        if found is None:
            raise UnreadableError(f"{name} is missing")
        return found

    return read


def spoken_text(name: str, value: Any) -> str | None:
    """A text that may be empty, as the transcript of silence is."""
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value) if _is_number(value) else None
    if text is None or (not text.isascii() and _SURROGATE.search(text)):
        raise UnreadableError(f"{name} must be a text, not {value!r:.80}")
    return text


def plain_text(name: str, value: Any) -> str | None:
    """A text."""
    return spoken_text(name, value) or None


def problem(name: str, value: Any) -> str | None:
    """Plivo's words for what went wrong: a text, or an object that holds one, or else its JSON.

    ``false``, ``{}`` and ``[]`` say that nothing did.
    """
    while _is_object(value) and "error" in value:
        value = value["error"]
    if value is False or value in ({}, []):
        return None
    if isinstance(value, dict | list):
        try:
            value = json.dumps(value)
        except RecursionError as error:
            raise UnreadableError(f"{name} is nested too deeply") from error
    return plain_text(name, value)


def identifier(name: str, value: Any) -> str | None:
    """One of Plivo's ids: opaque, not always a UUID, but never with spaces or signs of a query or a form."""
    text = plain_text(name, value)
    if text is not None and not _IDENTIFIER.fullmatch(text):
        raise UnreadableError(f"{name} is no id: {text!r:.80}")
    return text


def web_address(name: str, value: Any) -> str | None:
    """An absolute http or https URL."""
    text = plain_text(name, value)
    if text is not None and not is_web_address(text):
        raise UnreadableError(f"{name} is no http(s) URL: {text!r:.80}")
    return text


def amount(name: str, value: Any) -> float | None:
    """A number that is not negative; -1 stands for "not known"."""
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else repr(value) if _is_number(value) else None
    if text is None or not _NUMBER.fullmatch(text):
        raise UnreadableError(f"{name} is no number: {value!r:.80}")
    number = float(text)
    if number == -1:
        return None
    if not 0 <= number <= _LARGEST:
        raise UnreadableError(f"{name} is beyond reason: {text:.80}")
    return number


def whole_number(name: str, value: Any) -> int | None:
    """A number, to the nearest whole one."""
    number = amount(name, value)
    return None if number is None else round(number)


def moment(name: str, value: Any) -> datetime | None:
    """A time in milliseconds since 1970 (UTC)."""
    number = amount(name, value)
    try:
        return None if number is None else _EPOCH + timedelta(milliseconds=number)
    except OverflowError as error:
        raise UnreadableError(f"{name} is beyond the year 9999: {value!r:.80}") from error


def json_object(name: str, value: str) -> Mapping[str, Any]:
    """A text that holds a JSON object in which no name is repeated."""
    try:
        data: Any = _JSON.decode(value)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{name} holds no usable JSON: {error}") from error
    if not _is_object(data):
        raise UnreadableError(f"{name} holds no JSON object: {value!r:.80}")
    return data


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a name is repeated")
    return data


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


_JSON = json.JSONDecoder(object_pairs_hook=_unrepeated, parse_constant=_no_number)


def _is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, dict)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def named_ids(raw: Mapping[str, Any]) -> dict[PlivoId, str]:
    """Return the ids in a callback's fields, or in the JSON of its field ``response``.

    Args:
        raw: Every field as it was sent.
    """
    fields = dict(raw)
    if isinstance(response := raw.get("response"), str):
        with suppress(UnreadableError):
            fields = {**json_object("response", response), **fields}
    found: dict[PlivoId, str] = {}
    for kind, spellings in _SPELLINGS.items():
        values = [value for name in spellings if isinstance(value := fields.get(name), str) and value]
        if values:
            found[kind] = values[0]
    return found
