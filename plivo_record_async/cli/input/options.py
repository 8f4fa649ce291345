"""Options that several commands have."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ["DEFAULT_TIMEOUT", "Seconds", "json_option", "timeout_option"]

DEFAULT_TIMEOUT = 30.0
"""The timeout of one call in seconds, unless ``--timeout`` is given."""


class Seconds(click.FloatRange):
    """A finite number of seconds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value of an option."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")

timeout_option = click.option(
    "--timeout",
    type=Seconds(min=0, min_open=True),
    metavar="SECONDS",
    help=f"The time limit of one call.  [default: {DEFAULT_TIMEOUT:g}]",
)
