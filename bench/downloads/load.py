"""One download in a process of its own: ``python -m bench.downloads.load KIND URL LENGTH PATH`` prints JSON."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from plivo_record_async import RecordClient


async def ours(url: str, path: Path) -> None:
    base_url, _, _ = url.rpartition("/")
    async with RecordClient("MAXXXXXXXXXXXXXXXXXX", "token", base_url=base_url) as client:
        await client.download_recording(url, path)


async def raw(url: str, path: Path) -> None:
    """Stream to a file as the documentation of httpx shows it."""
    async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
        with path.open("wb") as file:
            async for chunk in response.aiter_bytes():
                file.write(chunk)


async def synced(url: str, path: Path) -> None:
    """The same, and wait until the file is on the disk."""
    await raw(url, path)
    with path.open("rb+") as file:
        os.fsync(file.fileno())


KINDS: dict[str, Callable[[str, Path], Awaitable[None]]] = {"ours": ours, "raw": raw, "synced": synced}


def peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


async def measured(kind: str, url: str, length: int, path: Path) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    await KINDS[kind](f"{url}/{length}.mp3", path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"mb_per_s": length / 1e6 / wall, "cpu_s_per_gb": cpu / length * 1e9, "peak_mb": peak_mb()}


if __name__ == "__main__":
    _, kind, url, length, path = sys.argv
    result = asyncio.run(measured(kind, url, int(length), Path(path)))
    assert Path(path).stat().st_size == int(length)
    print(json.dumps(result))
