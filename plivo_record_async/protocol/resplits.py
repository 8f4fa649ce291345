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
from bisect import bisect
from collections import defaultdict
from collections.abc import Mapping
from functools import cache

__all__ = ["find_resplit"]

# Words that an honest value may hold too. Two of them are told by what follows; the others never come first
# among fields that could be swallowed.
_COMMON = frozenset({"error", "response"})
_TOLD_BY = {"duration": re.compile("duration[0-9]"), "message": re.compile("messagerecord[_ ]done")}


Kinds = tuple[frozenset[str], ...]
"""The names of each kind of callback, in one spelling: ``snake_case``, or CamelCase."""


def find_resplit(fields: Mapping[str, str], kinds: Kinds) -> str | None:
    """Name the first field that may be made of other ones, or of a part of one; ``None`` if there is none.

    Args:
        fields: The callback's fields.
        kinds: What callbacks are made of. A field can have swallowed only what belongs to its own kind: a conference
            may be named ``duration1``, and an error speak of a transcription.
    """
    known = _known(kinds)
    initials, longer = _initials(known), _longer(known)
    if not any(name[:1] in initials for name in fields):
        return None  # nothing begins as a known name does, nor is empty
    absent = known - fields.keys()
    beginnings = tuple(absent)
    pieces = [name for name in fields if name in longer and (name + fields[name]).startswith(longer[name])]
    pieces += [name for name in fields if name not in known and name.startswith(beginnings)]
    in_order = sorted(fields)  # as they are signed: what a field swallowed stood right behind it
    here = known & fields.keys()
    its_kinds = [kind for kind in kinds if here <= kind] or [known]
    for name in frozenset[str]().union(*its_kinds) & absent - _COMMON:
        before = in_order[bisect(in_order, name) - 1]
        if before < name and before in known and before != "response" and _holds(fields[before], name):
            pieces.append(before)
    return min(pieces, default=None)


def _holds(value: str, name: str) -> bool:
    told_by = _TOLD_BY.get(name)
    return name in value if told_by is None else told_by.search(value) is not None


@cache
def _known(kinds: Kinds) -> frozenset[str]:
    return frozenset[str]().union(*kinds)


@cache
def _initials(known: frozenset[str]) -> frozenset[str]:
    return frozenset(name[:1] for name in known) | {""}


@cache
def _longer(known: frozenset[str]) -> Mapping[str, tuple[str, ...]]:
    """Every proper prefix of a known name, to the known names that begin with it."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(known):
        for end in range(len(name)):
            names[name[:end]].append(name)
    return {prefix: tuple(longer) for prefix, longer in names.items()}
