"""Was this callback cut up differently from how Plivo sent it?

A V3 signature of a POST covers the sorted names and values run together without any separator: ``record_url=x``
and ``record_ur=lx`` sign the same, and who captures one callback can make others of it that verify. Plivo adds
fields over time, so unknown names must pass. What is refused is what could be a known field in other clothes:

- a known name that its value continues to a longer one: ``recording_duration=_ms12345``;
- an unknown name that begins with a known name of the callback's kind which is absent: ``record_urlhttps=://…``;
- an unknown field at whose edges a known name appears, across its name and value or its neighbours':
  ``record_ur=lhttps://…``; ``e=``, ``r=rornot found``;
- an unknown field that may have swallowed known ones, with the tail of a value before them: ``f8bb=duration12error…``;
- a known field's value that may have swallowed known fields behind it: ``api_id=1conference_nameroom``; or the field
  itself, after another one that somebody else had named so: ``conference_name=x``, ``record_url=https://…record_url…``.

The check of each value's form, in `fields`, refuses most of what is left. One thing cannot be told: whether the
tail of a value, or all of it, was made an unknown field (``conference_name=roo``, ``m=``), as new fields must pass.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

__all__ = ["find_resplit", "holds_known_name"]

_TOLD_BY = {
    "duration": r"(?:^|[A-Za-z0-9])duration[0-9]",
    "error": r"(?:^|[A-Za-z0-9])error(?!s\b)[A-Za-z0-9]",
    "message": r"messagerec",  # record_done
    "response": r"response\{",
}
"""Words that an honest value may hold too: what stands around them tells whether they are the names of fields."""

_STRICT = frozenset({"api_id", "call_uuid", "record_url", "recording_id", "RecordUrl", "RecordingID"})
"""Known fields that no honest value names; the other ones are free texts, or numbers."""


Kinds = tuple[frozenset[str], ...]
"""The names of each kind of callback."""


def find_resplit(fields: Mapping[str, str], kinds: Kinds) -> str | None:
    """Name the first field that may be made of other ones, or of a part of one; ``None`` if there is none.

    Args:
        fields: The callback's fields.
        kinds: What callbacks are made of. Only what belongs to the callback's own kind can hide in another field: a
            conference may be named ``duration1``, an error speak of a transcription, an ``error_code`` tell that a
            recording was cut short.
    """
    suspects = _suspects(tuple(fields), kinds)
    pieces = list(suspects.pieces)
    pieces += [name for name, rest in suspects.beginnings if fields[name].startswith(rest)]
    pieces += [name for name, swallowed in suspects.swallowers if _holds(fields[name], swallowed)]
    if suspects.unknown:
        missing = suspects.missing.search
        pieces += [name for name in suspects.unknown if missing(name + fields[name][:1]) or missing(fields[name])]
        pieces += _at_edges(fields, suspects.unknown, frozenset[str]().union(*kinds))
    return min(pieces, default=None)


class _Suspects(NamedTuple):
    """What the names alone tell; callbacks of one kind have the same ones.

    Attributes:
        pieces: Names that are pieces whatever their values are.
        beginnings: Known names, or an empty one, and what would continue them to another known name.
        swallowers: Known names, and one that their values must not hold: an absent one that would have stood right
            behind, or their own.
        unknown: The other names.
        missing: A known name that the callback's kind has and the callback has not, with the beginning of a value.
    """

    pieces: tuple[str, ...]
    beginnings: tuple[tuple[str, str], ...]
    swallowers: tuple[tuple[str, str], ...]
    unknown: frozenset[str]
    missing: re.Pattern[str]


@lru_cache(maxsize=64)
def _suspects(names: tuple[str, ...], kinds: Kinds) -> _Suspects:
    known = frozenset[str]().union(*kinds)
    here, in_order = known.intersection(names), sorted(names)  # as they are signed
    unknown = frozenset(names) - known
    its_kinds = [kind for kind in kinds if here <= kind] or [known]
    missing = frozenset[str]().union(*its_kinds) - here
    behind = [(bisect(in_order, name), name) for name in missing]
    return _Suspects(
        pieces=tuple(name for name in unknown if name.startswith(tuple(missing))),
        beginnings=tuple(
            (name, longer[len(name) :])
            for name in names
            if name in known or not name  # a word is not across an empty name
            for longer in known - {name}
            if longer.startswith(name)
        ),
        swallowers=(
            *((in_order[at - 1], name) for at, name in behind if at > 0 and in_order[at - 1] in here - {"response"}),
            *((name, name) for name in here & _STRICT),
        ),
        unknown=unknown,
        missing=re.compile("|".join(_TOLD_BY.get(name, f"{name}[A-Za-z0-9]") for name in missing if here) or "(?!)"),
    )


def _at_edges(fields: Mapping[str, str], unknown: frozenset[str], known: frozenset[str]) -> list[str]:
    """The unknown fields with an edge that a known name lies across."""
    signed, pieces, before = "".join(name + fields[name] for name in sorted(fields)), list[str](), 0
    for name in sorted(fields):
        end = before + len(name) + len(fields[name])
        edges = (before, before + len(name), end) if name in unknown else ()
        if any(_lies_across(edge, signed, word) for edge in edges for word in known):
            pieces.append(name)
        before = end
    return pieces


def _lies_across(edge: int, text: str, word: str) -> bool:
    return word in text[max(0, edge - len(word) + 1) : edge + len(word) - 1]


def _holds(value: str, name: str) -> bool:
    told_by = _TOLD_BY.get(name)
    return name in value if told_by is None else re.search(told_by, value) is not None


def holds_known_name(text: str) -> bool:
    """Return whether the text holds the name of a known field, so that a callback with it can be cut differently."""
    return any(name in text for name in (*_STRICT, *_TOLD_BY, "conference_name", "recording_duration", "transcription"))
