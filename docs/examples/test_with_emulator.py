"""Included in howto/testing."""

from __future__ import annotations

from plivo_record_async import RecordClient
from plivo_record_async.emulator import Emulator


async def test_standup_is_recorded(plivo_emulator: Emulator) -> None:
    plivo = plivo_emulator
    async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
        await client.start_recording("standup", file_format="wav")
    await plivo.end_conference("standup")

    assert plivo.executions("standup") == 1
    [recording] = plivo.state()["recordings"]
    assert recording["file_format"] == "wav"
