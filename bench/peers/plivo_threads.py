"""Plivo's own SDK, which is synchronous: one client, as many threads as calls, as many connections as threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import plivo  # type: ignore[import-untyped]
import plivo.rest.client as settings  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter

from bench.peers import AUTH_ID, AUTH_TOKEN, Start, Target

ADDRESSES = ("API_VOICE_BASE_URI", "API_VOICE_BASE_URI_FALLBACK_1", "API_VOICE_BASE_URI_FALLBACK_2")


@asynccontextmanager
async def threads(target: Target) -> AsyncIterator[Start]:
    for address in ADDRESSES:  # the client has no argument for it
        setattr(settings, address, f"{target.url}/v1/Account")
    client = plivo.RestClient(AUTH_ID, AUTH_TOKEN, timeout=target.timeout)
    client.session.mount("http://", HTTPAdapter(pool_maxsize=target.concurrency))
    loop = asyncio.get_running_loop()

    def start(name: str) -> Any:
        return client.conferences.record(name, file_format="wav")

    with ThreadPoolExecutor(target.concurrency) as pool, client:

        async def start_in_thread(name: str) -> Any:
            return await loop.run_in_executor(pool, start, name)

        yield start_in_thread
