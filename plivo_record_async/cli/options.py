"""Options that several commands have."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ["DEFAULT_TIMEOUT", "Seconds", "json_option", "timeout_option"]

DEFAULT_TIMEOUT = 30.0
"""Seconds that one call may take in all, if nothing else is said."""


class Seconds(click.FloatRange):
    """A number of seconds, which can be waited for: neither NaN nor infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check what was given."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line, for machines.")

timeout_option = click.option(
    "--timeout",
    type=Seconds(min=0, min_open=True),
    metavar="SECONDS",
    help=f"The longest that one call may take in all.  [default: {DEFAULT_TIMEOUT:g}]",
)
