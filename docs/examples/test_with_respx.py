"""Included in howto/testing."""

from __future__ import annotations

import pytest
import respx

from plivo_record_async import OutcomeUnknownError, RecordClient

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"


@respx.mock
async def test_start() -> None:
    route = respx.post(f"https://api.plivo.com/v1/Account/{AUTH_ID}/Conference/standup/Record/")
    route.respond(202, json={"api_id": "a", "message": "conference recording started"})
    async with RecordClient(AUTH_ID, "token") as client:
        started = await client.start_recording("standup")
    assert started.api_id == "a"
    assert route.call_count == 1


@respx.mock
async def test_a_503_is_not_repeated() -> None:
    route = respx.post().respond(503)
    async with RecordClient(AUTH_ID, "token") as client:
        with pytest.raises(OutcomeUnknownError):
            await client.start_recording("standup")
    assert route.call_count == 1
