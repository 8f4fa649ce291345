"""The bars and the tables, in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from statistics import median
from typing import NamedTuple

from bench.followed.measure import RATE, Results
from bench.report import table
from bench.results import Slice, ratio, telemetry_packages

LABELS = {
    "body": "a Starlette route that reads the body",
    "plain": "`RecordClient`",
    "memory": "`RecordingTracker`, `MemoryStore`",
    "sqlite": "`RecordingTracker`, `SQLiteStore`",
    "postgres": "`RecordingTracker`, `PostgresStore`",
    "official": "the official package's `validate_v3_signature`",
    "ours": "the same here: the signature of fields that are read already",
    "verified": "headers, form and signature",
    "parsed": "`parse_callback`: all that, and the event",
}


Figure = Callable[[Slice], float]


class Bar(NamedTuple):
    """One promise: ``value`` is at most ``limit``; or at least."""

    promise: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def bars(results: Results) -> Iterator[Bar]:
    for store, limit in (("memory", 0.45), ("sqlite", 0.3)):
        for per, figure in (("CPU second of the receiver", per_cpu_s), ("second", Slice.calls_per_s)):
            value = ratio(every(results.callbacks, store, figure), every(results.callbacks, "body", figure))
            yield Bar(f"Callbacks per {per}: {LABELS[store]} ÷ the route", value, limit, at_least=True)
    value = ratio(*(every(results.callbacks, store, Slice.calls_per_s) for store in ("postgres", "sqlite")))
    yield Bar(f"Callbacks per second: {LABELS['postgres']} ÷ {LABELS['sqlite']}", value, 0.5, at_least=True)
    yield Bar(
        f"99th percentile at {RATE} callbacks a second, `SQLiteStore`, in ms", results.latency_ms("sqlite", 99), 20
    )
    for store in ("memory", "sqlite"):
        value = ratio(*(every(results.starts, starter, Slice.cpu_us) for starter in (store, "plain")))
        yield Bar(f"CPU per start: {LABELS[store]} ÷ {LABELS['plain']}", value, 1.3)
    yield Bar(
        "Verification ÷ the official package's",
        ratio(*(results.verifications[who] for who in ("ours", "official"))),
        0.2,
    )


def per_cpu_s(turn: Slice) -> float:
    return turn.calls / turn.cpu


def every(found: Mapping[str, Sequence[Slice]], kind: str, figure: Figure) -> list[float]:
    return [figure(turn) for turn in found[kind]]


def report(results: Results) -> str:
    """Everything that was found."""
    callbacks = (
        [
            LABELS[kind],
            *(f"{results.callback(kind, figure):,.0f}" for figure in (Slice.cpu_us, per_cpu_s, Slice.calls_per_s)),
        ]
        for kind in results.callbacks
    )
    starts = ([LABELS[kind], f"{results.start(kind, Slice.cpu_us):,.0f}"] for kind in results.starts)
    percents = (50, 90, 99)
    latencies = (
        [LABELS[kind], *(f"{results.latency_ms(kind, percent):.1f}" for percent in percents)]
        for kind in results.latencies
    )
    return "\n\n".join(
        [
            f"Measured with {versions()}; medians of {len(results.callbacks['body'])} rounds.",
            "### Callbacks, as fast as they go over 50 connections",
            table(["receiver, on one core", "µs of CPU each", "per second of CPU", "per second"], callbacks),
            f"### Callbacks, {RATE} a second",
            table(["ms until the answer, percentile", *map(str, percents)], latencies),
            f"### Starts, 50 at once, medians of {len(results.starts['plain'])} rounds",
            table(["starts through", "µs of CPU each"], starts),
            "### Verification of one callback",
            table(
                ["what is done", "µs of CPU"],
                ([LABELS[who], f"{median(us):.1f}"] for who, us in results.verifications.items()),
            ),
            "### The bars",
            table(["bar", "measured", "wanted", ""], map(bar_row, bars(results))),
        ]
    )


def bar_row(bar: Bar) -> list[str]:
    wanted = f"{'≥' if bar.at_least else '≤'} {bar.limit:g}"
    return [bar.promise, f"{bar.value:.3g}", wanted, "holds" if bar.holds else "**missed**"]


def versions() -> str:
    """Of everything that takes part, in one line."""
    here = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}, {os.cpu_count()} CPUs"
    )
    packages = ["plivo-record-async", "plivo", "starlette", "uvicorn", "httptools", "uvloop", *telemetry_packages()]
    return ", ".join([here, *(f"{name} {version(name)}" for name in packages)])
