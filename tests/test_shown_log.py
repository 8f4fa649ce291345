"""``PLIVO_LOG`` shows the log of a script on standard error, unless the script has configured handlers."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from plivo_record_async import ConfigurationError, RecordClient
from plivo_record_async._shown_log import show_log

SCRIPT = """
import asyncio
from plivo_record_async import RecordClient

async def main():
    async with RecordClient("MAXXXXXXXXXXXXXXXXXX", "s3cret", base_url="http://127.0.0.1:9", max_retries=0) as client:
        try:
            await client.start_recording("standup")
        except Exception:
            pass

asyncio.run(main())
"""
CALL = r"[-\d]+ [:,\d]+ INFO plivo_record_async: start of 'standup' ended: not_sent, NotSentError \(attempts: 1, .*\)\n"


@pytest.fixture(autouse=True)
def unchanged_logging() -> Iterator[None]:
    """Restore the logger of the package, and forget that a client was made before."""
    logger = logging.getLogger("plivo_record_async")
    level, handlers = logger.level, list(logger.handlers)
    show_log.cache_clear()
    yield
    logger.level, logger.handlers = level, handlers
    show_log.cache_clear()


def output_of(script: str, **variables: str) -> str:
    """Run a script and return what it writes to standard error."""
    environment = {name: value for name, value in os.environ.items() if name != "PLIVO_LOG"} | variables
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return ended.stderr


def test_script_shows_its_log_only_if_plivo_log_is_set() -> None:
    assert output_of(SCRIPT) == ""
    assert re.fullmatch(CALL, output_of(SCRIPT, PLIVO_LOG="info"))
    debug = output_of(SCRIPT, PLIVO_LOG="DEBUG")
    assert re.search(rf"DEBUG plivo_record_async: attempt 1 of start of 'standup' ended: .*\n{CALL}$", debug)


def test_script_that_configures_logging_itself_writes_no_record_twice() -> None:
    script = "import logging; logging.basicConfig(format='mine: %(message)s')\n" + SCRIPT
    shown = output_of(script, PLIVO_LOG="info")
    assert (shown.count("\n"), shown[:32]) == (1, "mine: start of 'standup' ended: ")


def test_handlers_of_the_program_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_LOG", "info")
    logger = logging.getLogger("plivo_record_async")
    before = list(logger.handlers)
    assert logger.hasHandlers()  # those of pytest
    show_log()
    assert (logger.level, logger.handlers) == (logging.INFO, before)


def test_handler_is_added_once_if_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_LOG", "debug")
    logger = logging.getLogger("plivo_record_async")
    monkeypatch.setattr(logger, "propagate", False)
    logger.handlers = []
    show_log()
    show_log()
    assert (logger.level, len(logger.handlers)) == (logging.DEBUG, 1)


def test_invalid_value_is_an_error_of_every_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_LOG", "verbose")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"^PLIVO_LOG must be debug or info, not 'verbose'$"):
            RecordClient("MA" + "X" * 18, "s3cret")


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_changes_without_a_value(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLIVO_LOG", raising=False)
    if value is not None:
        monkeypatch.setenv("PLIVO_LOG", value)
    logger = logging.getLogger("plivo_record_async")
    before = logger.level, list(logger.handlers)
    show_log()
    assert (logger.level, logger.handlers) == before
