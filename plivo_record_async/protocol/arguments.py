"""Checks of arguments. Each error names the argument, the value that was passed, and the values that are allowed.

The checks raise ``TypeError`` or ``ValueError``, and never change a value. The functions with three parameters are
attrs validators: https://www.attrs.org/en/stable/init.html#validators
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlsplit

import attrs

__all__ = [
    "absolute_url",
    "aware_datetime",
    "conference_name",
    "http_url",
    "integer",
    "is_async",
    "is_http_url",
    "number",
    "one_of",
    "optional",
    "path_segment",
    "plain_function",
    "positive_number",
    "text",
    "utf8_text",
]

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def text(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that an attribute is a string that is not empty and that UTF-8 can encode."""
    utf8_text(attribute.name, value)


def conference_name(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that an attribute is a string that can be a path segment."""
    path_segment(attribute.name, value)


def utf8_text(name: str, value: object) -> str:
    """Return a value after checking that it is a string that is not empty and that UTF-8 can encode.

    Args:
        name: The name of the argument, for errors.
        value: The value.

    Returns:
        The value.

    Raises:
        TypeError: The value is not a string.
        ValueError: The string is empty or contains a lone surrogate.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}: {value!r}")
    if not value:
        raise ValueError(f"{name} must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} contains a lone surrogate, which UTF-8 cannot encode: {value!r}") from error
    return value


def path_segment(name: str, value: object) -> str:
    """Return a value after checking that it can be a path segment.

    HTTP software removes the segments ``.`` and ``..``, even if they are percent-encoded:
    https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4

    Args:
        name: The name of the argument, for errors.
        value: The value.

    Returns:
        The value.

    Raises:
        TypeError: The value is not a string.
        ValueError: The string is empty, ``.`` or ``..``, or contains a lone surrogate.
    """
    if utf8_text(name, value) in {".", ".."}:
        raise ValueError(f"{name} must not be {value!r}, because a URL cannot contain it as a path segment")
    return str(value)


def http_url(_instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    """Check that an attribute is an absolute http or https URL. It may have a fragment."""
    absolute_url(attribute.name, value)


def absolute_url(name: str, value: object) -> str:
    """Return a value after checking that it is an absolute http or https URL. It may have a fragment.

    Args:
        name: The name of the argument, for errors.
        value: The value.

    Returns:
        The value.

    Raises:
        TypeError: The value is not a string.
        ValueError: The string is not an absolute http or https URL.
    """
    url = utf8_text(name, value)
    if not is_http_url(url):
        raise ValueError(f"{name} must be an absolute http:// or https:// URL without spaces, not {url!r}")
    return url


def is_http_url(value: str) -> bool:
    """Return whether a string is an absolute http or https URL.

    Args:
        value: The string.
    """
    origin = _ORIGIN.match(value)
    # isprintable() rejects every other kind of white space.
    return (
        origin is not None
        and len(origin[0]) < _LONGEST_ORIGIN
        and _is_origin(origin[0])
        and value.isprintable()
        and " " not in value
    )


_ORIGIN = re.compile("[^/?#]*//[^/?#]*")
_LONGEST_ORIGIN = 1000  # results are cached, and outsiders can choose the URLs in callbacks


@lru_cache(maxsize=256)  # there are many URLs, but few origins
def _is_origin(value: str) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def one_of(*choices: str) -> Validator:
    """Return a validator that accepts only the given strings.

    Args:
        choices: The strings. Upper and lower case are different.

    Returns:
        The validator.
    """

    def check(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, str):
            raise TypeError(f"{attribute.name} must be a str, not {type(value).__name__}: {value!r}")
        if value not in choices:
            raise ValueError(f"{attribute.name} must be one of {', '.join(choices)}, not {value!r}")

    return check


def optional(check: Validator) -> Validator:
    """Return a validator that accepts None and every value that ``check`` accepts.

    Args:
        check: A validator.

    Returns:
        The validator.
    """

    def check_unless_none(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is not None:
            check(instance, attribute, value)

    return check_unless_none


def number(name: str, value: object) -> float:
    """Return a value after checking that it is a number. A bool does not count as a number.

    Args:
        name: The name of the argument, for errors.
        value: The value.

    Returns:
        The value.

    Raises:
        TypeError: The value is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}: {value!r}")
    return value


def positive_number(name: str, value: object) -> float:
    """Return a value after checking that it is a finite number above 0.

    Args:
        name: The name of the argument, for errors.
        value: The value.

    Returns:
        The value.

    Raises:
        TypeError: The value is not a number.
        ValueError: The number is not above 0 or not finite.
    """
    value = number(name, value)
    if not 0 < value <= sys.float_info.max:
        raise ValueError(f"{name} must be a finite number above 0, not {value!r}")
    return value


def integer(name: str, value: object, *, least: int) -> int:
    """Return a value after checking that it is an integer of at least ``least``. A bool does not count as an integer.

    Args:
        name: The name of the argument, for errors.
        value: The value.
        least: The least integer that is allowed.

    Returns:
        The value.

    Raises:
        TypeError: The value is not an integer.
        ValueError: The integer is less than ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}: {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value


def aware_datetime(name: str, value: object) -> datetime:
    """Return a value after checking that it is a ``datetime`` with an offset from UTC.

    Args:
        name: The name of the argument, for errors.
        value: The value.

    Returns:
        The value.

    Raises:
        TypeError: The value is not a ``datetime``.
        ValueError: The ``datetime`` is naive.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be a datetime, not {type(value).__name__}: {value!r}")
    if value.utcoffset() is None:
        raise ValueError(f"{name} must be aware (have a time zone), for example datetime.now(UTC), not {value!r}")
    return value


def plain_function(name: str, value: object) -> None:
    """Check that an argument is a function that is not async.

    Args:
        name: The name of the argument.
        value: The value of the argument.

    Raises:
        TypeError: The value cannot be called, or it is async.
    """
    if not callable(value):
        raise TypeError(f"{name} must be a function, not {value!r}")
    if is_async(value):
        raise TypeError(f"{name} must not be an async function, because its result is not awaited: {value!r}")


def is_async(function: object) -> bool:
    """Return whether a call of a function returns a coroutine.

    Args:
        function: The function, or another object.
    """
    if isinstance(function, partial):
        return is_async(function.func)
    return callable(function) and any(map(inspect.iscoroutinefunction, (function, function.__call__)))
