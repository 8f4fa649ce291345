"""`Value`, the base class of all public values and errors, which converts them to JSON."""

# The values that are converted may be of any type, so the types of their items are unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

import attrs

__all__ = ["Value", "json_ready"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Value:
    """The base class of values and errors. It converts them to JSON."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as a dictionary that ``json.dumps`` accepts, also with ``allow_nan=False``.

        A nested value becomes a dictionary, a time a text in ISO 8601 with its offset from UTC, and a ``timedelta`` a
        number of seconds. NaN and infinity become ``None``. Bytes and all other objects become texts.

        Returns:
            A new dictionary, which the caller may change. It includes ``raw`` if the value has this attribute.
        """
        attributes: dict[str, Any] = json_ready(_attributes(self))
        return attributes


def json_ready(value: object) -> Any:
    """Return a copy of an object that consists of JSON's own types.

    The function is not recursive, because Plivo's responses may be nested as deeply as the JSON parser permits.

    Args:
        value: Any object.

    Returns:
        A new object of dictionaries, lists, texts, numbers, booleans and None.
    """
    root = [value]
    unfinished: list[Any] = [root]
    while unfinished:
        container = unfinished.pop()
        for key in container if isinstance(container, dict) else range(len(container)):
            container[key] = copied = _shallow(container[key])
            if isinstance(copied, dict | list):
                unfinished.append(copied)
    return root[0]


def _shallow(value: object) -> object:  # noqa: C901, PLR0911 - a table: one kind of value, one line
    """Convert one level of an object: the items of a container are the original objects."""
    match value:
        case None | int():
            return value
        case float():
            return value if isfinite(value) else None
        case bytes() | bytearray():
            return value.decode(errors="replace")
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {_text(name): item for name, item in value.items()}
        case AbstractSet():
            return sorted(value, key=str)
        case Sequence() if not isinstance(value, str):
            return list(value)
        case Value():
            return value.to_dict()
        case BaseException():
            return {"type": type(value).__name__, "error": str(value)}
        case _ if attrs.has(type(value)):
            return _attributes(value)
        case _:
            return _text(value)


def _attributes(value: Any) -> dict[str, object]:
    """Return the public attributes of an attrs object by their names."""
    names = [attribute.name for attribute in attrs.fields(type(value))]
    return {name: getattr(value, name) for name in names if not name.startswith("_")}


def _text(value: object) -> str:
    """Return the text of an object, with U+FFFD in place of lone surrogates, which UTF-8 cannot encode."""
    return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", str(value))
