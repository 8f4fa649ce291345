"""``aiohttp.ClientSession.post``, JSON in and out, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import BasicAuth, ClientSession, ClientTimeout, TCPConnector

from bench.peers import AUTH_ID, AUTH_TOKEN, Start, Target


@asynccontextmanager
async def client(target: Target) -> AsyncIterator[Start]:
    async with ClientSession(
        target.url,
        auth=BasicAuth(AUTH_ID, AUTH_TOKEN),
        connector=TCPConnector(limit=target.concurrency),
        timeout=ClientTimeout(total=target.timeout),
    ) as session:

        async def start(name: str) -> Any:
            path = f"/v1/Account/{AUTH_ID}/Conference/{name}/Record/"
            async with session.post(path, json={"file_format": "wav"}) as response:
                return await response.json()

        yield start
