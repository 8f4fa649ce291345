"""This package, with its own connections and with ``fast_transport()``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from bench.peers import AUTH_ID, AUTH_TOKEN, Start, Target
from plivo_record_async import RecordClient, fast_transport


def client(target: Target, *, fast: bool = False) -> RecordClient:
    return RecordClient(
        AUTH_ID,
        AUTH_TOKEN,
        base_url=target.url,
        timeout=target.timeout,
        rate_limit=None,
        max_connections=target.concurrency,
        transport=fast_transport() if fast else None,
    )


@asynccontextmanager
async def default(target: Target) -> AsyncIterator[Start]:
    async with client(target) as plivo:
        yield partial(plivo.start_recording, file_format="wav")


@asynccontextmanager
async def fast(target: Target) -> AsyncIterator[Start]:
    async with client(target, fast=True) as plivo:
        yield partial(plivo.start_recording, file_format="wav")
