"""``python -m bench.emulator`` measures, and writes the table into the documentation.

``--quick`` measures a tenth, and only prints.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from statistics import median

from bench.emulator.load import running

PAGE = Path(__file__).parents[2] / "docs/explanation/benchmarks-emulator.md"
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end of measured -->)", re.DOTALL)
KEEP = 10_000


def with_and_without_log(count: int, core: int) -> tuple[float, float]:
    """The medians of the starts a second, with the log and without it, in turns."""
    speeds: dict[int, list[float]] = {KEEP: [], 0: []}
    for _ in range(3):
        for keep, measured in speeds.items():
            with running(keep, core) as server:
                server.starts_per_second(iter(f"warm{n}" for n in range(500)), 500)
                names = iter(f"room{n}" for n in range(count))
                measured.append(server.starts_per_second(names, count))
    return median(speeds[KEEP]), median(speeds[0])


def memory_of_conferences(count: int, core: int) -> float:
    with running(KEEP, core) as server:
        server.starts_per_second(iter(f"room{n}" for n in range(count)), count)
        return server.usage()[0]


def first_and_last_in_one_conference(count: int, core: int) -> tuple[float, float]:
    """The starts a second of the first and of the last part in one conference."""
    part = count // 12
    with running(KEEP, core) as server:
        server.starts_per_second(iter(f"warm{n}" for n in range(500)), 500)
        speeds = [server.starts_per_second(iter(["room"] * part), part) for _ in range(12)]
        return speeds[0], speeds[-1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.emulator", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure a tenth and only print")
    quick: bool = parser.parse_args().quick
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    scale = 10 if quick else 1
    logged, plain = with_and_without_log(6_000 // scale, cores[0])
    memory = memory_of_conferences(100_000 // scale, cores[0])
    first, last = first_and_last_in_one_conference(60_000 // scale, cores[0])
    text = "\n".join(
        [
            "| what | measured | bar |",
            "|---|---|---|",
            f"| starts a second of CPU time with the log | {logged:,.0f} | |",
            f"| starts a second of CPU time without it (`keep=0`) | {plain:,.0f} | |",
            f"| with the log, compared to without it | {logged / plain:.2f} | at least 0.85 |",
            f"| memory with {100_000 // scale:,} live conferences | {memory:.0f} MB | below 200 MB |",
            f"| the same, the first {5_000 // scale:,} in one conference | {first:,.0f} | |",
            f"| the same, the last {5_000 // scale:,} of {60_000 // scale:,} in it | {last:,.0f} | as many |",
        ]
    )
    print(text)
    if not quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    main()
