"""How a batch counts its outcomes and ends; the commands are tested in ``tests/cli/commands/test_batch.py``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

from plivo_record_async import AuthenticationError, RecordClient
from plivo_record_async.cli.batch.failures import failure_file
from plivo_record_async.cli.batch.running import BatchRun, Calls
from plivo_record_async.cli.input.items import Items, read_items
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.outcomes import Result
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import EndSignal
from plivo_record_async.protocol.models import Failed, Outcome, StartRequest

ITEMS: Items[StartRequest] = read_items(StartRequest, b"a\nb\nc\n")
REJECTED = AuthenticationError(401, None, "no", "")


@asynccontextmanager
async def calls(error: Exception) -> AsyncGenerator[Calls]:
    async def outcomes(items: AsyncGenerator[Item[Any], None]) -> AsyncGenerator[Outcome[Item[Any], Result], None]:
        async for item in items:
            yield Failed(item, error)

    yield outcomes


async def test_lines_that_were_not_begun_are_failed_lines_of_a_batch_that_ended_early(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], blockbuster: BlockBuster
) -> None:
    blockbuster.deactivate()  # printing and writing the file block the event loop of a command
    failed = tmp_path / "failed.txt"
    with failure_file(failed, ITEMS.format, source="rooms.txt") as failures:
        batch = BatchRun(ITEMS.valid, Printer(as_json=False), failures, EndSignal(), timeout=1)
        code = await batch.run(RecordClient("MAABCDEFGHIJKLMNOPQR", "token"), calls(REJECTED))
    assert code is ExitCode.FAILED
    assert failed.read_text() == "a\nb\nc\n"
    printed = capsys.readouterr()
    assert printed.out.endswith("summary: 0 done, 1 failed, 0 unknown, 2 not begun\n")
    assert "the batch ended early, because Plivo answered 401" in printed.err
