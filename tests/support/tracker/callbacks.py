"""Deliver a signed callback to a tracker, without a network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from uuid import uuid4

import httpx

from plivo_record_async.emulator.account.callbacks import Callback, SignatureScheme
from plivo_record_async.tracking.receiving.receiver import Receive, Scope, Send
from tests.support.tracker.scripted_plivo import TOKEN

__all__ = ["deliver_callback", "ended_fields"]

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def ended_fields(conference_name: str = "standup", recording_id: str = "rec-1", **more: str) -> dict[str, str]:
    """Return the fields of the callback at the end of a recording; those of Plivo have an ``api_id`` too."""
    return {
        "record_url": f"https://media.example/{recording_id}.mp3",
        "recording_id": recording_id,
        "conference_name": conference_name,
        "recording_duration": "61",
        "recording_duration_ms": "61000",
        **more,
    }


async def deliver_callback(
    application: Application,
    url: str,
    fields: Mapping[str, str],
    *,
    method: str = "POST",
    token: str = TOKEN,
    scheme: SignatureScheme = "V3",
) -> httpx.Response:
    """Deliver a signed callback to a URL that the tracker issued, without a network."""
    made = Callback(kind="recording", url=url, method=method, fields=fields, api_id="api-1").signed(
        nonce=str(uuid4().int), auth_token=token, scheme=scheme
    )
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport) as plivo:
        return await plivo.request(made.method, made.url, headers=made.headers, content=made.content)
