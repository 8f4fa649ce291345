"""``python -m bench.followed`` measures, and writes the tables into the documentation.

``--quick`` measures little, in less than a minute, and only prints.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from bench.followed.measure import FULL, QUICK, measure
from bench.followed.report import report

PAGE = Path(__file__).parents[2] / "docs/explanation/benchmarks-followed.md"
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end of measured -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.followed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little and only print")
    quick: bool = parser.parse_args().quick
    text = report(measure(QUICK if quick else FULL))
    print(text)
    if not quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    main()
