"""The limit on log lines that attackers can cause."""

from __future__ import annotations

import asyncio
import logging

import pytest

from plivo_record_async.tracking.receiving.bounded_log import MAX_RECORDS, SECONDS, BoundedLog
from tests.support.virtual_time import run


def written(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "plivo_record_async"]


def test_the_first_lines_of_each_minute_are_written_and_the_others_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        bounded = BoundedLog("callbacks were rejected")
        for number in range(1000):
            bounded.write(f"line {number}")
        first = [f"line {number}" for number in range(MAX_RECORDS)]
        assert written(caplog) == first
        await asyncio.sleep(SECONDS + 1)
        assert written(caplog) == [*first, f"{1000 - MAX_RECORDS} more callbacks were rejected in a minute"]
        bounded.write("next")
        await asyncio.sleep(SECONDS + 1)
        assert written(caplog)[MAX_RECORDS + 1 :] == ["next"]

    run(main())


def test_long_line_is_shortened(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        bounded = BoundedLog("callbacks were rejected", longest=100)
        bounded.write("a" * 100, level=logging.ERROR)
        bounded.write("%s" + "a" * 100)

    run(main())
    assert written(caplog) == ["a" * 100, "%s" + "a" * 97 + "…"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
