"""Starts over plain sockets, so that the client costs as little as possible."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from plivo_record_async.emulator.server import DEFAULT_AUTH_ID, DEFAULT_AUTH_TOKEN

CONNECTIONS = 16
CREDENTIALS = base64.b64encode(f"{DEFAULT_AUTH_ID}:{DEFAULT_AUTH_TOKEN}".encode()).decode()


class Server:
    """An emulator in a process of its own, on one core."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = self._line()

    def usage(self) -> tuple[float, float]:
        """The resident memory in MB, and the CPU time in seconds."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        memory, seconds = map(float, self._line().split())
        return memory, seconds

    def starts_per_second(self, names: Iterator[str], count: int) -> float:
        """How many starts are answered in a second of CPU time."""
        before = self.usage()[1]
        asyncio.run(_all(self.url, names))
        return count / (self.usage()[1] - before)

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@contextmanager
def running(keep: int, core: int) -> Iterator[Server]:
    command = [sys.executable, "-m", "bench.emulator.server", str(keep), str(core)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Server(process)
        assert process.stdin
        process.stdin.close()


async def _starts(url: str, names: Iterator[str]) -> None:
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    for name in names:
        headers = (
            f"Host: x\r\nAuthorization: Basic {CREDENTIALS}\r\nContent-Type: application/json\r\nContent-Length: 2"
        )
        target = f"/v1/Account/{DEFAULT_AUTH_ID}/Conference/{name}/Record/"
        writer.write(f"POST {target} HTTP/1.1\r\n{headers}\r\n\r\n{{}}".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


async def _all(url: str, names: Iterator[str]) -> None:
    await asyncio.gather(*(_starts(url, names) for _ in range(CONNECTIONS)))
