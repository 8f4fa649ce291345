"""The network under httpcore, against real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import httpcore
import pytest
import uvloop

from plivo_record_async.transport.connectors.network import AsyncioBackend

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def connected(
    peer: Peer, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", **options: Any
) -> AsyncGenerator[httpcore.AsyncNetworkStream, None]:
    """Open a connection to a peer that runs ``peer`` and then closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await peer(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        served.set()

    served = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        stream = await AsyncioBackend().connect_tcp(host, port, **options)
        try:
            yield stream
        finally:
            await stream.aclose()
            await asyncio.wait_for(served.wait(), 10)


async def nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Close at once."""


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def test_written_bytes_are_sent_together_and_echoed() -> None:
    arrived: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.read(65536))
        writer.write(b"answer")

    async with connected(listen) as stream:
        await stream.write(b"headers ")
        await stream.write(b"body")
        assert arrived == []
        assert await stream.read(3) == b"ans"
        assert await stream.read(100) == b"wer"
        assert await stream.read(100) == b""
        assert arrived == [b"headers body"]


async def test_write_larger_than_the_kernels_buffer_arrives_in_full() -> None:
    sent = bytes(range(256)) * 40_000
    async with connected(echo) as stream:

        async def write() -> None:
            for start in range(0, len(sent), 300_000):
                await stream.write(sent[start : start + 300_000])

        writing = asyncio.create_task(write())
        back = bytearray()
        while len(back) < len(sent):
            back += await stream.read(65536)
        await writing
        assert back == sent


async def test_reading_pauses_while_received_bytes_are_not_consumed() -> None:
    size = 32 * 1024 * 1024
    sent = asyncio.Event()

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(size))
        await writer.drain()
        sent.set()

    async with connected(flood) as stream:
        received = len(await stream.read(1))
        for _ in range(100):
            await asyncio.sleep(0)  # the event loop could receive everything in these turns
        assert not sent.is_set()
        while data := await stream.read(1024 * 1024):
            received += len(data)
        assert (received, sent.is_set()) == (size, True)


@pytest.mark.parametrize("poll", [True, False], ids=["poll", "select"])
async def test_idle_connection_becomes_readable_before_the_event_loop_notices(
    poll: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not poll:
        monkeypatch.delattr(select, "poll")  # as on Windows
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        stream = await AsyncioBackend().connect_tcp(*listener.getsockname())
        peer, _ = await asyncio.get_running_loop().sock_accept(listener)
        with peer:
            assert stream.get_extra_info("server_addr") == listener.getsockname()
            assert not stream.get_extra_info("is_readable")
            peer.sendall(b"surprise")
            assert stream.get_extra_info("is_readable")
        await stream.aclose()


async def test_idle_connection_with_data_is_readable() -> None:
    speak = asyncio.Event()

    async def interrupt(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await speak.wait()
        writer.write(b"surprise")

    async with connected(interrupt) as stream:
        assert not stream.get_extra_info("is_readable")
        speak.set()
        assert await stream.read(4) == b"surp"
        assert stream.get_extra_info("is_readable")


async def test_a_peer_that_closed_is_readable_and_reads_as_the_end() -> None:
    async with connected(nothing) as stream:
        assert await stream.read(1) == b""
        assert stream.get_extra_info("is_readable")
        await stream.write(b"too late")
        assert await stream.read(1) == b""


async def test_a_reset_is_a_read_error() -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        linger = b"\1\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with connected(reset) as stream:
        with pytest.raises(httpcore.ReadError, match="reset"):
            await stream.read(1)


async def test_data_of_a_closing_peer_is_read() -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"too large")

    async with connected(refuse) as stream:
        assert await stream.read(3) == b"too"
        await stream.write(b"x")
        assert await stream.read(99) == b" large"


async def test_refused_connection_is_a_connect_error(unused_tcp_port: int) -> None:
    with pytest.raises(httpcore.ConnectError):
        await AsyncioBackend().connect_tcp("127.0.0.1", unused_tcp_port)


async def test_local_address_and_socket_options_are_honoured() -> None:
    options: dict[str, Any] = {
        "local_address": "127.0.0.2",
        "socket_options": [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
    }
    async with connected(echo, **options) as stream:
        connection = stream.get_extra_info("socket")
        assert connection.getsockname()[0] == "127.0.0.2"
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


async def test_host_name_is_resolved() -> None:
    async with connected(echo, host="localhost") as stream:
        await stream.write(b"hello")
        assert await stream.read(5) == b"hello"


async def test_bytes_are_exchanged_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with connected(echo, tls=server_tls) as stream:
        assert await stream.start_tls(client_tls, "127.0.0.1") is stream
        await stream.write(b"hello")
        assert await stream.read(5) == b"hello"
        assert stream.get_extra_info("ssl_object").getpeercert()["subjectAltName"] == (("IP Address", "127.0.0.1"),)


async def test_data_before_the_tls_handshake_is_a_connect_error(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def inject(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"forged")
        with contextlib.suppress(OSError):
            await writer.start_tls(server_tls)

    async with connected(inject) as stream:
        assert await stream.read(1) == b"f"
        with pytest.raises(httpcore.ConnectError, match="data arrived before the TLS handshake"):
            await stream.start_tls(client_tls, "127.0.0.1")


async def test_closing_during_the_tls_handshake_is_a_connect_error() -> None:
    greeted = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        greeted.set()
        while await reader.read(65536):
            pass

    async with connected(silent) as stream:
        shaking_hands = asyncio.create_task(stream.start_tls(ssl.create_default_context(), "plivo.test"))
        await greeted.wait()
        await stream.aclose()
        with pytest.raises(httpcore.ConnectError, match="closed during the TLS handshake"):
            await shaking_hands


async def test_tls_that_fails_is_a_connect_error_and_closes() -> None:
    gone = asyncio.Event()

    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        while await reader.read(65536):
            pass
        gone.set()

    async with connected(no_tls) as stream:
        with pytest.raises(httpcore.ConnectError):
            await stream.start_tls(ssl.create_default_context(), "plivo.test")
        await asyncio.wait_for(gone.wait(), 10)


async def test_tls_that_is_cancelled_closes() -> None:
    greeted, gone = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        greeted.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        gone.set()

    async with connected(silent) as stream:
        shaking_hands = asyncio.create_task(stream.start_tls(ssl.create_default_context(), "plivo.test"))
        await greeted.wait()
        shaking_hands.cancel()
        with pytest.raises(asyncio.CancelledError):
            await shaking_hands
        await asyncio.wait_for(gone.wait(), 10)


def test_network_works_with_uvloop() -> None:
    async def exchange() -> bytes:
        async with connected(echo) as stream:
            await stream.write(b"hello")
            return await stream.read(5)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(exchange()) == b"hello"
