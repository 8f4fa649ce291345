"""A load balancer that passes each connection on to one of several servers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count

__all__ = ["load_balancer"]


@asynccontextmanager
async def load_balancer(listener: socket.socket, ports: Sequence[int]) -> AsyncGenerator[None]:
    """Pass each connection on to the next server that accepts it, inside this block.

    If no server accepts a connection, it is closed.

    Args:
        listener: The socket on which connections are accepted.
        ports: The ports of the servers on this machine.
    """
    numbers, tasks = count(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        first = next(numbers)
        try:
            for port in (ports[(first + other) % len(ports)] for other in range(len(ports))):
                with suppress(ConnectionRefusedError):
                    await _pass_on(reader, writer, *await asyncio.open_connection("127.0.0.1", port))
                    break
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(serve, sock=listener)
    try:
        yield
    finally:
        server.close()
        ending = tuple(tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close their sockets


async def _pass_on(
    from_client: asyncio.StreamReader,
    to_client: asyncio.StreamWriter,
    from_server: asyncio.StreamReader,
    to_server: asyncio.StreamWriter,
) -> None:
    """Copy the bytes of both directions until one side closes its connection."""
    copies = [asyncio.create_task(_copy(from_client, to_server)), asyncio.create_task(_copy(from_server, to_client))]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        to_server.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
