from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from blockbuster import BlockBuster

from plivo_record_async.cli.doctor.http_post import NoAnswerError, post
from tests.support.servers.asgi_server import serving


@pytest.fixture(autouse=True)
def may_block(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # httpx reads the certificates of the machine


async def answer_long(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 302, "headers": [(b"Location", b"https://other.example/")]})
    await send({"type": "http.response.body", "body": b"x" * 100_000})


async def test_response_is_returned_with_the_beginning_of_its_body_and_no_redirect_is_followed() -> None:
    async with serving(answer_long, lifespan="off") as url:
        answer = await post(url, headers={}, content=b"", timeout=5)
    assert (answer.status, answer.headers["location"]) == (302, "https://other.example/")
    assert answer.body == b"x" * 16 * 1024


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """Yield the URL of a server that never answers."""
    ended = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ended.set()


async def test_missing_response_is_an_error_that_says_why(silent: str, unused_tcp_port: int) -> None:
    for url, reason in (
        (silent, "no response within 0.05 seconds"),
        (f"http://127.0.0.1:{unused_tcp_port}", "ConnectError: .*111.*refused|ConnectError: .*Connect call failed"),
        ("http://host.invalid", "ConnectError"),
        ("http://me.example:port", "InvalidURL"),
    ):
        with pytest.raises(NoAnswerError, match=reason):
            await post(url, headers={}, content=b"", timeout=0.05 if url == silent else 5)


async def test_invalid_proxy_is_an_error_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://proxy")
    with pytest.raises(NoAnswerError, match="ValueError"):
        await post("http://me.example", headers={}, content=b"", timeout=5)
