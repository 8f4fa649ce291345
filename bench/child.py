"""What runs in processes of its own, one for each thing to measure: ``python -m bench.child KIND …`` prints JSON."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
import tracemalloc
from collections.abc import Coroutine
from importlib import import_module
from typing import Any, TypeVar

from bench.peers import PEERS, Start, Target, load

ResultT = TypeVar("ResultT")

WARM_UP = 50
"""Calls before measuring, at the least; and at least one for each connection."""

PATIENCE = 2.0
"""CPU seconds. A warm-up that took longer counts as the measurement: connecting is a small part of it, and a burst of
one call for each connection costs a pool less than going on would."""

CALLS_EACH = 4
"""Calls for each connection, at the least: starting and ending should be a small part."""

TIMEOUT = 0.5
"""Seconds that each peer is told to wait for an answer, where something goes wrong."""

LONGEST_FAULT = 20.0
"""Seconds. Who has said nothing by then, whatever the timeout, is not waited for."""

BATCH = 32
"""Concurrency of the batches, the default of ``start_many``."""


def run(main: Coroutine[Any, Any, ResultT], loop: str = "asyncio") -> ResultT:
    with asyncio.Runner(loop_factory=import_module(loop).new_event_loop) as runner:
        return runner.run(main)


async def call_all(start: Start, calls: int, concurrency: int) -> dict[str, Any]:
    """Let workers share the calls; CPU and wall-clock seconds from before the first to after the last."""
    names = (f"room-{number}" for number in range(calls))

    async def work() -> None:
        for name in names:
            await start(name)

    cpu, wall = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, calls)):
            group.create_task(work())
    return {"calls": calls, "cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


async def speed(name: str, url: str, concurrency: int, seconds: float) -> None:
    """A slice for each line that comes in, so that the peers take turns; its figures for a line that goes out."""
    async with load(name)(Target(url, concurrency)) as start:
        for _ in sys.stdin:
            print(json.dumps(await one_slice(start, concurrency, seconds)), flush=True)


async def one_slice(start: Start, concurrency: int, seconds: float) -> dict[str, Any]:
    """As many calls as take about ``seconds`` of CPU, and at least some for each connection."""
    warm = await call_all(start, max(WARM_UP, concurrency), concurrency)
    if warm["cpu"] > PATIENCE:
        return warm
    calls = int(seconds * warm["calls"] / warm["cpu"])
    return await call_all(start, max(CALLS_EACH * concurrency, calls), concurrency)


async def fault(name: str, url: str, conference: str) -> dict[str, Any]:
    """One start that goes wrong: what the caller is told."""
    limit = asyncio.timeout(LONGEST_FAULT)
    async with load(name)(Target(url, 1, timeout=TIMEOUT)) as start:
        try:
            async with limit:
                await start(conference)
        except Exception as error:
            return {"told": "nothing" if limit.expired() else type(error).__name__}
    return {"told": "success"}


async def memory(url: str, calls: int, *, traced: bool) -> dict[str, Any]:
    """The peak of a batch in megabytes: of what Python allocated, or of the process."""
    ours = import_module("bench.peers.ours")
    names = (f"room-{number}" for number in range(calls))
    if traced:
        tracemalloc.start()
    async with ours.client(Target(url, BATCH)) as client:
        async for outcome in client.start_many(names, concurrency=BATCH):
            outcome.unwrap()
    if traced:
        return {"megabytes": tracemalloc.get_traced_memory()[1] / 1e6}
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, kilobytes elsewhere
    return {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}


def main(kind: str, *arguments: str) -> None:
    match kind, arguments:
        case "speed", (name, url, concurrency, seconds):
            run(speed(name, url, int(concurrency), float(seconds)), PEERS[name].loop)
        case "fault", (name, url, conference):
            print(json.dumps(run(fault(name, url, conference), PEERS[name].loop)), flush=True)
        case "memory", (url, calls, kept):
            print(json.dumps(run(memory(url, int(calls), traced=kept == "traced"))), flush=True)
        case _:
            raise SystemExit(f"there is no measurement {kind} of {arguments}")
    # The threads of a Rust extension may abort an interpreter that ends: https://github.com/PyO3/pyo3/issues/1274
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
