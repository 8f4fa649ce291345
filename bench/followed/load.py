"""Who calls back, in a process of its own: ``python -m bench.followed.load``, then

- ``flat-out ROUNDS STARTS URL …``: each of 50 connections calls as soon as it was answered; the receivers take turns;
- ``paced ROUNDS STARTS RATE URL …``: so many callbacks a second, whether the others were answered or not; in turns too.

It prints JSON. Each round calls back for so many starts; what is sent was made before the time is taken.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Self, cast
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

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._left = 0
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._latencies: list[float] = []

    @classmethod
    async def on(cls, url: str) -> Self:
        """Connect, with all connections."""
        load = cls(url)
        host, _, port = urlsplit(url).netloc.partition(":")
        for _ in range(CONNECTIONS):
            _, connection = await load._loop.create_connection(lambda: Connection(load), host, int(port))
            load._idle.append(connection)
        return load

    async def flat_out(self, calls: Sequence[bytes]) -> dict[str, Any]:
        """What they took: CPU seconds of the receiver, and seconds."""
        before = state(self._url)
        self._begin(len(calls))
        now = time.perf_counter()
        for call in calls:
            self._offer(call, now)
        await self._done
        wall, after = time.perf_counter() - now, state(self._url)
        if after["orphans"]:
            raise RuntimeError(f"{after['orphans']} callbacks found no recording")
        return {"calls": len(calls), "cpu": after["cpu"] - before["cpu"], "wall": wall}

    async def paced(self, calls: Sequence[bytes], rate: float) -> list[float]:
        self._begin(len(calls))
        began = time.perf_counter()
        for number, call in enumerate(calls):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._offer(call, due)
        await self._done
        return self._latencies

    def _begin(self, calls: int) -> None:
        self._left = calls
        self._done = self._loop.create_future()
        self._latencies = []

    def _offer(self, call: bytes, due: float) -> None:
        if self._idle:
            self._idle.popleft().send(call, due)
        else:
            self._waiting.append((call, due))

    def answered(self, connection: Connection) -> None:
        self._latencies.append(time.perf_counter() - connection.due)
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


async def flat_out(rounds: int, starts: int, urls: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The receivers take turns: for each the slices, round after round."""
    loads = [await Load.on(url) for url in urls]
    found: list[list[dict[str, Any]]] = [[] for _ in urls]
    for number in range(rounds + 1):
        calls = requests(range(number * starts, (number + 1) * starts))
        for load, slices in zip(loads, found, strict=True):
            slices.append(await load.flat_out(calls))
    return [slices[1:] for slices in found]  # the first round was the warm-up


async def paced(rounds: int, starts: int, rate: float, urls: Sequence[str]) -> list[list[list[float]]]:
    """The seconds from when each callback was due to its answer: for each receiver, round after round."""
    loads = [await Load.on(url) for url in urls]
    found: list[list[list[float]]] = [[] for _ in urls]
    for load in loads:
        await load.flat_out(requests(range(starts)))
    for number in range(1, rounds + 1):
        calls = requests(range(number * starts, (number + 1) * starts))
        for load, latencies in zip(loads, found, strict=True):
            latencies.append(await load.paced(calls, rate))
    return found


def state(url: str) -> Any:
    with urlopen(f"{url}/state") as answer:
        return json.load(answer)


def main(kind: str, rounds: str, starts: str, *arguments: str) -> None:
    match kind, arguments:
        case "flat-out", urls:
            pin(1)
            print(json.dumps(uvloop.run(flat_out(int(rounds), int(starts), urls))))
        case "paced", (rate, *urls):
            print(json.dumps(uvloop.run(paced(int(rounds), int(starts), float(rate), urls))))
        case _:
            raise SystemExit(f"there is no load {kind!r} of {arguments}")


if __name__ == "__main__":
    main(*sys.argv[1:])
