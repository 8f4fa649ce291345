from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import pytest

from plivo_record_async.emulator import Dialect, Emulator
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


async def received(plivo: Emulator, method: str, path: str) -> bytes:
    """Everything that the server sends until it closes the connection."""
    reader, writer = await asyncio.open_connection(*plivo.url.removeprefix("http://").split(":"))
    credentials = b64encode(f"{plivo.auth_id}:{plivo.auth_token}".encode()).decode()
    head = f"{method} /v1/Account/{plivo.auth_id}/{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    writer.write(f"{head}Authorization: Basic {credentials}\r\nContent-Length: 0\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_connection_is_reset_by_the_emulators_server() -> None:
    async with Emulator() as plivo:
        plivo.faults.on("start").reset_after_execution()
        with pytest.raises(ConnectionResetError):
            await received(plivo, "POST", "Conference/x/Record/")
        assert plivo.executions("x") == 1


async def test_answer_is_cut_in_its_body_or_in_its_head() -> None:
    async with Emulator() as plivo:
        plivo.faults.on("any").cut()
        head, _, body = (await received(plivo, "POST", "Conference/x/Record/")).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        assert len(body) == length // 2
        assert await received(plivo, "DELETE", "Conference/x/Record/") == b"HTTP/1.1 204 "


async def test_bytes_follow_an_answer_that_must_not_have_a_body() -> None:
    async with Emulator(dialect=Dialect(stop_body="message")) as plivo:
        await received(plivo, "POST", "Conference/x/Record/")
        head, _, body = (await received(plivo, "DELETE", "Conference/x/Record/")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 204 ")
        assert b"message" in body
