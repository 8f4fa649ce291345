"""The attributes of a value as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from plivo_record_async.cli.output.outcomes import printable

__all__ = ["attribute_lines", "duration_text", "time_text"]


def attribute_lines(fields: Mapping[str, object]) -> Iterator[str]:
    """Yield one line for each attribute that is not None: its name and its value.

    Args:
        fields: The names and values of the attributes.
    """
    for name, value in fields.items():
        if value is not None:
            yield f"{name:<16} {printable(str(value))}"


def time_text(time: datetime | None) -> str:
    """Return a time in ISO 8601, in whole seconds, or a dash if it is None.

    Args:
        time: The time.
    """
    return "-" if time is None else time.isoformat(timespec="seconds")


def duration_text(duration_ms: int | None) -> str:
    """Return a duration in seconds, or a dash if it is None.

    Args:
        duration_ms: The duration in milliseconds.
    """
    return "-" if duration_ms is None else f"{duration_ms / 1000:.2f} s"
