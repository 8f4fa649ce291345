"""`Value`, the base class of all public values and errors: how they become JSON."""

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
    """The base class of values and errors: it makes them JSON."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as a dictionary that ``json.dumps`` accepts, also with ``allow_nan=False``.

        Nested values become dictionaries, and times become texts in ISO 8601 with their offset from UTC. ``raw`` is
        included if the value has it. Anything that JSON cannot represent is replaced: NaN and infinity by ``None``, a
        ``timedelta`` by its seconds, and bytes and all other objects by text.

        Returns:
            A new dictionary, which the caller may change.
        """
        attributes: dict[str, Any] = json_ready(_attributes(self))
        return attributes


def json_ready(value: object) -> Any:
    """Return a copy that consists of JSON's own types.

    The function is not recursive, because what Plivo sends may be nested as deeply as the JSON parser allows.

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
    """Copy one level of a container; its items are not copied."""
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
    names = [attribute.name for attribute in attrs.fields(type(value))]
    return {name: getattr(value, name) for name in names if not name.startswith("_")}


def _text(value: object) -> str:
    """Return the text without lone surrogates, which UTF-8 cannot encode."""
    return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", str(value))
