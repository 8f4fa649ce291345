"""The bars and the table, in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from bench.hostile.measure import Attack
from bench.report import table

MOST_MEGABYTES, MOST_MEDIAN_MS, MOST_P99_MS = 20, 20, 50


def report(attacks: Sequence[Attack]) -> str:
    """Everything that was found."""
    head = [
        "server",
        "1,000 a second of",
        "median ms",
        "p99 ms",
        "memory MB",
        "% of a core",
        "only refusing",
        "they were answered",
        "",
    ]
    return f"Measured with {versions()}.\n\n{table(head, map(row, attacks))}"


def row(attack: Attack) -> list[str]:
    median, p99 = attack.percentile_ms(50), attack.percentile_ms(99)
    megabytes = attack.memory / 1e6
    holds = median < MOST_MEDIAN_MS and p99 < MOST_P99_MS and megabytes < MOST_MEGABYTES
    return [
        attack.server,
        attack.kind,
        f"{median:.1f}",
        f"{p99:.1f}",
        f"{megabytes:.1f}",
        f"{100 * attack.cpu / attack.seconds:.0f}",
        f"{100 * attack.floor / attack.seconds:.0f}",
        answers(attack.hostile),
        "holds" if holds and set(attack.statuses) == {"200"} else f"**missed** ({answers(attack.statuses)})",
    ]


def answers(statuses: Mapping[str, int]) -> str:
    return ", ".join(f"{status} {count:,} times" for status, count in sorted(statuses.items()))


def versions() -> str:
    """Of everything that takes part, in one line."""
    here = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}, {os.cpu_count()} CPUs"
    )
    packages = ("plivo-record-async", "uvicorn", "h11", "httptools", "uvloop")
    return ", ".join([here, *(f"{name} {version(name)}" for name in packages)])
