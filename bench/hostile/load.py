"""Who calls: ``python -m bench.hostile.load URL KIND SECONDS FIRST`` prints JSON.

100 genuine callbacks a second, from the start with the number ``FIRST`` on, and 1,000 requests a second of the kind
with that number in `KINDS`; none if it is -1. Each is due at its time, whether the others were answered or not, and its
latency runs from then; so a receiver that falls behind cannot hide it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import urlopen

import uvloop

from bench.followed.callbacks import answered, ended
from bench.followed.cores import pin
from bench.hostile.requests import KINDS, Requests

GENUINE_A_SECOND = 100
HOSTILE_A_SECOND = 1000

GENUINE_CONNECTIONS = 20
HOSTILE_CONNECTIONS = 100


class Caller(ABC):
    """Sends requests when they are due, and keeps what was answered.

    Attributes:
        latencies: Seconds from when each request was due to its answer.
        statuses: How often each was answered.
    """

    def __init__(self, url: str, requests: Requests) -> None:
        parts = urlsplit(url)
        self._address = str(parts.hostname), parts.port
        self._requests = requests
        self._tasks = set[asyncio.Task[Any]]()
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()

    @abstractmethod
    def offer(self, due: float) -> None:
        """Send one request, which is due at that time."""

    def answered(self, answer: bytes, due: float) -> None:
        self.latencies.append(time.perf_counter() - due)
        self.statuses[answer[9:12].decode() or "closed"] += 1

    def connect(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._spawn(self._connect(protocol))

    async def _connect(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        try:
            await asyncio.get_running_loop().create_connection(protocol, *self._address)
        except OSError:
            self.statuses["no connection"] += 1

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Crowd(Caller):
    """Some connections, each with one request at a time. One that the receiver closes is opened again."""

    def __init__(self, url: str, requests: Requests, connections: int) -> None:
        super().__init__(url, requests)
        self._free: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        for _ in range(connections):
            self.connect(lambda: Connection(self))

    def offer(self, due: float) -> None:
        if self._free:
            self._free.popleft().send(next(self._requests), due)
        else:
            self._waiting.append(due)

    def is_free(self, connection: Connection) -> None:
        if self._waiting:
            connection.send(next(self._requests), self._waiting.popleft())
        else:
            self._free.append(connection)

    def is_closed(self, connection: Connection) -> None:
        if connection in self._free:
            self._free.remove(connection)
        self.connect(lambda: Connection(self))


class Connection(asyncio.Protocol):
    """One request at a time."""

    transport: asyncio.Transport

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._received = b""
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one only in what it does
        self._crowd.is_free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended
        if self._due is not None:
            self._crowd.answered(b"", self._due)
        self._crowd.is_closed(self)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        _, end, body = self._received.partition(b"\r\n\r\n")
        if self._due is None or not end or not body.endswith(b"\n"):
            return
        self._crowd.answered(self._received, self._due)
        closes, self._received, self._due = b"connection: close" in self._received, b"", None
        if not closes:
            self._crowd.is_free(self)


class SlowCrowd(Caller):
    """A connection for each request, which the caller never closes, and whose body comes a byte a second."""

    def __init__(self, url: str, requests: Requests) -> None:
        super().__init__(url, requests)
        self._open = set[SlowConnection]()
        self._spawn(self._drip())

    def offer(self, due: float) -> None:
        self.connect(lambda: SlowConnection(self, due))

    def opened(self, connection: SlowConnection) -> bytes:
        self._open.add(connection)
        return next(self._requests)

    def closed(self, connection: SlowConnection) -> None:
        self._open.discard(connection)

    async def _drip(self) -> None:
        while True:
            await asyncio.sleep(1)
            for connection in tuple(self._open):
                connection.transport.write(b"a")


class SlowConnection(asyncio.Protocol):
    """One request without an end."""

    transport: asyncio.Transport

    def __init__(self, crowd: SlowCrowd, due: float) -> None:
        self._crowd = crowd
        self._due = due
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._crowd.opened(self))

    def data_received(self, data: bytes) -> None:
        self._received += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended
        self._crowd.closed(self)
        self._crowd.answered(self._received, self._due)


def genuine(first: int) -> Iterator[bytes]:
    """Two callbacks of each start, one after the other."""
    number = first
    while True:
        yield answered(number).request()
        yield ended(number).request()
        number += 1


async def pace(caller: Caller, rate: int, seconds: float) -> None:
    """Offer so many requests a second."""
    began = time.perf_counter()
    for number in range(round(rate * seconds)):
        due = began + number / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        caller.offer(due)


async def watch_memory(url: str, seen: list[int]) -> None:
    while True:
        seen.append((await asyncio.to_thread(state, url))["memory"])
        await asyncio.sleep(0.5)


async def load(url: str, kind: int, seconds: float, first: int) -> dict[str, Any]:
    friends = Crowd(url, genuine(first), GENUINE_CONNECTIONS)
    paces = [pace(friends, GENUINE_A_SECOND, seconds)]
    foes: Caller | None = None
    if kind >= 0:
        requests = KINDS[kind].requests()
        foes = SlowCrowd(url, requests) if KINDS[kind].is_slow else Crowd(url, requests, HOSTILE_CONNECTIONS)
        paces.append(pace(foes, HOSTILE_A_SECOND, seconds))
    await asyncio.sleep(0.2)
    before, memory = state(url), list[int]()
    watching = asyncio.create_task(watch_memory(url, memory))
    await asyncio.gather(*paces)
    await asyncio.sleep(1)  # what is still on its way
    watching.cancel()
    after = state(url)
    return {
        "latencies": friends.latencies,
        "statuses": friends.statuses,
        "hostile": foes.statuses if foes else {},
        "memory": max(memory) - before["memory"],
        "cpu": after["cpu"] - before["cpu"],
        "orphans": after["orphans"] - before["orphans"],
    }


def state(url: str) -> Any:
    with urlopen(f"{url}/state") as answer:
        return json.load(answer)


if __name__ == "__main__":
    url, kind, seconds, first = sys.argv[1:]
    pin(1)
    print(json.dumps(uvloop.run(load(url, int(kind), float(seconds), int(first)))))
