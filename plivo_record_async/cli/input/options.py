"""The options that several commands have."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from plivo_record_async.settings import log_level

__all__ = [
    "DEFAULT_TIMEOUT",
    "Seconds",
    "json_option",
    "shown_level",
    "store_option",
    "timeout_option",
    "verbose_option",
]

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

DEFAULT_TIMEOUT = 30.0
"""The timeout of one call in seconds, unless ``--timeout`` is given."""


class Seconds(click.FloatRange):
    """The type of an option whose value is a finite number of seconds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value of an option as a number.

        Args:
            value: The value as it was given.
            param: The option.
            ctx: The context of the command.

        Raises:
            BadParameter: The value is not a finite number, or out of range.
        """
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


def json_option(command: CommandT) -> CommandT:
    """Add the option ``--json`` to a command.

    Args:
        command: The command.
    """
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, one object on each line.")(command)


def timeout_option(command: CommandT) -> CommandT:
    """Add the option ``--timeout`` to a command.

    Args:
        command: The command.
    """
    return click.option(
        "--timeout",
        type=Seconds(min=0, min_open=True),
        metavar="SECONDS",
        help=f"The seconds that one call may take in total.  [default: {DEFAULT_TIMEOUT:g}]",
    )(command)


_VERBOSE = "plivo_record_async.verbose"


def _be_verbose(context: click.Context, _option: click.Parameter, count: int) -> None:
    context.meta[_VERBOSE] = max(count, context.meta.get(_VERBOSE, 0))


def verbose_option(command: CommandT) -> CommandT:
    """Add the option ``--verbose`` to a command.

    Args:
        command: The command.
    """
    return click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_be_verbose,
        help="Show the log on standard error. -vv also shows the level DEBUG.",
    )(command)


def shown_level() -> int | None:
    """Return the level from which on the command that runs shows the package's log.

    Returns:
        The level, as a number of `logging`, from the option ``--verbose`` of the command or of the group that contains
        it, or from ``PLIVO_LOG``. If None, only warnings and errors are shown.

    Raises:
        ConfigurationError: ``PLIVO_LOG`` is neither ``debug`` nor ``info``.
    """
    context = click.get_current_context(silent=True)
    count = 0 if context is None else context.meta.get(_VERBOSE, 0)
    return log_level() if count == 0 else logging.INFO if count == 1 else logging.DEBUG


def store_option(text: str, *, default: str | None = None) -> Callable[[CommandT], CommandT]:
    """Return the option ``--store``. ``--db`` is its other name.

    Args:
        text: What the store is used for.
        default: The store that is used without the option. If None, the value of the option is then None.
    """
    return click.option(
        "--store",
        "--db",
        "store",
        metavar="STORE",
        default=default,
        show_default=True,
        help=f"{text} STORE is the path of an SQLite file, or a postgresql:// address.",
    )
