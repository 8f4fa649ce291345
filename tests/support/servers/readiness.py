"""Wait until a web application in another process is ready: by its readiness probe, as a load balancer does."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process

import httpx

__all__ = ["is_ready", "until_ready"]


async def is_ready(user: httpx.AsyncClient) -> bool:
    """Return whether ``/ready`` answers that the application is ready.

    Args:
        user: A client of the application.
    """
    try:
        response = await user.get("/ready")
    except httpx.TransportError:
        return False
    return response.status_code == 200 and response.json() == "ready"


async def until_ready(process: Process, user: httpx.AsyncClient) -> None:
    """Wait until the application is ready.

    Args:
        process: The process that serves it.
        user: A client of the application.

    Raises:
        RuntimeError: The process ended.
        TimeoutError: The application is not ready after a minute.
    """
    async with asyncio.timeout(60):
        while not await is_ready(user):
            if process.returncode is not None:
                raise RuntimeError(f"the application ended with {process.returncode} before it was ready")
            await asyncio.sleep(0.1)
