"""The tables, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from bench.bars import Bar
from bench.measure import FAULTS
from bench.peers import PEERS, SDKS
from bench.results import Results, Slice

FAULT_TITLES = {"503": "one 503", "stall": "a read timeout", "reset": "a reset after sending"}


def report(results: Results, bars: Sequence[Bar], made_with: str) -> str:
    """Everything that was found."""
    return "\n\n".join(
        [
            f"Measured with {made_with}. The server took {results.server_us:.0f} µs of CPU for a request.",
            "### CPU per call, in microseconds",
            speed_table(results, Slice.cpu_us),
            "### Calls per second",
            speed_table(results, Slice.calls_per_s),
            "### Executions of one start that meets a fault",
            fault_table(results),
            "### CPU of an import, in milliseconds",
            table(["import", "ms"], ([f"`{name}`", f"{median(ms):.0f}"] for name, ms in results.imports.items())),
            "### Peak memory of a batch, in megabytes",
            memory_table(results),
            "### The bars",
            bar_table(bars),
        ]
    )


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column holds words, the others numbers or short words."""
    rule = ["---", *("---:" for _ in titles[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in [titles, rule, *rows])


def speed_table(results: Results, figure: Callable[[Slice], float]) -> str:
    grid = sorted({concurrency for _, concurrency in results.speeds})

    def cell(peer: str, concurrency: int) -> str:
        return f"{results.speed(peer, concurrency, figure):,.0f}" if (peer, concurrency) in results.speeds else ""

    rows = ([PEERS[peer].label, *(cell(peer, concurrency) for concurrency in grid)] for peer in PEERS)
    return table(["at once", *map(str, grid)], rows)


def fault_table(results: Results) -> str:
    def cell(peer: str, kind: str) -> str:
        fault = results.faults[peer, kind]
        return f"{fault.executions}, `{fault.told}`"

    rows = ([PEERS[peer].label, *(cell(peer, kind) for kind in FAULTS)] for peer in SDKS)
    return table(["one start, and", *(FAULT_TITLES[kind] for kind in FAULTS)], rows)


def memory_table(results: Results) -> str:
    sizes = sorted({calls for _, calls in results.memory})
    titles = {"process": "the whole process", "traced": "what Python allocated (tracemalloc)"}
    rows = ([title, *(f"{results.memory[kept, calls]:.1f}" for calls in sizes)] for kept, title in titles.items())
    return table(["calls", *(f"{calls:,}" for calls in sizes)], rows)


def bar_table(bars: Iterable[Bar]) -> str:
    rows = ([bar.promise, f"{bar.value:.3g}", f"{bar.limit:g}", "holds" if bar.holds else "**missed**"] for bar in bars)
    return table(["bar", "measured", "at most", ""], rows)
