from __future__ import annotations

import asyncio
import gc
import re
import signal
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import httpx
import pytest

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.serving import StartupFailedError, is_loopback, open_listener, serving, url_of

Message = MutableMapping[str, Any]


async def hello(_scope: Message, _receive: Callable[[], Awaitable[Message]], send: Callable[..., Any]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_application_is_served_inside_the_block_and_signal_handlers_stay() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with open_listener("127.0.0.1", 0) as listening:
        url = url_of(listening)
        async with httpx.AsyncClient(trust_env=False) as http:
            async with serving(hello, listening):
                assert (await http.get(url)).text == "hello"
                assert signal.getsignal(signal.SIGTERM) is before
            with pytest.raises(httpx.ConnectError):
                await http.get(url)


async def test_server_stops_when_the_block_raises() -> None:
    with open_listener("127.0.0.1", 0) as listening:
        url = url_of(listening)
        with suppress(ZeroDivisionError):
            async with serving(hello, listening):
                raise ZeroDivisionError
        async with httpx.AsyncClient(trust_env=False) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(url)


async def test_answer_in_progress_is_finished_at_the_end() -> None:
    asked, end = asyncio.Event(), asyncio.Event()

    async def slow(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[..., Any]) -> None:
        asked.set()
        await end.wait()
        await hello(scope, receive, send)

    with open_listener("127.0.0.1", 0) as listening:
        async with httpx.AsyncClient(trust_env=False) as http:
            async with serving(slow, listening):
                answer = asyncio.create_task(http.get(url_of(listening)))
                await asked.wait()
                asyncio.get_running_loop().call_later(0.05, end.set)
            assert (await answer).text == "hello"


@pytest.mark.parametrize("rounds", range(6))
async def test_connection_that_is_accepted_at_the_end_is_closed(rounds: int) -> None:
    with open_listener("127.0.0.1", 0) as listening, socket.socket() as client:
        client.setblocking(False)
        async with serving(hello, listening):
            client.connect_ex(listening.getsockname())
            for _ in range(rounds):
                await asyncio.sleep(0)
        gc.collect()  # warns of a connection that was not closed
        with suppress(ConnectionResetError):
            assert await asyncio.get_running_loop().sock_recv(client, 1) == b""


async def test_connection_of_a_request_that_does_not_end_is_closed_after_the_grace_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = asyncio.Event()

    async def endless(_scope: Message, _receive: Callable[[], Awaitable[Message]], _send: Callable[..., Any]) -> None:
        asked.set()
        await asyncio.Event().wait()

    with open_listener("127.0.0.1", 0) as listening:
        async with httpx.AsyncClient(trust_env=False) as http:
            async with serving(endless, listening, timeout_graceful_shutdown=0.05):
                answer = asyncio.create_task(http.get(url_of(listening)))
                await asked.wait()
            with pytest.raises(httpx.RemoteProtocolError):
                await answer
    assert "1 requests did not finish in time" in caplog.text


async def test_a_lifespan_that_fails_to_start_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(_scope: Message, _receive: Callable[[], Awaitable[Message]], _send: Callable[..., Any]) -> None:
        raise ZeroDivisionError

    with open_listener("127.0.0.1", 0) as listening, pytest.raises(StartupFailedError, match="failed to start"):
        async with serving(failing, listening, lifespan="on"):
            pytest.fail("it was served")
    assert "ZeroDivisionError" in caplog.text


def test_listener_has_ipv4_and_ipv6_addresses() -> None:
    with (
        open_listener("127.0.0.1", 0) as four,
        open_listener("::1", 0) as six,
        open_listener("0.0.0.0", 0) as everywhere,
    ):
        assert url_of(four) == f"http://127.0.0.1:{four.getsockname()[1]}"
        assert url_of(six) == f"http://[::1]:{six.getsockname()[1]}"
        assert [is_loopback(each) for each in (four, six, everywhere)] == [True, True, False]


def test_host_name_of_this_machine_is_accepted() -> None:
    with open_listener("localhost", 0) as listening:
        assert is_loopback(listening)


def test_port_in_use_raises_configuration_error() -> None:
    with open_listener("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: "):
            open_listener("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b", "ü..b", "a\0b"])
def test_host_of_another_machine_raises_configuration_error(host: str) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"cannot listen on {re.escape(host)} port 0: .+\. Choose another host"
    ):
        open_listener(host, 0)
