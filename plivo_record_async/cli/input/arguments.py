"""The types of arguments that are checked before anything is sent: IDs, names and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from plivo_record_async.protocol.arguments import path_segment

__all__ = ["PathSegment", "Time"]


class PathSegment(click.types.StringParamType):
    """The type of an ID or a name that becomes a segment of the path of a request.

    Args:
        name: What the value is, for messages: ``recording_id`` or ``conference_name``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value, if a request can contain it.

        Args:
            value: The value as it was given.
            param: The argument.
            ctx: The context of the command.

        Raises:
            BadParameter: The value is empty, ``.`` or ``..``.
        """
        try:
            return path_segment(self.name, value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class Time(click.DateTime):
    """The type of an option whose value is a date or a time in ISO 8601. A time without an offset is in UTC."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the value as an aware time in UTC.

        Args:
            value: The value as it was given.
            param: The option.
            ctx: The context of the command.

        Raises:
            BadParameter: The value is not such a time.
        """
        try:
            time = datetime.fromisoformat(value)
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time such as 2026-05-01 or 2026-05-01T09:30:00+02:00.", param, ctx)
