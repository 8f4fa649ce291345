from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plivo_record_async.emulator.faults.misbehaving import reset_connection, until_disconnected


async def test_only_the_emulators_own_server_can_reset_a_connection() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None: ...

    with pytest.raises(TypeError, match="need the emulator's own server"):
        await reset_connection(receive, send)


async def test_messages_before_the_disconnection_are_skipped() -> None:
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    for kind in ("http.request", "http.disconnect", "http.request"):
        messages.put_nowait({"type": kind})
    await until_disconnected(messages.get)
    assert messages.qsize() == 1
