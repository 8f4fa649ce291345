"""Was this callback cut up differently from how Plivo sent it?

A V3 signature of a POST covers the sorted names and values run together without any separator: ``record_url=x``
and ``record_ur=lx`` sign the same, and who captures one callback can make others of it that verify. Plivo adds
fields over time, so unknown names must pass. What is refused is what could be a known field in other clothes:

- a name that its value continues to a known name: ``record_ur=lhttps://…``;
- an unknown name that begins with a known name which is itself absent: ``record_urlhttps=://…``;
- a known field's value that holds a known name which is itself absent: ``api_id=1conference_nameroom``.

The check of each value's form, in `fields`, refuses most of what is left.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache

__all__ = ["find_resplit"]

# Words that an honest value may hold too. After two of them, what follows tells.
_COMMON = frozenset({"error", "response", "transcription"})
_TELLING = {"duration": "duration(?=[0-9])", "message": "message(?=record[_ ]done)"}


def find_resplit(fields: Mapping[str, str], known: frozenset[str]) -> str | None:
    """Say which field may be a piece of another one, or ``None`` if there is none.

    Args:
        fields: The callback's fields.
        known: The names that events are made of, in one spelling: ``snake_case``, or CamelCase.
    """
    for name, value in fields.items():
        for longer in _longer(known).get(name, ()):
            if (name + value).startswith(longer):
                return f"{name!r} and its value begin with {longer!r}"
        held = _names_inside(known, value) if name in known else [k for k in known if name.startswith(k)]
        if name != "response" and not fields.keys() >= set(held):
            return f"{name!r} or its value holds {' or '.join(sorted(held))}, which is missing"
    return None


def _names_inside(known: frozenset[str], value: str) -> list[str]:
    return _pattern(known).findall(value)


@cache
def _longer(known: frozenset[str]) -> Mapping[str, list[str]]:
    """Every proper prefix of a known name to the known names that begin with it."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(known):
        for end in range(len(name)):
            names[name[:end]].append(name)
    return names


@cache
def _pattern(known: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(known - _COMMON, key=len, reverse=True)
    return re.compile("|".join(_TELLING.get(name, re.escape(name)) for name in longest_first))
