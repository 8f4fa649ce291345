"""Twilio's SDK with its asynchronous client, which is aiohttp's. The nearest it has is a recording of a call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, TCPConnector
from twilio.http.async_http_client import AsyncTwilioHttpClient  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from bench.peers import AUTH_ID, AUTH_TOKEN, Start, Target


@asynccontextmanager
async def client(target: Target) -> AsyncIterator[Start]:
    http = AsyncTwilioHttpClient(pool_connections=False, timeout=target.timeout)
    # A session that it makes itself holds 100 connections at the most.
    http.session = ClientSession(connector=TCPConnector(limit=target.concurrency))
    twilio = Client(AUTH_ID, AUTH_TOKEN, http_client=http)
    twilio.api.base_url = target.url

    async def start(name: str) -> Any:
        return await twilio.calls(name).recordings.create_async(recording_channels="mono")

    async with http:
        yield start
