"""Who calls back, in a process of its own: ``python -m bench.followed.load``, then

- ``flat out URL WARM-UP STARTS``: each of 50 connections calls as soon as it was answered;
- ``paced URL WARM-UP STARTS RATE``: a callback every so often, whether the others were answered or not.

It prints JSON. Everything that is sent was made before the time is taken.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import urlopen

import uvloop

from bench.followed.callbacks import requests
from bench.followed.cores import pin

CONNECTIONS = 50


class Connection(asyncio.Protocol):
    """One callback at a time over one connection."""

    transport: asyncio.Transport

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one only in what it does

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.fail(exc or ConnectionError("the receiver has closed a connection"))

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"OK\n"):  # the whole body of either receiver
            answer, self._received = self._received, b""
            if answer.startswith(b"HTTP/1.1 200 "):
                self._load.answered(self)
            else:
                self._load.fail(RuntimeError(f"answered {answer!r}"))
        elif self._received.startswith(b"HTTP/1.1 ") and self._received[9:12] != b"200":
            self._load.fail(RuntimeError(f"answered {self._received!r}"))


class Load:
    """Callbacks that wait for their time, and connections that wait for callbacks."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._left = 0
        self._done: asyncio.Future[None] = self._loop.create_future()
        self.latencies: list[float] = []

    async def connect(self, url: str) -> None:
        parts = urlsplit(url)
        for _ in range(CONNECTIONS):
            _, connection = await self._loop.create_connection(lambda: Connection(self), parts.hostname, parts.port)
            self._idle.append(connection)

    async def flat_out(self, calls: Sequence[bytes]) -> None:
        self._begin(len(calls))
        now = time.perf_counter()
        for call in calls:
            self._offer(call, now)
        await self._done

    async def paced(self, calls: Sequence[bytes], rate: float) -> None:
        self._begin(len(calls))
        began = time.perf_counter()
        for number, call in enumerate(calls):
            due = began + number / rate
            while (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            self._offer(call, due)
        await self._done

    def _begin(self, calls: int) -> None:
        self._left = calls
        self._done = self._loop.create_future()
        self.latencies = []

    def _offer(self, call: bytes, due: float) -> None:
        if self._idle:
            self._idle.popleft().send(call, due)
        else:
            self._waiting.append((call, due))

    def answered(self, connection: Connection) -> None:
        self.latencies.append(time.perf_counter() - connection.due)
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)
        self._left -= 1
        if self._left == 0:
            self._done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


async def main(url: str, warm_up: int, starts: int, rate: float | None) -> dict[str, Any]:
    first, calls = requests(range(warm_up)), requests(range(warm_up, warm_up + starts))
    load = Load()
    await load.connect(url)
    await load.flat_out(first)
    before, own, began = state(url), time.process_time(), time.perf_counter()
    await (load.flat_out(calls) if rate is None else load.paced(calls, rate))
    wall, own = time.perf_counter() - began, time.process_time() - own
    after = state(url)
    if after["orphans"]:
        raise RuntimeError(f"{after['orphans']} callbacks found no recording")
    return {
        "calls": len(calls),
        "wall": wall,
        "load_cpu": own,
        "cpu": after["cpu"] - before["cpu"],
        "latencies": [] if rate is None else load.latencies,
    }


def state(url: str) -> Any:
    with urlopen(f"{url}/state") as answer:
        return json.load(answer)


if __name__ == "__main__":
    pin(1)
    url, warm_up, starts, *rates = sys.argv[1:]
    print(json.dumps(uvloop.run(main(url, int(warm_up), int(starts), float(rates[0]) if rates else None))))
