"""``python -m bench.finding`` measures how long it takes to find recordings, and writes it into the documentation.

The SQLite file contains 100,000 recordings. 90 % of them are transcribed, and the others are in all states. Half of
them belong to one conference, and the others to 1,000 conferences. ``--quick`` measures 2,000 and only prints.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import attrs

from bench.followed.report import versions
from bench.report import table
from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore
from plivo_record_async.protocol.models.status import STATES
from plivo_record_async.stores import FollowedRecording
from plivo_record_async.testing.store_contract.samples import NOW, record_in

PAGE = Path(__file__).parents[1] / "docs/explanation/benchmarks-followed.md"
MEASURED = re.compile(r"(?<=<!-- finding -->\n).*(?=<!-- end of finding -->)", re.DOTALL)
ROUNDS = 51
FIRST = 50
"""How many recordings are read: the first page."""


def records(count: int) -> Iterator[FollowedRecording]:
    """Make the records. Each was updated a second after the one before."""
    samples = {state: record_in(state) for state in STATES}
    for number in range(count):
        record = samples["transcribed" if number % 10 else STATES[number // 10 % len(STATES)]]
        name = "all hands" if number // 10 % 2 else f"room {number // 20 % 1000}"
        at = NOW + timedelta(seconds=number)
        yield attrs.evolve(
            record,
            start_id=UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).hex,
            request=attrs.evolve(record.request, conference_name=name),
            history=tuple([attrs.evolve(step, at=at) for step in record.history]),
        )


def searches(count: int) -> dict[str, dict[str, Any]]:
    """Return the arguments of ``tracker.recordings`` for each row of the table."""
    late = NOW + timedelta(seconds=count // 2)
    two = {"state": ["absent", "failed"], "conference_name": "all hands", "updated_after": late}
    return {
        "all": {},
        "one state": {"state": "unknown"},
        "three states": {"state": ["unknown", "unconfirmed", "started"]},
        "a conference with half of the recordings": {"conference_name": "all hands"},
        "a small conference": {"conference_name": "room 7"},
        "a state and a small conference": {"state": "transcribed", "conference_name": "room 7"},
        "a time": {"updated_after": late},
        "two states, a conference and a time": two,
    }


async def fill(store: SQLiteStore, count: int) -> None:
    remaining = records(count)
    while some := list(islice(remaining, 500)):
        await asyncio.gather(*map(store.create, some))


async def first_page(tracker: RecordingTracker, arguments: dict[str, Any]) -> int:
    """Read the first recordings that the filters select, and return how many there are."""
    count = 0
    async with aclosing(tracker.recordings(**arguments)) as found:
        async for _ in found:
            count += 1
            if count == FIRST:
                break
    return count


async def row(label: str, action: Callable[[], Awaitable[object]]) -> list[str]:
    """Return the row of an action, with its CPU time and its duration in milliseconds."""
    cpu: list[float] = []
    elapsed: list[float] = []
    for _ in range(ROUNDS):
        began, cpu_before = time.perf_counter(), time.process_time()
        await action()
        elapsed.append(1e3 * (time.perf_counter() - began))
        cpu.append(1e3 * (time.process_time() - cpu_before))
    return [label, f"{median(cpu):.1f}", f"{median(elapsed):.1f}"]


async def measure(path: Path, count: int) -> str:
    """Return the figures in Markdown."""
    await fill(store := SQLiteStore(path), count)
    tracker = RecordingTracker(RecordClient("MAXXXXXXXXXXXXXXXXXX", "token"), store=store)
    rows = [await row(label, partial(first_page, tracker, given)) for label, given in searches(count).items()]
    rows.append(await row("`counts()`", tracker.counts))
    began = time.process_time()
    total = sum([1 async for _ in tracker.recordings()])
    seconds = time.process_time() - began
    await tracker.aclose()
    return "\n\n".join(
        [
            f"Measured with {versions()}; medians of {ROUNDS} repetitions.",
            table([f"{count:,} recordings: the first {FIRST} of", "ms of CPU", "ms"], rows),
            f"Reading all {total:,} recordings took {seconds:.1f} s of CPU.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.finding", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little and only print")
    quick: bool = parser.parse_args().quick
    with TemporaryDirectory() as directory:
        text = asyncio.run(measure(Path(directory) / "recordings.db", 2_000 if quick else 100_000))
    print(text)
    if not quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    main()
