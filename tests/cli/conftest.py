"""The command line, run in a thread of its own so that the local Plivo can answer it from the test's event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from blockbuster import BlockBuster
from click.testing import CliRunner, Result

from plivo_record_async.cli.root import plivo_record
from plivo_record_async.emulator import Emulator

Command = Callable[..., Awaitable[Result]]

# Without their buffers the processes' last flush, and the locks that it waits for, would go untested.
os.environ.pop("PYTHONUNBUFFERED", None)


@pytest.fixture
async def plivo() -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
def command(plivo: Emulator, blockbuster: BlockBuster) -> Command:
    """Run ``plivo-record`` with the local Plivo's credentials in the environment."""
    blockbuster.deactivate()  # a command prints, and that is all its loop is there for

    async def run(*words: str, stdin: bytes = b"", **environment: str | None) -> Result:
        given = {"PLIVO_AUTH_ID": plivo.auth_id, "PLIVO_AUTH_TOKEN": plivo.auth_token, "PLIVO_BASE_URL": plivo.url}
        return await asyncio.to_thread(
            CliRunner().invoke, plivo_record, words, input=stdin, env={**given, **environment}, catch_exceptions=False
        )

    return run
