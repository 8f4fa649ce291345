"""The order of the steps; each command is tested in ``tests/cli/commands/test_batch.py``."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from plivo_record_async import ConfigurationError
from plivo_record_async.cli.batch.command import BatchOptions, run_batch
from plivo_record_async.cli.batch.reading import Source
from plivo_record_async.cli.batch.running import Calls
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.protocol.models import StartRequest

SOURCE = Source(io.BytesIO(b"a\n"), "rooms.txt")
OPTIONS = BatchOptions(printer=Printer(as_json=False), concurrency=1, timeout=None)


@asynccontextmanager
async def no_calls(*_: object) -> AsyncGenerator[Calls]:
    yield pytest.fail("nothing may be sent")


async def test_input_is_not_read_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLIVO_AUTH_ID", raising=False)
    with pytest.raises(ConfigurationError, match="PLIVO_AUTH_ID"):
        await run_batch(StartRequest, SOURCE, OPTIONS, lambda _: None, no_calls)
    assert SOURCE.file.tell() == 0
