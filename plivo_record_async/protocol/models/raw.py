"""The attrs field ``raw``, which contains the whole message from which a value was made."""

from __future__ import annotations

from typing import Any

from attrs import field

__all__ = ["raw_field"]


def raw_field() -> Any:
    """Return an attrs field for a message as it was received. It is neither compared nor shown by ``repr``."""
    return field(factory=dict[str, Any], eq=False, repr=False)
