"""The field ``raw`` of a value: the whole message that the value was made of."""

from __future__ import annotations

from typing import Any

from attrs import field

__all__ = ["raw_field"]


def raw_field() -> Any:
    """Return the attrs field for a message as it was received, which takes no part in comparison and in ``repr``."""
    return field(factory=dict[str, Any], eq=False, repr=False)
