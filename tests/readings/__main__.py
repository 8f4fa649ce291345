"""Search for callbacks that are believed as something else than they are: ``python -m tests.readings COUNT SEED``."""

from __future__ import annotations

import sys

from tests.readings.search import Search


def main(count: int = 1_000_000, seed: int = 0) -> int:
    search, found = Search(seed), 0
    for finding in search.run(count):
        found += 1
        if found <= 10:
            print(f"{finding.believer} believes\n  {finding.capture}\n  as {finding.reading}\n  {finding.event}")
    print(f"{search.tried} second readings tried, {search.events} times an event, {found} beyond the limits")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
