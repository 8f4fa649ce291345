"""The result of one check of the command ``doctor``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, TypeAlias

import attrs
import click

from plivo_record_async.cli.output.outcomes import printable

__all__ = ["Check", "Checks", "check_lines", "check_object", "ok", "problem", "warning"]

Result = Literal["ok", "warning", "problem"]

_COLOURS: dict[Result, str] = {"ok": "green", "warning": "yellow", "problem": "red"}


@attrs.frozen(kw_only=True)
class Check:
    """The result of one check.

    Attributes:
        name: The name of the check.
        result: ``ok``; ``warning``, if something is unusual but may be intended; or ``problem``.
        finding: What was found.
        advice: What to do. It is empty if there is nothing to do.
    """

    name: str
    result: Result
    finding: str
    advice: str = ""


Checks: TypeAlias = AsyncIterator[Check]


def ok(name: str, finding: str) -> Check:
    """Return the result of a check that found nothing wrong.

    Args:
        name: The name of the check.
        finding: What was found.
    """
    return Check(name=name, result="ok", finding=finding)


def warning(name: str, finding: str, advice: str) -> Check:
    """Return the result of a check that found something unusual.

    Args:
        name: The name of the check.
        finding: What was found.
        advice: What to do.
    """
    return Check(name=name, result="warning", finding=finding, advice=advice)


def problem(name: str, finding: str, advice: str) -> Check:
    """Return the result of a check that found a problem.

    Args:
        name: The name of the check.
        finding: What was found.
        advice: What to do.
    """
    return Check(name=name, result="problem", finding=finding, advice=advice)


def check_lines(check: Check) -> list[str]:
    """Return the result of a check as lines for people: the finding and, if there is one, the advice.

    Args:
        check: The result of the check.
    """
    label = click.style(f"{check.result:<8}", fg=_COLOURS[check.result])
    lines = [f"{label}  {check.name:<18}  {printable(check.finding)}"]
    return [*lines, f"{'':30}To do: {printable(check.advice)}"] if check.advice else lines


def check_object(check: Check) -> dict[str, Any]:
    """Return the JSON object of the result of a check.

    Args:
        check: The result of the check.
    """
    return {"type": "Check"} | attrs.asdict(check)
