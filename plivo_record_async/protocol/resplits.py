"""Is a field a known one whose name and value were cut at another place?

Version 3 signs names and values run together: ``record_url=x`` and ``record_ur=lx`` sign the same. Plivo adds fields
over time, so a new name must be told from a known one that was cut: by whether what would be the value can be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from plivo_record_async.protocol.known import BEGINNINGS, KNOWN, missing

__all__ = ["find_recut"]

_NEW_NAME = re.compile(r"s?(?:_\w*)?$")
"""How a known name goes on to a new one: ``messages``, ``message_uuid``."""

_LONGER: Mapping[str, Sequence[str]] = {
    name: [longer for longer in KNOWN if longer.startswith(name) and longer != name] for name in KNOWN
}
"""Known names, and those that begin with them."""

_VALUES = {
    name: re.compile({"duration": "[0-9]", "message": "record[_ ]done"}.get(name) or BEGINNINGS.get(name, ""))
    for name in KNOWN
}
"""What the values of known fields begin with; free texts with anything."""


def find_recut(fields: Mapping[str, str]) -> str | None:
    """Return the field whose name and value are those of a known one, cut at another place; or None.

    ``record_ur=lhttps://…``, ``record_urlhttps=://…``, ``recording_duration=_ms12`` and ``messagerecord=_done`` are;
    ``recording_id_v2=…`` and ``message_uuid=…`` are new names.

    Args:
        fields: The fields of a callback.
    """
    for name, value in fields.items():
        both = name + value
        for known in _LONGER[name] if name in KNOWN else _alike(name, KNOWN.intersection(fields)):
            if both.startswith(known) and (both == known or _VALUES[known].match(both, len(known))):
                return name
    return None


def _alike(name: str, here: frozenset[str]) -> Iterator[str]:
    """The known names that begin with an unknown one, and those that are missing and begin it."""
    yield from (known for known in KNOWN if known.startswith(name))
    yield from (known for known in missing(here) if name.startswith(known) and not _NEW_NAME.match(name, len(known)))
