"""Any value as one line of JSON that every JSON parser accepts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

__all__ = ["json_text"]


def json_text(value: object) -> str:
    """Return a value as one line of JSON, in ASCII.

    Numbers that are not finite become null, and times become texts in ISO 8601. Text that UTF-8 cannot encode is
    escaped. Any other object becomes its text.

    Args:
        value: Any object.
    """
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: object) -> Any:  # noqa: PLR0911 - a table: one kind of value, one line
    """Return a copy that consists of JSON's own types."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case bytes():
            return value.decode(errors="backslashreplace")
        case datetime():
            return value.isoformat()
        case Mapping():
            return {_plain(str(name)): _plain(each) for name, each in cast("Mapping[object, object]", value).items()}
        case list() | tuple():
            return [_plain(each) for each in cast("Sequence[object]", value)]
        case _:
            return str(value).encode(errors="backslashreplace").decode()
