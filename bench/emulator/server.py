"""An emulator in a process of its own: ``python -m bench.emulator.server KEEP CORE``.

It prints its URL, and for each line that it reads its resident memory in MB and its CPU time in seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from plivo_record_async.emulator import Emulator


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def serve(keep: int) -> None:
    async with Emulator(keep=keep) as plivo:
        print(plivo.url, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(resident_mb(), time.process_time(), flush=True)


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[2])})
    asyncio.run(serve(int(sys.argv[1])))
