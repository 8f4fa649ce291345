"""The types of arguments that are checked before anything is sent: IDs, names, times and files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import click

from plivo_record_async.protocol.arguments import path_segment

__all__ = ["CONFERENCE_NAME", "RECORDING_ID", "CheckedText", "InputFile", "Time"]


class CheckedText(click.types.StringParamType):
    """The type of an argument that a function of the library checks.

    Args:
        check: The function. Its arguments are the name and the value. It raises ``ValueError`` if the value is invalid.
        name: What the value is, for messages: for example ``recording_id``.
    """

    def __init__(self, check: Callable[[str, object], str], name: str) -> None:
        self._check = check
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value unchanged if it is valid.

        Args:
            value: The value as it was given.
            param: The argument.
            ctx: The context of the command.

        Raises:
            BadParameter: The value is invalid.
        """
        try:
            return self._check(self.name, value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


RECORDING_ID = CheckedText(path_segment, "recording_id")
CONFERENCE_NAME = CheckedText(path_segment, "conference_name")


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


class InputFile(click.File):
    """The type of a file that is read as bytes. ``-`` is standard input."""

    def __init__(self) -> None:
        super().__init__("rb")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the opened file.

        Args:
            value: The path, or ``-``.
            param: The argument.
            ctx: The context of the command.

        Raises:
            BadParameter: The file cannot be opened, or standard input is closed.
        """
        if value == "-" and cast("object", sys.stdin) is None:  # as after `<&-` in a shell
            self.fail("standard input is closed. Name a file, or redirect standard input.", param, ctx)
        return super().convert(value, param, ctx)
