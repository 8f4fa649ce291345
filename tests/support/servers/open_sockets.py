"""Count the open sockets and file descriptors of this process, as the kernel sees them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["connections_to", "open_descriptors", "wait_until"]

_DESCRIPTORS = Path("/proc/self/fd")


def open_descriptors() -> int:
    """Return how many descriptors of any kind are open."""
    return len(list(_DESCRIPTORS.iterdir()))


def connections_to(url: str) -> int:
    """Return how many sockets of this process are connected, or are being connected, to this machine's port."""
    port = f"{int(url.rpartition(':')[2]):04X}"
    held: set[str] = set()
    for descriptor in _DESCRIPTORS.iterdir():
        with suppress(OSError):  # closed meanwhile: the one that lists the directory, or another thread's
            held.update(re.findall(r"socket:\[(\d+)\]", str(descriptor.readlink())))
    # https://docs.kernel.org/networking/proc_net_tcp.html
    rows = (line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:])
    # A set: the table is read in pieces, and a socket may come twice while others are opened and closed.
    return len({row[9] for row in rows if row[2].endswith(f":{port}")} & held)


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until other threads have made a condition true: those of a server, or of a transport."""
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.005)
