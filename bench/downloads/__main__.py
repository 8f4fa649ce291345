"""``python -m bench.downloads`` measures, and writes the table into the documentation.

``--quick`` downloads shorter files, and only prints. ``--directory`` chooses the disk.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench.downloads.load import KINDS
from bench.processes import output, pipe, say

PAGE = Path(__file__).parents[2] / "docs/explanation/benchmarks-downloads.md"
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end of measured -->)", re.DOTALL)
SMALL = 2_000_000
LEAST_RATIO = 0.8
MOST_GROWTH = 20.0


class Plan(NamedTuple):
    """How much to download: the rounds, the length of their files, and the length of the file for the memory."""

    rounds: int
    length: int
    large: int


FULL = Plan(rounds=7, length=500_000_000, large=2_000_000_000)
QUICK = Plan(rounds=3, length=100_000_000, large=200_000_000)


class Bench:
    """Downloads in turns, so that whatever else happens on the machine concerns all of them."""

    def __init__(self, url: str, directory: Path) -> None:
        self._url = url
        self._directory = directory

    def download(self, kind: str, length: int) -> Any:
        path = self._directory / "r.mp3"
        try:
            return output([sys.executable, "-m", "bench.downloads.load", kind, self._url, str(length), str(path)])
        finally:
            path.unlink(missing_ok=True)

    def rounds(self, plan: Plan) -> dict[str, list[Any]]:
        found: defaultdict[str, list[Any]] = defaultdict(list)
        for number in range(plan.rounds):
            say(f"round {number + 1} of {plan.rounds}")
            for kind in KINDS:
                found[kind].append(self.download(kind, plan.length))
        return found

    def growth(self, plan: Plan) -> float:
        """How many MB more a large file takes than a small one, at the peak."""
        say(f"memory of {plan.large:,} bytes")
        return float(self.download("ours", plan.large)["peak_mb"] - self.download("ours", SMALL)["peak_mb"])


def report(found: dict[str, list[Any]], growth: float, plan: Plan) -> str:
    def middle(kind: str, figure: str) -> float:
        return median(each[figure] for each in found[kind])

    ratio = middle("ours", "mb_per_s") / middle("raw", "mb_per_s")
    rows = [
        ("what", "measured", "bar"),
        ("---", "---", "---"),
        ("`download_recording`", f"{middle('ours', 'mb_per_s'):,.0f} MB/s", ""),
        ("raw httpx", f"{middle('raw', 'mb_per_s'):,.0f} MB/s", ""),
        ("raw httpx, and then `os.fsync`", f"{middle('synced', 'mb_per_s'):,.0f} MB/s", ""),
        ("`download_recording`, compared with raw httpx", f"{ratio:.2f}", f"at least {LEAST_RATIO:g}"),
        ("CPU time of `download_recording`", f"{middle('ours', 'cpu_s_per_gb'):.2f} s/GB", ""),
        ("CPU time of raw httpx", f"{middle('raw', 'cpu_s_per_gb'):.2f} s/GB", ""),
        (
            f"peak memory with {plan.large / 1e6:,.0f} MB above that with {SMALL / 1e6:,.0f} MB",
            f"{growth:.1f} MB",
            f"below {MOST_GROWTH:g} MB",
        ),
    ]
    return "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.downloads", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="download shorter files and only print")
    parser.add_argument("--directory", help="where to write the files; if omitted, the directory for temporary files")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    command = [sys.executable, "-m", "bench.downloads.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            with TemporaryDirectory(dir=arguments.directory) as directory:
                bench = Bench(pipe(server.stdout).readline().strip(), Path(directory))
                text = report(bench.rounds(plan), bench.growth(plan), plan)
        finally:
            server.terminate()
    print(text)
    if not arguments.quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    main()
