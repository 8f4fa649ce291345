"""Clients of one account over any transport, and the events that httpcore reports while it sends."""

from __future__ import annotations

import base64
from collections.abc import Callable, Coroutine
from typing import Any

import httpcore
import httpx
import httpx2
import pytest

from plivo_record_async import PlivoRecordError, RecordClient

__all__ = ["AUTH_ID", "BASIC", "RECORD", "STARTED", "TOKEN", "Handler", "client_over", "error_of_start", "report"]

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
TOKEN = "tokentokentokentokentokentokentokentoken"
BASIC = base64.b64encode(f"{AUTH_ID}:{TOKEN}".encode()).decode()
RECORD = f"/v1/Account/{AUTH_ID}/Conference/standup/Record/"

STARTED = {"api_id": "a", "message": "conference recording started", "url": "http://u", "recording_id": "r"}

Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


def client_over(
    transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None = None,
    *,
    max_retries: int = 0,
    **options: Any,
) -> RecordClient:
    """Return a client that sends over ``transport`` and does not retry."""
    return RecordClient(AUTH_ID, TOKEN, transport=transport, max_retries=max_retries, **options)


async def report(request: httpx.Request, *events: str, method: str = "POST") -> None:
    """Report the events that httpcore reports while it sends."""
    trace = request.extensions["trace"]
    for event in events:
        info = {"request": httpcore.Request(method, "http://h/")} if "send_request_headers" in event else {}
        await trace(event, info)


async def error_of_start(handler: Handler) -> Any:
    """Start over a transport that answers with ``handler``, and return the error, which is one of the package's own."""
    async with client_over(httpx.MockTransport(handler)) as client:
        with pytest.raises(PlivoRecordError) as caught:
            await client.start_recording("standup")
    error = caught.value
    assert str(error).startswith("start of 'standup': ")
    assert not isinstance(error, httpx.HTTPError | httpx.InvalidURL | httpx.StreamError)
    return error
