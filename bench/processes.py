"""The processes that a run starts, and ends: the server, and those in which something is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, NamedTuple
from urllib.request import urlopen


class Server(NamedTuple):
    url: str

    def state(self) -> Any:
        """See `bench.server`."""
        with urlopen(f"{self.url}/state") as answer:
            return json.load(answer)


@contextmanager
def running_server() -> Iterator[Server]:
    with subprocess.Popen([sys.executable, "-m", "bench.server"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(pipe(process.stdout).readline().strip())
        finally:
            process.terminate()


class Turns:
    """A peer that makes a slice of calls whenever it is its turn."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._to, self._from = pipe(process.stdin), pipe(process.stdout)

    def take(self) -> Any:
        print(file=self._to, flush=True)
        line = self._from.readline()
        if not line:
            raise RuntimeError("the peer has gone, and said on stderr why")
        return json.loads(line)


@contextmanager
def running_peer(name: str, server: Server, concurrency: int, seconds: float) -> Iterator[Turns]:
    command = [*CHILD, "speed", name, server.url, str(concurrency), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Turns(process)


CHILD = (sys.executable, "-m", "bench.child")


def child(kind: str, *arguments: object) -> Any:
    return output([*CHILD, kind, *map(str, arguments)])


def output(command: Sequence[str]) -> Any:
    """The JSON that a process prints last; an SDK may have printed something before it."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def pipe(end: IO[str] | None) -> IO[str]:
    assert end is not None
    return end


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
