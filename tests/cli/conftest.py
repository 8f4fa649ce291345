"""Run the command line in a thread, while the emulator runs in the event loop of the test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from blockbuster import BlockBuster
from click.testing import CliRunner, Result

from plivo_record_async.cli.root import plivo_record
from plivo_record_async.emulator import Emulator
from tests.support.programs.cli_in_process import FullOutput, run_command
from tests.support.programs.cli_process import AUTH_ID, AUTH_TOKEN

Command = Callable[..., Awaitable[Result]]

# The processes must have buffers, because their last flush is tested.
os.environ.pop("PYTHONUNBUFFERED", None)


@pytest.fixture
async def plivo() -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
def command(plivo: Emulator, blockbuster: BlockBuster) -> Command:
    """Run ``plivo-record`` with the local Plivo's credentials in the environment."""
    blockbuster.deactivate()  # printing blocks the event loop of a command

    async def run(*words: str, stdin: bytes = b"", **environment: str | None) -> Result:
        given = {"PLIVO_AUTH_ID": plivo.auth_id, "PLIVO_AUTH_TOKEN": plivo.auth_token, "PLIVO_BASE_URL": plivo.url}
        return await asyncio.to_thread(
            CliRunner().invoke, plivo_record, words, input=stdin, env={**given, **environment}, catch_exceptions=False
        )

    return run


@pytest.fixture
async def account() -> AsyncIterator[Emulator]:
    """A local Plivo with the account of `start_command`."""
    async with Emulator(auth_id=AUTH_ID, auth_token=AUTH_TOKEN) as emulator:
        yield emulator


@pytest.fixture
async def broken() -> AsyncIterator[str]:
    """Yield the URL of a server that answers every request with 503."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"api_id": "an-id", "error": "broken"}'
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


@pytest.fixture
def unread() -> Iterator[int]:
    """Yield a pipe whose reading end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.fixture
def full_disk(
    plivo: Emulator, blockbuster: BlockBuster, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[int]]:
    """Run ``plivo-record`` with a stdout that is full after some lines, and return its exit code."""
    blockbuster.deactivate()
    for name, value in {"AUTH_ID": plivo.auth_id, "AUTH_TOKEN": plivo.auth_token, "BASE_URL": plivo.url}.items():
        monkeypatch.setenv(f"PLIVO_{name}", value)

    async def run(*words: str, after: int = 0) -> int:
        return await asyncio.to_thread(run_command, *words, stdout=FullOutput(after=after))

    return run
