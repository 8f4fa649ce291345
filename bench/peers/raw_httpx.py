"""``httpx.AsyncClient.post``, JSON in and out, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from bench.peers import AUTH_ID, AUTH_TOKEN, Start, Target


@asynccontextmanager
async def client(target: Target) -> AsyncIterator[Start]:
    limits = httpx.Limits(max_connections=target.concurrency, max_keepalive_connections=target.concurrency)
    async with httpx.AsyncClient(
        base_url=target.url, auth=(AUTH_ID, AUTH_TOKEN), limits=limits, timeout=target.timeout
    ) as http:

        async def start(name: str) -> Any:
            path = f"/v1/Account/{AUTH_ID}/Conference/{name}/Record/"
            return (await http.post(path, json={"file_format": "wav"})).json()

        yield start
