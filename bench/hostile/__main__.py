"""``python -m bench.hostile`` measures, and writes the table into the documentation.

``--quick`` measures each kind for two seconds, and only prints.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from bench.hostile.measure import measure
from bench.hostile.report import report

PAGE = Path(__file__).parents[2] / "docs/explanation/benchmarks-hostile.md"
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end of measured -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little and only print")
    quick: bool = parser.parse_args().quick
    text = report(measure(2 if quick else 10))
    print(text)
    if not quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    main()
