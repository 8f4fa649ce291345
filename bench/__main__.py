"""``python -m bench`` measures, and writes the tables and the chart into the documentation.

``--quick`` measures little, in less than a minute, and only prints.
"""

from __future__ import annotations

import argparse
import re
import resource
from pathlib import Path

from bench.bars import bars
from bench.chart import chart
from bench.measure import FULL, QUICK, measure
from bench.report import report
from bench.results import versions

PAGE = Path(__file__).parents[1] / "docs/explanation/benchmarks.md"
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end of measured -->)", re.DOTALL)

FILES = 16384
"""A thousand connections for each peer are more open files than the usual limit; child processes inherit it."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little and only print")
    quick: bool = parser.parse_args().quick
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES if most < 0 else min(FILES, most), most))
    results = measure(QUICK if quick else FULL)
    text = report(results, bars(results), versions())
    print(text)
    if not quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))
        PAGE.with_suffix(".svg").write_text(chart(results))


if __name__ == "__main__":
    main()
