"""The bars that this package has set itself, as ratios within one run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bench.results import Results, ratio


class Bar(NamedTuple):
    """One promise: ``value`` is at most ``limit``."""

    promise: str
    value: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.value <= self.limit


SPEEDS = (
    *(("ours", 50, "httpx", 0.35), ("ours", 300, "httpx", 0.12)),
    *(("ours", 50, "plivo", 0.7), ("ours", 300, "plivo", 0.7)),
    *(("ours", 50, "telnyx", 0.2), ("ours", 300, "telnyx", 0.2)),
    *(("ours", 50, "twilio", 0.9), ("ours", 300, "twilio", 0.9)),
    *(("fast", 50, "twilio", 0.5), ("fast", 300, "twilio", 0.5)),
    *(("fast", 50, "aiohttp", 2.2), ("fast", 300, "aiohttp", 2.2)),
)
"""Whose CPU per call, at which concurrency, is how much of whose, at the most."""

NAMES = {
    "ours": "default",
    "fast": "`fast_transport()`",
    "plivo": "plivo with threads",
    "twilio": "twilio's async client",
    "telnyx": "telnyx",
    "httpx": "raw httpx",
    "aiohttp": "raw aiohttp",
}


def bars(results: Results) -> list[Bar]:
    """Those of which both sides were measured."""
    return [*speed_bars(results), *other_bars(results)]


def speed_bars(results: Results) -> Iterator[Bar]:
    for ours, concurrency, theirs, limit in SPEEDS:
        if (ours, concurrency) in results.speeds:
            value = ratio(costs(results, ours, concurrency), costs(results, theirs, concurrency))
            yield Bar(f"CPU per call at {concurrency}: {NAMES[ours]} ÷ {NAMES[theirs]}", value, limit)
    if ("ours", 1000) in results.speeds:
        value = ratio(costs(results, "ours", 1000), costs(results, "ours", 10))
        yield Bar("CPU per call, default: at 1000 ÷ at 10", value, 1.4)


def costs(results: Results, peer: str, concurrency: int) -> list[float]:
    return [each.cpu_us() for each in results.speeds[peer, concurrency]]


def other_bars(results: Results) -> Iterator[Bar]:
    imports = results.imports
    value = ratio(imports["plivo_record_async"], imports["httpx, cattrs"])
    yield Bar("CPU: `import plivo_record_async` ÷ `import httpx, cattrs`", value, 1.25)
    yield Bar("Optional parts imported with it", len(results.extras), 0)
    (_, small), (_, big) = min(results.memory, key=lambda key: key[1]), max(results.memory, key=lambda key: key[1])
    growth = results.memory["process", big] - results.memory["process", small]
    yield Bar(f"Peak of a batch of {big:,} above one of {small:,}, in MB", growth, 15)
    most = max(fault.executions for (peer, _), fault in results.faults.items() if peer in {"ours", "fast"})
    yield Bar("Executions of one start that meets a fault", most, 1)
