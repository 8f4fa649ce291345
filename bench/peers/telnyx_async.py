"""Telnyx' SDK with its asynchronous client, which is httpx's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
from telnyx import AsyncTelnyx, DefaultAsyncHttpxClient

from bench.peers import AUTH_TOKEN, Start, Target


@asynccontextmanager
async def client(target: Target) -> AsyncIterator[Start]:
    limits = httpx.Limits(max_connections=target.concurrency, max_keepalive_connections=target.concurrency)
    http = DefaultAsyncHttpxClient(limits=limits)
    async with AsyncTelnyx(
        api_key=AUTH_TOKEN, base_url=f"{target.url}/v2", timeout=target.timeout, http_client=http
    ) as telnyx:
        yield partial(telnyx.conferences.actions.record_start, format="wav")
