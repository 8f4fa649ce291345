"""``python -m bench.shared_quota`` measures the shared quota, and writes the table into the documentation.

Real processes send as many starts as a `PostgresRateLimit` of 300 requests in 5 seconds permits, with a real PostgreSQL
server. The server of this module notes when each request arrives. ``--quick`` measures a fifth of the time, and only
prints.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
import time
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import AsyncExitStack
from math import inf
from pathlib import Path
from typing import NamedTuple, cast

from bench.server import STARTED
from tests.support.programs import quota_worker
from tests.support.servers.postgres_server import PostgresServer

PAGE = Path(__file__).parents[1] / "docs/explanation/shared-quota.md"
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end of measured -->)", re.DOTALL)
LIMIT, PER = 300, 5.0
WARM_UP = 15.0
"""Seconds that do not count: in them, the processes start and receive their shares."""


class Plan(NamedTuple):
    """What happens while requests are counted: every so many seconds, the oldest process receives a signal."""

    processes: int
    seconds: float
    number: signal.Signals | None = None
    every: float = inf

    def __str__(self) -> str:
        match self.number:
            case signal.SIGKILL:
                return f"one is killed every {self.every:.0f} s, and another one starts"
            case signal.SIGTERM:
                return f"one ends every {self.every:.0f} s, and another one starts"
            case signal.SIGSTOP:
                return f"one is suspended for {self.every / 2:.0f} s every {self.every:.0f} s"
            case _:
                return "nothing"


class Counter(asyncio.Protocol):
    """A connection of a server that notes each request when its head arrives, and answers it."""

    transport: asyncio.Transport

    def __init__(self, arrivals: list[float]) -> None:
        self._arrivals = arrivals

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        heads = data.count(b"HTTP/1.1\r\n")
        self._arrivals += [time.monotonic()] * heads
        self.transport.write(STARTED * heads)


class Workers:
    """The processes that share the quota."""

    def __init__(self, database: str, schema: str, url: str) -> None:
        self._command = [sys.executable, quota_worker.__file__, database, schema, str(LIMIT), str(PER)]
        self._environment = {"PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX", "PLIVO_AUTH_TOKEN": "t", "PLIVO_BASE_URL": url}
        self._running: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        self._running.append(
            await asyncio.create_subprocess_exec(
                *self._command, env=self._environment, stdout=asyncio.subprocess.DEVNULL
            )
        )

    async def disturb(self, plan: Plan) -> None:
        """Send the signal of the plan to the oldest process. If it ends, start another one."""
        assert plan.number is not None
        oldest = self._running.pop(0)
        oldest.send_signal(plan.number)
        if plan.number is signal.SIGSTOP:
            self._running.append(oldest)
            await asyncio.sleep(plan.every / 2)
            oldest.send_signal(signal.SIGCONT)
        else:
            await asyncio.gather(oldest.wait(), self.start())

    async def end(self) -> None:
        for process in self._running:
            process.kill()
            await process.wait()


async def arrivals_during(plan: Plan, database: str, schema: str) -> tuple[list[float], float, float]:
    """Return all arrivals, and the times between which they are counted."""
    arrivals: list[float] = []
    server = await asyncio.get_running_loop().create_server(lambda: Counter(arrivals), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with AsyncExitStack() as stack:
        stack.callback(server.close)
        workers = Workers(database, schema, f"http://{host}:{port}")
        stack.push_async_callback(workers.end)
        await asyncio.gather(*(workers.start() for _ in range(plan.processes)))
        await asyncio.sleep(WARM_UP)
        begin = time.monotonic()
        for number in range(int(plan.seconds / plan.every)):
            await asyncio.sleep(begin + number * plan.every - time.monotonic())
            await workers.disturb(plan)
        await asyncio.sleep(begin + plan.seconds - time.monotonic())
        return arrivals, begin, time.monotonic()


def most_in_a_window(arrivals: Sequence[float]) -> int:
    return max(bisect_left(arrivals, first + PER) - index for index, first in enumerate(arrivals))


def row(plan: Plan, arrivals: list[float], begin: float, end: float) -> str:
    arrivals.sort()
    counted = bisect_left(arrivals, end) - bisect_left(arrivals, begin)
    use = counted * PER / (LIMIT * (end - begin))
    return (
        f"| {plan.processes} | {plan} | {end - begin:.0f} s | {counted / (end - begin):.1f} | {use:.1%} | "
        f"{most_in_a_window(arrivals)} |"
    )


async def table(scale: float) -> str:
    plans = [
        Plan(1, 60 * scale),
        Plan(4, 60 * scale),
        Plan(8, 60 * scale),
        Plan(4, 60 * scale, signal.SIGTERM, 15 * scale),
        Plan(4, 120 * scale, signal.SIGKILL, 30 * scale),
        Plan(8, 120 * scale, signal.SIGKILL, 30 * scale),
        Plan(4, 120 * scale, signal.SIGSTOP, 60 * scale),
    ]
    rows = [
        "| Processes | What happens | Duration | Requests a second | Use of the quota | Most in any 5 seconds |",
        "| ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    with PostgresServer() as postgres:
        for number, plan in enumerate(plans):
            rows.append(row(plan, *await arrivals_during(plan, postgres.url(), f"quota_{number}")))
            print(rows[-1], flush=True)
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.shared_quota", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure a fifth of the time and only print")
    quick: bool = parser.parse_args().quick
    text = asyncio.run(table(0.2 if quick else 1.0))
    if not quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    main()
