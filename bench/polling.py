"""``python -m bench.polling`` measures how many requests polling takes, and writes the table into the documentation.

``--quick`` measures 10 and 100 recordings, and only prints. All recordings start at the same time, and their ends are
spread over an hour of the emulator's virtual clock.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

from plivo_record_async import MemoryStore, RecordClient, RecordingTracker, TrackingPolicy
from plivo_record_async.emulator import Emulator
from plivo_record_async.stores import RecordReplaced, StoreChange

PAGE = Path(__file__).parents[1] / "docs/howto/polling.md"
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end of measured -->)", re.DOTALL)
HOUR = 3600
STEP = 10
TRACKING = TrackingPolicy(poll_interval=timedelta(seconds=STEP))
"""The default policy, apart from the interval at which a virtual clock would stop all the time."""


class Measured(NamedTuple):
    """The requests that were sent besides the starts, and how long after its end each recording was found."""

    recordings: int
    requests: int
    delays: list[float]

    def row(self) -> str:
        middle, longest = median(self.delays), max(self.delays)
        each = self.requests / self.recordings
        return f"| {self.recordings:,} | {self.requests:,} | {each:.2f} | {middle:.0f} s | {longest:.0f} s |"


async def settled(plivo: Emulator) -> int:
    """Wait until the tracker sends no more requests, and return how many it has sent."""
    sent = -1
    while sent != (sent := plivo.requests[-1].id):  # noqa: ASYNC110 - the tracker does not say when it is idle
        await asyncio.sleep(0.02)
    return sent


async def measure(count: int) -> Measured:
    known: dict[str, datetime] = {}

    def observe(change: StoreChange) -> None:
        if isinstance(change, RecordReplaced) and change.before.ended is None and change.after.ended is not None:
            known[change.after.conference_name] = plivo.clock.now()

    async with Emulator(clock="virtual", keep=10) as plivo:
        client = RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url, rate_limit=None)
        store = MemoryStore(observer=observe)
        async with client, RecordingTracker(client, store=store, clock=plivo.clock, tracking=TRACKING) as tracker:
            rooms = [f"room-{number}" for number in range(count)]
            async for outcome in tracker.start_many(rooms):
                outcome.unwrap()
            chance = random.Random(count)
            ends = sorted((chance.uniform(0, HOUR), room) for room in rooms)
            ended: dict[str, datetime] = {}
            sent = count
            for now in range(0, 2 * HOUR, STEP):
                while ends and ends[0][0] <= now:
                    room = ends.pop(0)[1]
                    await plivo.end_conference(room)
                    ended[room] = plivo.clock.now()
                await plivo.advance(STEP)
                sent = await settled(plivo)
                if len(known) == count:
                    break
    return Measured(count, sent - count, [(known[room] - ended[room]).total_seconds() for room in rooms])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.polling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little and only print")
    quick: bool = parser.parse_args().quick
    lines = [
        "| Recordings that end within an hour | Requests | Requests for each | Median delay | Longest delay |",
        "| --- | --- | --- | --- | --- |",
        *[asyncio.run(measure(count)).row() for count in ((10, 100) if quick else (10, 1_000, 10_000))],
    ]
    text = "\n".join(lines)
    print(text)
    if not quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    main()
