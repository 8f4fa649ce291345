"""Was this callback cut up differently from how Plivo sent it?

A V3 signature of a POST covers the sorted names and values run together without any separator: ``record_url=x``
and ``record_ur=lx`` sign the same, and who captures one callback can make others of it that verify. Plivo adds
fields over time, so unknown names must pass. What is refused is what could be a known field in other clothes:

- a name that its value continues to a known name: ``record_ur=lhttps://…``;
- an unknown name that begins with a known name which is itself absent: ``record_urlhttps=://…``;
- a known field's value that may have swallowed known fields behind it: ``api_id=1conference_nameroom``.

The check of each value's form, in `fields`, refuses most of what is left. One thing cannot be told: whether the
tail of a value was made an unknown field (``conference_name=roo``, ``m=``), as new fields must pass.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from itertools import pairwise

__all__ = ["find_resplit"]

# Words that an honest value may hold too. Two of them are told by what follows; the others never come first
# among fields that could be swallowed.
_COMMON = frozenset({"error", "response"})
_TOLD_BY = {"duration": "duration(?=[0-9])", "message": "message(?=record[_ ]done)"}

_BEHIND_ALL = "\U0010ffff"


def find_resplit(fields: Mapping[str, str], known: frozenset[str]) -> str | None:
    """Name the first field that may be made of other ones, or of a part of one; ``None`` if there is none.

    Args:
        fields: The callback's fields.
        known: The names that events are made of, in one spelling: ``snake_case``, or CamelCase.
    """
    absent, longer, inside = tuple(known - fields.keys()), _longer(known), _inside(known)
    for name, following in pairwise([*sorted(fields), _BEHIND_ALL]):
        value = fields[name]
        if name not in known:
            suspicious = name.startswith(absent)
        elif name != "response":
            # What was swallowed stood between this field and the next, in the order in which they are signed.
            suspicious = any(name < one < following for one in inside.findall(value))
        else:
            suspicious = False
        if suspicious or (name + value).startswith(longer.get(name, ())):
            return name
    return None


@cache
def _longer(known: frozenset[str]) -> Mapping[str, tuple[str, ...]]:
    """Every proper prefix of a known name, to the known names that begin with it."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(known):
        for end in range(len(name)):
            names[name[:end]].append(name)
    return {prefix: tuple(longer) for prefix, longer in names.items()}


@cache
def _inside(known: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(known - _COMMON, key=len, reverse=True)
    return re.compile("|".join(_TOLD_BY.get(name, re.escape(name)) for name in longest_first))
