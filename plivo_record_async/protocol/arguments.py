"""What callers may pass: each check names the argument, what was received and what is wanted.

They raise ``TypeError`` or ``ValueError`` and never change a value. Those for texts are attrs validators.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import attrs

__all__ = [
    "aware_datetime",
    "conference_name",
    "http_url",
    "integer",
    "is_http_url",
    "number",
    "one_of",
    "optional",
    "path_segment",
    "positive_number",
    "text",
    "utf8_text",
]

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def text(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """A text, as `utf8_text` has it."""
    utf8_text(attribute.name, value)


def conference_name(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Any text that can be a path segment."""
    path_segment(attribute.name, value)


def utf8_text(name: str, value: object) -> str:
    """A ``str`` with something in it that UTF-8 can carry."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}: {value!r}")
    if not value:
        raise ValueError(f"{name} must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} holds a lone surrogate, which UTF-8 cannot carry: {value!r}") from error
    return value


def path_segment(name: str, value: object) -> str:
    """Any text but ``.`` and ``..``, which HTTP clients and proxies resolve away even when encoded."""
    if utf8_text(name, value) in {".", ".."}:
        raise ValueError(f"{name} must not be {value!r}: as a path segment it means another address")
    return str(value)


def http_url(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    """An absolute http or https URL; it is passed on byte for byte, fragment included."""
    text(instance, attribute, value)
    if not is_http_url(value):
        raise ValueError(f"{attribute.name} must be an absolute http:// or https:// URL without spaces, not {value!r}")


def is_http_url(value: str) -> bool:
    """Whether a text is an absolute http or https URL."""
    origin = _ORIGIN.match(value)
    # No white space but the space itself is printable.
    return (
        origin is not None
        and len(origin[0]) < _LONGEST_ORIGIN
        and _is_origin(origin[0])
        and value.isprintable()
        and " " not in value
    )


_ORIGIN = re.compile("[^/?#]*//[^/?#]*")
_LONGEST_ORIGIN = 1000  # what callbacks hold is remembered below, and whoever has one can make others of it


@lru_cache(maxsize=256)  # the addresses are many, what they begin with is not
def _is_origin(value: str) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def one_of(*choices: str) -> Validator:
    """One of these words, spelled just so."""

    def check(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, str):
            raise TypeError(f"{attribute.name} must be a str, not {type(value).__name__}: {value!r}")
        if value not in choices:
            raise ValueError(f"{attribute.name} must be one of {', '.join(choices)}, not {value!r}")

    return check


def optional(check: Validator) -> Validator:
    """``None``, or what ``check`` lets pass."""

    def check_unless_none(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is not None:
            check(instance, attribute, value)

    return check_unless_none


def number(name: str, value: object) -> float:
    """A number, but not True or False."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}: {value!r}")
    return value


def positive_number(name: str, value: object) -> float:
    """A finite number above 0."""
    value = number(name, value)
    if not 0 < value <= sys.float_info.max:
        raise ValueError(f"{name} must be more than 0 and finite, not {value!r}")
    return value


def integer(name: str, value: object, *, least: int) -> int:
    """A whole number from ``least`` on."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}: {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value


def aware_datetime(name: str, value: object) -> datetime:
    """A ``datetime`` that knows its offset from UTC."""
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be a datetime, not {type(value).__name__}: {value!r}")
    if value.utcoffset() is None:
        raise ValueError(f"{name} must be aware, for example datetime.now(UTC), not {value!r}")
    return value
