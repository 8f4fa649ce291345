"""How a batch counts its outcomes and ends; the commands are tested in ``tests/cli/commands/test_batch.py``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

from plivo_record_async import AuthenticationError, BadRequestError, NotSentError, PlivoRecordError, RecordClient
from plivo_record_async.cli.batch.failures import failure_file
from plivo_record_async.cli.batch.running import BatchRun, CallItems, Calls
from plivo_record_async.cli.input.items import Items, read_items
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.outcomes import Result
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import EndSignal
from plivo_record_async.protocol.models import Failed, Outcome, StartRequest

ITEMS: Items[StartRequest] = read_items(StartRequest, b"a\nb\nc\n")
REJECTED = AuthenticationError(401, None, "no", "")


class FailingCalls:
    """Calls that fail with given errors.

    Args:
        *errors: The error of each call. The last one is also the error of all further calls.
    """

    following = 0

    def __init__(self, *errors: PlivoRecordError) -> None:
        self._errors = errors

    async def outcomes(self, items: CallItems) -> AsyncGenerator[Outcome[Item[Any], Result], None]:
        async for item in items:
            yield Failed(item, self._errors[min(item.number, len(self._errors)) - 1])

    def end_following(self) -> None:
        """Nothing is followed."""


@pytest.mark.parametrize(("has_journal", "expected"), [(False, "a\nb\nc\n"), (True, "a\n")])
async def test_lines_that_were_not_begun_are_written_unless_a_journal_knows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], blockbuster: BlockBuster, *, has_journal: bool, expected: str
) -> None:
    blockbuster.deactivate()  # printing and writing the file block the event loop of a command
    failed = tmp_path / "failed.txt"
    with failure_file(failed, ITEMS.format, source="rooms.txt") as failures:
        calls: Calls = FailingCalls(REJECTED)
        batch = BatchRun(ITEMS.valid, Printer(as_json=False), failures, EndSignal(), timeout=1, has_journal=has_journal)
        code = await batch.run(RecordClient("MAABCDEFGHIJKLMNOPQR", "token"), nullcontext(calls))
    assert code is ExitCode.FAILED
    assert failed.read_text() == expected
    printed = capsys.readouterr()
    assert printed.out.endswith("summary: 0 done, 1 failed, 0 unknown, 2 not begun\n")
    assert "the batch ended early, because Plivo answered 401" in printed.err


@pytest.mark.parametrize(("has_journal", "expected"), [(False, "a\nb\nc\n"), (True, "b\n")])
async def test_lines_that_resume_sends_are_not_written(
    tmp_path: Path, blockbuster: BlockBuster, *, has_journal: bool, expected: str
) -> None:
    blockbuster.deactivate()  # printing and writing the file block the event loop of a command
    failed = tmp_path / "failed.txt"
    not_sent = NotSentError("start of 'a'", "refused", phase="connect", evidence="it failed before sending began")
    with failure_file(failed, ITEMS.format, source="rooms.txt") as failures:
        calls: Calls = FailingCalls(not_sent, BadRequestError(400, None, "no", ""), not_sent)
        batch = BatchRun(ITEMS.valid, Printer(as_json=False), failures, EndSignal(), timeout=1, has_journal=has_journal)
        await batch.run(RecordClient("MAABCDEFGHIJKLMNOPQR", "token"), nullcontext(calls))
    assert failed.read_text() == expected
